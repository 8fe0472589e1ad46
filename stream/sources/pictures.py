"""From FFmpeg's frame to Picture: planes are viewed where they lie, converted only where they must be."""

from __future__ import annotations

from functools import lru_cache

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from ...engine.records import Gray, Picture

JPEG_RANGE, MPEG_RANGE = 2, 1  # AVColorRange
WIDE = (1, 9, 10)
"""AVColorSpace: Rec. 709, and Rec. 2020, which is nearer to it than to Rec. 601."""
RGB, UNSPECIFIED = 0, 2  # AVColorSpace
ITU601 = 5  # swscale's number
HD_HEIGHT = 720
"""Untagged pictures of at least this height are taken as Rec. 709, as players do."""
FILM_CODECS = ("h264", "hevc", "av1", "vp8", "vp9", "mpeg1video", "mpeg2video", "mpeg4")
"""Their untagged gray is 16..235; that of still-picture codecs and raw video runs 0..255."""


class Converter:
    """Makes Pictures of the frames of one decoder.

    Planar YUV and gray of any depth and chroma spacing are taken plane by plane: 8-bit luma is a view
    that keeps the frame's memory alive, more bits are rounded to 8 without dither, chroma is averaged to
    4:2:0. Packed, RGB and palette pictures go through one swscale conversion.
    """

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._scaler = VideoReformatter()

    def picture(self, frame: av.VideoFrame) -> Picture:
        """The picture as stored; not turned."""
        full, wide = self._full_range(frame), self._wide(frame)
        if frame.format.is_rgb or frame.format.has_palette:
            frame, full, wide = self._scale(frame, JPEG_RANGE), True, False
        elif not _planar(frame.format.name):
            frame = self._scale(frame, JPEG_RANGE if full else MPEG_RANGE)
        planes = frame.planes
        bits = frame.format.components[0].bits
        luma = _narrow(_plane(planes[0], bits), bits)
        if frame.format.name == "nv12":
            return Picture(luma, _paired(planes[1]), full, wide)
        if len(planes) < 3:
            return Picture(luma, None, full)
        half = ((frame.width + 1) // 2, (frame.height + 1) // 2)
        cb, cr = (_halved(_narrow(_plane(plane, bits), bits), half) for plane in planes[1:3])
        return Picture(luma, (cb, cr), full, wide)

    def _full_range(self, frame: av.VideoFrame) -> bool:
        name = frame.format.name
        if frame.color_range == JPEG_RANGE or name.startswith("yuvj"):
            return True
        gray = name.startswith(("gray", "mono", "ya"))
        return gray and frame.color_range != MPEG_RANGE and self._codec not in FILM_CODECS

    def _wide(self, frame: av.VideoFrame) -> bool:
        return frame.colorspace in WIDE or (frame.colorspace == UNSPECIFIED and frame.height >= HD_HEIGHT)

    def _scale(self, frame: av.VideoFrame, span: int) -> av.VideoFrame:
        """As 8-bit 4:2:0 or gray of the given range; colours by Rec. 601."""
        gray = frame.format.name.startswith(("gray", "mono", "ya"))
        return self._scaler.reformat(
            frame,
            format="gray" if gray else "yuv420p",
            dst_colorspace=ITU601 if frame.format.is_rgb or frame.format.has_palette else None,
            src_color_range=span,
            dst_color_range=span,
            threads=1,
        )


@lru_cache
def _planar(name: str) -> bool:
    """True: the first three planes (or one) are Y, Cb, Cr in this machine's byte order."""
    if name == "nv12":
        return True
    deep = any(component.bits > 8 for component in av.VideoFormat(name).components)
    if not name.startswith(("yuv", "gray")) or (deep and not name.endswith("le")) or name.endswith("f32le"):
        return False
    return name.startswith("gray") or av.VideoFormat(name).is_planar


def _plane(plane: av.video.plane.VideoPlane, bits: int) -> NDArray[np.integer]:
    """(rows, columns) view of one plane without the padding of its lines; uint16 where 8 bits do not do."""
    kind = np.dtype(np.uint8 if bits <= 8 else np.uint16)
    lines = np.frombuffer(plane, kind).reshape(-1, abs(plane.line_size) // kind.itemsize)
    if plane.line_size < 0:  # stored from the bottom up
        lines = lines[::-1]
    return lines[: plane.height, : plane.width]


def _narrow(values: NDArray[np.integer], bits: int) -> Gray:
    """8 bits per value, rounded."""
    if bits <= 8:
        return values  # type: ignore[return-value]  # uint8 by _plane
    return np.asarray(cv2.convertScaleAbs(values, alpha=0.5 ** (bits - 8)), np.uint8)


def _halved(values: Gray, size: tuple[int, int]) -> Gray:
    """A chroma plane in 4:2:0 spacing, (columns, rows) `size`."""
    if values.shape == size[::-1]:
        return values
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.uint8)


def _paired(plane: av.video.plane.VideoPlane) -> tuple[Gray, Gray]:
    """Cb and Cr of nv12, which alternate in one plane."""
    lines = np.frombuffer(plane, np.uint8).reshape(-1, abs(plane.line_size))
    pairs = lines[: plane.height, : 2 * plane.width]
    return np.ascontiguousarray(pairs[:, 0::2]), np.ascontiguousarray(pairs[:, 1::2])


def same(one: Picture, other: Picture) -> bool:
    """True: the very same luma. A coarse grid tells nearly all different pictures apart for free."""
    a, b = one.luma, other.luma
    if a.shape != b.shape or not np.array_equal(a[8::37, 5::29], b[8::37, 5::29]):
        return False
    return bool(cv2.norm(a, b, cv2.NORM_INF) == 0)
