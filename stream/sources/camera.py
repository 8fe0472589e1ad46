"""A live camera: V4L2 through FFmpeg on Linux, OpenCV elsewhere."""

from __future__ import annotations

import errno
import platform
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from ...engine.errors import MicroauError
from ...engine.records import Frame
from ..source import Source
from .container import Decoder, reason
from .framing import Framer
from .opencv_camera import OpenCvCamera
from .video import first_picture, probe

STALL_S = 5.0
"""Seconds in which the first and each further picture has to come."""
POLL_S = 0.001
"""Seconds between two looks at a device that has nothing yet; its stamps do not depend on it."""
OLD_S = 600.0
"""Seconds; a stamp this far back is of another clock, not of an old picture."""
COMPRESSED = "mjpeg"
"""Asked for first: few cameras have the USB bandwidth for raw pictures at high rates."""
NONBLOCK = "+4"
"""AVFMT_FLAG_NONBLOCK, which has no name among FFmpeg's options: without it a camera that falls silent
would hold the thread for ever."""
_DEVICE_ERRORS = {
    errno.EBUSY: "in use by another program",
    errno.EACCES: "not allowed; is the user in the group 'video'?",
    errno.EPERM: "not allowed; is the user in the group 'video'?",
    errno.ENODEV: "not a camera, or just unplugged",
    errno.ENOTTY: "not a camera",
    errno.EINVAL: "no pixel format of it is understood",
}


def open_camera(
    number: int,
    *,
    width: int | None = None,
    height: int | None = None,
    fps: float | Fraction | None = None,
    start: float | None = None,
    end: float | None = None,
) -> Source:
    """Camera `number` with the size and rate asked for; its Probe says what the driver really set."""
    if (width is None) != (height is None):
        raise MicroauError("give --width and --height together")
    size = (width, height) if width is not None and height is not None else None
    if number < 0 or (size is not None and min(size) < 1) or (fps is not None and not 0 < fps <= 100_000):
        raise MicroauError("--camera is 0 or more; --width, --height and --fps are positive")
    if platform.system() == "Linux":
        return open_v4l2(Path(f"/dev/video{number}"), size=size, fps=fps, start=start, end=end)
    return OpenCvCamera(number, size=size, fps=fps, start=start, end=end)


def open_v4l2(
    device: Path,
    *,
    size: tuple[int, int] | None = None,
    fps: float | Fraction | None = None,
    start: float | None = None,
    end: float | None = None,
) -> DeviceStream:
    """A V4L2 device: compressed pictures where it has them at this size and rate, else raw ones.

    raises  MicroauError: not there, not allowed, in use, or no camera
    """
    _check_device(device)
    options = {"timestamps": "default", "fflags": NONBLOCK}  # default: the kernel's stamp of the exposure
    if size is not None:
        options["video_size"] = f"{size[0]}x{size[1]}"
    if fps is not None:
        options["framerate"] = str(Fraction(fps).limit_denominator(100_000))
    try:
        container = _open_first(device, [{**options, "input_format": COMPRESSED}, options])
    except OSError as error:
        raise MicroauError(
            f"camera {device}: {_DEVICE_ERRORS.get(error.errno or 0, reason(error))}"
        ) from None
    return DeviceStream(container, str(device), start=start, end=end)


def _check_device(device: Path) -> None:
    if not device.exists():
        others = " ".join(sorted(str(path) for path in Path("/dev").glob("video*"))) or "none"
        raise MicroauError(f"camera {device} does not exist; there are: {others}")


def _open_first(device: Path, choices: list[dict[str, str]]) -> av.container.InputContainer:
    """The device with the first options that it takes."""
    for options in choices[:-1]:
        try:
            return _open_v4l2(device, options)
        except av.error.ArgumentError:  # it has no such pixel format: the next choice
            continue
    return _open_v4l2(device, choices[-1])


def _open_v4l2(device: Path, options: dict[str, str]) -> av.container.InputContainer:
    # As container options: PyAV would set plain ones on the decoder too, which would then believe in the
    # size that was asked for, not in the driver's.
    return av.open(str(device), format="v4l2", container_options=options, timeout=(STALL_S, None))


class DeviceStream(Source):
    """A live device that FFmpeg reads; `Frame.time` follows the driver's stamps.

    The driver numbers its frames, but FFmpeg does not pass the numbers on: a frame that was lost before
    it reached us shows as a hole in the stamps.

    container  opened, non-blocking where the device can be
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        name: str,
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> None:
        super().__init__(start=start, end=end)
        self._name = f"camera {name}"
        self._stopped = False
        self._alive = time.monotonic()
        self._borrowed = "v4l2" in container.format.name
        self._decoder = Decoder(
            container, self._name, self.counts, live=True, borrowed=self._borrowed, idle=self._wait
        )
        try:
            self._decoded, first = first_picture(self._decoder, self._name)
        except BaseException:
            container.close()
            raise
        self.probe = probe(self._decoder, first, kind="camera", name=name, live=True)
        codec = self._decoder.codec
        self._framer = Framer(self._name, self.probe.time_base, self.counts, live=True, codec=codec)

    def _wait(self) -> bool:
        if time.monotonic() - self._alive > STALL_S:
            raise MicroauError(f"{self._name} gives no pictures (none for {STALL_S:g} s)")
        time.sleep(POLL_S)
        return not self._stopped

    def _stale(self, decoded: av.VideoFrame, began: float) -> bool:
        """True: it waited in the driver since before anyone read, while the models were loaded, say.

        Only a driver with the monotonic clock can be asked; what it does not deliver it has lost anyway.
        """
        age = began - float((decoded.pts or 0) * self.probe.time_base)
        return self._borrowed and not self.counts.decoded and 0 < age < OLD_S

    def _frames(self) -> Iterator[Frame]:
        began = time.monotonic()
        try:
            for decoded, whole in self._decoded:
                self._alive = time.monotonic()
                if self._stale(decoded, began):
                    continue
                frame = self._framer.frame(decoded, whole)
                if frame is not None:
                    yield frame
                if self._stopped:
                    return
        except av.FFmpegError as error:
            raise MicroauError(f"{self._name} broke off ({reason(error)}); is it plugged in?") from None

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        self._decoded = iter(())
        self._decoder.close()
