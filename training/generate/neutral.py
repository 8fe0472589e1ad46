"""The most neutral picture of a short video: eyes open, mouth shut."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from ...engine.errors import MicroauError
from ...engine.faces import find_faces
from ...engine.landmarks import eye_opening, mouth_opening
from ...engine.records import Picture

FRAMES = 90
"""Frames looked at, from the first one on."""
FORMATS = {"protocol_whitelist": "file", "format_whitelist": "mov,mp4,matroska,webm,avi"}
"""FFmpeg would follow playlists and concatenations otherwise."""


def neutral_frame(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """RGB frame (H, W, 3) and its 478 face points. MicroauError where no face is seen."""
    try:
        with av.open(str(path), options=FORMATS) as file:
            frames = [f.to_ndarray(format="rgb24") for f in islice(file.decode(video=0), 0, FRAMES, 3)]
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise MicroauError(f"{path}: cannot be read as a video ({error})") from None
    seen: list[tuple[float, int, NDArray[np.uint8], NDArray[np.float32]]] = []
    for rgb in frames:
        faces = find_faces(Picture.from_rgb(rgb))
        if faces:
            points = max(faces, key=lambda face: face.oed).points
            seen.append((mouth_opening(points) - min(eye_opening(points)), len(seen), rgb, points))
    if not seen:
        raise MicroauError(f"{path}: no face in its first {FRAMES} frames. Give a frontal, neutral face")
    _, _, rgb, points = min(seen)
    return np.asarray(rgb, np.uint8), points
