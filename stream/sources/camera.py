"""A live camera: V4L2 through FFmpeg on Linux, OpenCV elsewhere."""

from __future__ import annotations

import errno
import platform
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from ...engine.errors import MicroauError
from ...engine.records import Frame, Picture
from ..source import Probe, Source
from .container import Decoder, Options, open_container, reason
from .framing import Framer
from .video import first_picture, probe

OPEN_S, STALL_S = 10.0, 5.0
"""Seconds in which a camera has to start, and in which each further frame has to come."""
COMPRESSED = "mjpeg"
"""Asked for first: few cameras have the USB bandwidth for raw pictures at high rates."""


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
    if number < 0 or min(width or 1, height or 1) < 1 or (fps is not None and not 0 < fps <= 100_000):
        raise MicroauError("--camera is 0 or more; --width, --height and --fps are positive")
    size = (width, height) if width is not None and height is not None else None
    if platform.system() == "Linux":
        return open_v4l2(number, size=size, fps=fps, start=start, end=end)
    return OpenCvCamera(number, size=size, fps=fps, start=start, end=end)


def open_v4l2(
    number: int,
    *,
    size: tuple[int, int] | None,
    fps: float | Fraction | None,
    start: float | None,
    end: float | None,
) -> DeviceStream:
    """/dev/videoN, compressed pictures where the camera has them at this size and rate, else raw ones."""
    device = Path(f"/dev/video{number}")
    _check_device(device)
    options: Options = {"timestamps": "default"}  # the kernel's own stamp of the moment of capture
    if size is not None:
        options["video_size"] = f"{size[0]}x{size[1]}"
    if fps is not None:
        options["framerate"] = str(Fraction(fps).limit_denominator(100_000))
    try:
        compressed = {**options, "input_format": COMPRESSED}
        return DeviceStream(str(device), "v4l2", compressed, start=start, end=end)
    except MicroauError:
        return DeviceStream(str(device), "v4l2", options, start=start, end=end)


def _check_device(device: Path) -> None:
    """Missing, forbidden or busy is said here, by the system's own answer."""
    if not device.exists():
        others = " ".join(sorted(str(p) for p in Path("/dev").glob("video*"))) or "none"
        raise MicroauError(f"camera {device} does not exist; there are: {others}")
    try:
        device.open("rb", buffering=0).close()
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise MicroauError(f"camera {device} is in use by another program") from None
        if error.errno == errno.EACCES:
            raise MicroauError(f"camera {device}: not allowed; is the user in the group 'video'?") from None
        raise MicroauError(f"camera {device}: {error.strerror}") from None


class DeviceStream(Source):
    """A live device that FFmpeg reads; `Frame.time` follows the driver's stamps."""

    def __init__(
        self,
        device: str,
        format: str,
        options: Options,
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> None:
        super().__init__(start=start, end=end)
        container = open_container(
            device, name=f"camera {device}", format=format, options=options, timeout=(OPEN_S, STALL_S)
        )
        try:
            self._decoder = Decoder(container, device, self.counts, "SLICE")
            self._decoded, first = first_picture(self._decoder, device)
        except BaseException:
            container.close()
            raise
        self.probe = probe(self._decoder, first, kind="camera", name=device, live=True)
        self._framer = Framer(device, self.probe.time_base, self.counts, live=True)
        self._stopped = False

    def _frames(self) -> Iterator[Frame]:
        codec = self._decoder.codec
        try:
            for decoded in self._decoded:
                frame = self._framer.frame(decoded, codec)
                if frame is not None:
                    yield frame
                if self._stopped:
                    return
        except (av.FFmpegError, OSError) as error:
            lost = (
                "sends nothing any more"
                if isinstance(error, (TimeoutError, av.error.ExitError))
                else "is gone"
            )
            raise MicroauError(f"camera {self.probe.name} {lost}; is it still plugged in?") from None

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        self._decoded = iter(())
        self._decoder.close()


class OpenCvCamera(Source):
    """A camera through OpenCV, which gives no stamps: the time is that of arrival, 1 us ticks."""

    def __init__(
        self,
        number: int,
        *,
        size: tuple[int, int] | None = None,
        fps: float | Fraction | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> None:
        super().__init__(start=start, end=end)
        self._name = f"camera {number}"
        self._capture = cv2.VideoCapture(number)
        self._stopped = False
        if size is not None:
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        if fps is not None:
            self._capture.set(cv2.CAP_PROP_FPS, float(fps))
        good, first = self._capture.read()
        if not good:
            self._capture.release()
            raise MicroauError(f"{self._name} does not exist, is in use, or gives no picture")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.probe = Probe(
            kind="camera",
            name=self._name,
            width=first.shape[1],
            height=first.shape[0],
            fps=Fraction(rate).limit_denominator(1001) if rate > 0 else None,
            actual_fps=rate if rate > 0 else None,
            container=self._capture.getBackendName(),
            pixel_format="bgr24",
            time_base=Fraction(1, 1_000_000),
            live=True,
        )
        self._framer = Framer(self._name, self.probe.time_base, self.counts, live=True)

    def _frames(self) -> Iterator[Frame]:
        while not self._stopped:
            good, image = self._capture.read()
            stamp = time.monotonic_ns() // 1000
            if not good:
                raise MicroauError(f"{self._name} gives no more pictures; is it still plugged in?")
            picture = Picture.from_rgb(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8))
            frame = self._framer.place(picture, stamp)
            if frame is not None:
                yield frame

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        self._capture.release()
