"""Choose the source for an input: a file, a folder of pictures, a URL or a camera.

The first picture is read before `open_source` returns, so that whatever cannot be played is refused
before anything has been written.
"""

from __future__ import annotations

import math
import os
from fractions import Fraction
from pathlib import Path

from ..engine.errors import MicroauError
from . import urls
from .source import Source
from .sources import camera as cameras
from .sources import images, network, video


def open_source(
    input: str | os.PathLike[str] | None = None,
    *,
    fps: float | Fraction | None = None,
    camera: int | None = None,
    width: int | None = None,
    height: int | None = None,
    start: float | None = None,
    end: float | None = None,
    reconnect: float = 30.0,
) -> Source:
    """Open a video file, a folder of numbered pictures, a URL or a camera.

    input       path of a file or folder, or an rtsp://, udp://, tcp://, http(s):// URL
    fps         frames per second: of a folder (required), asked from a camera
    camera      number of the camera, instead of `input`
    width, height   pixels asked from the camera
    start, end  seconds since the input's first frame; frames with start <= time < end are delivered
                under their own numbers
    reconnect   seconds for which a lost network stream is tried again; 0: its first end is the end
    raises      MicroauError: one line, what cannot be opened and why
    """
    source = _open(input, fps, camera, (width, height), (start, end), reconnect)
    try:
        if start and not source.probe.live:
            source.skip_to_start()  # here, so that a part that is not there is refused before any output
    except BaseException:
        source.close()
        raise
    return source


def _open(
    input: str | os.PathLike[str] | None,
    fps: float | Fraction | None,
    camera: int | None,
    size: tuple[int | None, int | None],
    part: tuple[float | None, float | None],
    reconnect: float,
) -> Source:
    start, end = part
    _check_range(start, end)
    if bool(input) == (camera is not None):
        raise MicroauError("give one input: a file, a folder, a URL, or --camera N")
    if camera is not None:
        return cameras.open_camera(camera, width=size[0], height=size[1], fps=fps, start=start, end=end)
    text = os.fspath(input) if input is not None else ""
    if size != (None, None):
        raise MicroauError(f"{urls.mask(text)}: --width and --height are for a camera")
    if urls.is_url(text):
        return network.NetworkStream(text, start=start, end=end, reconnect=reconnect)
    if os.path.isdir(text):
        return images.ImageFolder(Path(text), fps=fps, start=start, end=end)
    if fps is not None:
        raise MicroauError(f"{urls.mask(text)}: --fps is for cameras and picture folders")
    return video.VideoFile(text, start=start, end=end)


def _check_range(start: float | None, end: float | None) -> None:
    for name, value in (("--start", start), ("--end", end)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise MicroauError(f"{name} {value:g}: give seconds since the first frame, 0 or more")
    if end is not None and end <= (start or 0.0):
        raise MicroauError(f"--end {end:g} is not after --start {start or 0.0:g}")
