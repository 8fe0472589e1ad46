"""From FFmpeg's frame to Picture: planes are viewed where they lie, converted only where they must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ...engine.records import Gray, Picture

if TYPE_CHECKING:
    import av

MPEG_RANGE, JPEG_RANGE = 1, 2  # AVColorRange
BT709, UNSPECIFIED = 1, 2  # AVColorSpace
HD_HEIGHT = 720
"""Untagged pictures of at least this height are taken as Rec. 709, as players do."""
PLANAR = ("yuv420p", "yuvj420p")
VIDEO_CODECS = ("h264", "hevc", "av1", "vp8", "vp9", "mpeg1video", "mpeg2video", "mpeg4")
"""Codecs whose untagged gray is 16..235; still-picture codecs and raw video run 0..255."""


def to_picture(frame: av.VideoFrame, codec: str = "") -> Picture:
    """The picture of a decoded frame, upright as stored (no rotation applied).

    The planes are views: they keep the frame's memory alive and stay valid after the next one.
    """
    name = frame.format.name
    full = frame.color_range == JPEG_RANGE or name.startswith("yuvj")
    if name.startswith("gray"):
        full = full or (frame.color_range != MPEG_RANGE and codec not in VIDEO_CODECS)
    bt709 = frame.colorspace == BT709 or (frame.colorspace == UNSPECIFIED and frame.height >= HD_HEIGHT)
    if frame.format.is_rgb or name == "pal8":
        full, bt709 = True, False
    frame = _convert(frame, full)
    if frame.format.name == "gray":
        return Picture(plane(frame, 0), None, full_range=full)
    if frame.format.name == "nv12":
        luma, (cb, cr) = plane(frame, 0), _interleaved(frame)
    else:
        luma, cb, cr = (plane(frame, i) for i in range(3))
    return Picture(luma, (cb, cr), full_range=full, bt709=bt709)


def _convert(frame: av.VideoFrame, full: bool) -> av.VideoFrame:
    """The frame itself where its planes can be used, else as 8-bit 4:2:0 or gray of the same range."""
    name = frame.format.name
    if name in (*PLANAR, "nv12", "gray") and all(p.line_size > 0 for p in frame.planes):
        return frame
    target = "gray" if name.startswith(("gray", "mono")) else "yuv420p"
    if frame.format.is_rgb or name == "pal8":
        return frame.reformat(format=target, dst_colorspace="itu601", dst_color_range="jpeg")
    span = "jpeg" if full else "mpeg"
    return frame.reformat(format=target, src_color_range=span, dst_color_range=span)


def plane(frame: av.VideoFrame, index: int) -> Gray:
    """(rows, columns) view of one 8-bit plane, without the padding at the end of each line."""
    source = frame.planes[index]
    lines = np.frombuffer(source, np.uint8).reshape(-1, source.line_size)
    return lines[: source.height, : source.width]


def _interleaved(frame: av.VideoFrame) -> tuple[Gray, Gray]:
    source = frame.planes[1]
    pairs = np.frombuffer(source, np.uint8).reshape(-1, source.line_size)
    pairs = pairs[: source.height, : 2 * source.width]
    return np.ascontiguousarray(pairs[:, 0::2]), np.ascontiguousarray(pairs[:, 1::2])


def same(one: Picture, other: Picture) -> bool:
    """True: the very same luma. A coarse grid tells nearly all different pictures apart for free."""
    a, b = one.luma, other.luma
    if a.shape != b.shape or not np.array_equal(a[8::37, 5::29], b[8::37, 5::29]):
        return False
    return bool(cv2.norm(a, b, cv2.NORM_INF) == 0)
