"""Small videos made on the spot; each picture has its own number drawn into it, so that it can be named."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from microau.stream.source import Source

WIDTH, HEIGHT = 96, 64
BITS = 10
"""Numbers up to 1023, each bit a block of 8 x 16 pixels, dark or bright."""


def drawing(number: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """(H, W) luma: a ramp, and the number in its upper left."""
    rows, columns = np.mgrid[:height, :width]
    luma = (60 + 80 * columns / width + 60 * rows / height).astype(np.uint8)
    for bit in range(BITS):
        luma[8:24, 8 + 8 * bit : 16 + 8 * bit] = 220 if number >> bit & 1 else 30
    return luma


def number_of(luma: NDArray[np.uint8]) -> int:
    """The number drawn into the picture."""
    blocks = [luma[10:22, 10 + 8 * bit : 14 + 8 * bit].mean() for bit in range(BITS)]
    return sum((block > 125) << bit for bit, block in enumerate(blocks))


def drawn_frame(number: int, width: int, height: int, pix_fmt: str) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, "gray")
    plane = np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)
    plane[:height, :width] = drawing(number, width, height)
    return frame.reformat(format=pix_fmt)


def write_video(
    path: Path | str,
    count: int = 30,
    *,
    rate: Fraction | int = 30,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    stamps: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    numbers: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    rotation: int = 0,
    hflip: bool = False,
    format: str | None = None,
) -> Path:
    """A video of `count` numbered pictures.

    stamps   PTS of each picture in units of time_base; default 0, 1, 2 ... in 1 / rate
    numbers  what is drawn into each picture; default its own place
    """
    time_base = time_base or 1 / Fraction(rate)
    with av.open(str(path), "w", format=format) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.time_base = time_base
        stream.time_base = time_base
        stream.options = {"preset": "ultrafast", "crf": "16", **(options or {})} if "26" in codec else {}
        if rotation or hflip:
            stream.set_display_rotation(rotation, hflip=hflip)
        for place in range(count):
            frame = drawn_frame(numbers[place] if numbers else place, *size, pix_fmt)
            frame.pts, frame.time_base = (stamps[place] if stamps else place), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return Path(path)


def write_pictures(folder: Path, names: dict[str, int], size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    """Numbered pictures: file name -> number drawn into it."""
    folder.mkdir(exist_ok=True)
    for name, number in names.items():
        assert cv2.imwrite(str(folder / name), drawing(number, *size))
    return folder


def numbers(source: Source) -> list[int]:
    return [number_of(frame.picture.luma) for frame in source]
