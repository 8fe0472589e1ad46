"""Press a key in a window as a person would, through the X server's own test extension."""

import ctypes
import time

X = ctypes.CDLL("libX11.so.6")
TEST = ctypes.CDLL("libXtst.so.6")
X.XOpenDisplay.restype = ctypes.c_void_p
X.XDefaultRootWindow.restype = ctypes.c_ulong
X.XStringToKeysym.restype = ctypes.c_ulong
X.XKeysymToKeycode.restype = ctypes.c_ubyte
Window = ctypes.c_ulong
# A window may close between being found and being asked: Xlib would end the process for that.
ignore = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda display, error: 0)
X.XSetErrorHandler(ignore)


class Attributes(ctypes.Structure):
    """Xlib's XWindowAttributes as far as the state of the window, with room for the rest."""

    _fields_ = (("before", ctypes.c_byte * 92), ("map_state", ctypes.c_int), ("after", ctypes.c_byte * 64))


def windows(display, parent):
    """All windows below a window that are shown, with their names."""
    root, above, children = Window(), Window(), ctypes.POINTER(Window)()
    count = ctypes.c_uint()
    X.XQueryTree(display, Window(parent), *map(ctypes.byref, (root, above, children, count)))
    for i in range(count.value):
        name = ctypes.c_char_p()
        X.XFetchName(display, Window(children[i]), ctypes.byref(name))
        yield children[i], (name.value or b"").decode()
        yield from windows(display, children[i])


def is_shown(display, window):
    attributes = Attributes()
    X.XGetWindowAttributes(display, Window(window), ctypes.byref(attributes))
    return attributes.map_state == 2


def press(server, title, key, patience_s):
    """Press a key in the window whose name begins with `title` until it closes; True if there was one.

    Again and again, since a window that has just come up may not have the keyboard yet.
    """
    display = ctypes.c_void_p(X.XOpenDisplay(server.encode()))
    end = time.monotonic() + patience_s
    pressed = False
    while time.monotonic() < end:
        found = [
            window
            for window, name in windows(display, X.XDefaultRootWindow(display))
            if name.startswith(title) and is_shown(display, window)
        ]
        if pressed and not found:
            break
        for window in found:
            _press(display, window, key)
            pressed = True
        time.sleep(0.2)
    X.XCloseDisplay(display)
    return pressed


def _press(display, window, key):
    X.XSetInputFocus(display, Window(window), 1, Window(0))
    code = X.XKeysymToKeycode(display, ctypes.c_ulong(X.XStringToKeysym(key.encode())))
    for down in (1, 0):
        TEST.XTestFakeKeyEvent(display, ctypes.c_uint(code), down, ctypes.c_ulong(0))
    X.XSync(display, 0)
