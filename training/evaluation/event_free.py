"""Footage without a micro-expression, generated or real: whatever is found there is a false alarm."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av

from ...engine.errors import MicroauError
from .files import TrueClip
from .spotting import Clip

VIDEOS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v"})


def event_free_clips(paths: Iterable[Path]) -> list[TrueClip]:
    """Videos, and all videos in the folders named, as clips with nothing to find."""
    videos = [video for path in paths for video in _videos(path)]
    names = {video: f"event-free/{k:03d}_{video.stem}" for k, video in enumerate(videos)}
    return [TrueClip(video, _clip(video, name)) for video, name in names.items()]


def _videos(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in VIDEOS) if path.is_dir() else []
    if not found:
        raise MicroauError(f"{path}: no video there")
    return found


def _clip(video: Path, name: str) -> Clip:
    try:
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            rate, seconds = float(stream.average_rate or 0), _seconds(container, stream)
    except (av.FFmpegError, IndexError) as error:
        raise MicroauError(f"{video}: no readable video ({error})") from None
    return Clip(name, name, round(rate, 3), seconds, truth=())


def _seconds(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """Duration as the file says it; counted from the packets where it does not."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return float(container.duration / av.time_base)
    stamps = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
    return float((max(stamps) - min(stamps)) * (stream.time_base or 0)) if stamps else 0.0
