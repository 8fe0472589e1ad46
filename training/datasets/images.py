"""Where the pictures of a clip are, whatever the archive was unpacked into.

Every folder below the root that holds images, and every video file, is listed once; a clip is then
looked up by the last parts of its path, case and the ending of a video ignored. So
`CASME2_RAW_selected/CASME2_RAW_selected/sub01/EP02_01f` and `Cropped/sub01/EP02_01f` are both found as
(sub01, EP02_01f), each in its own tree.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from .frames import IMAGES, VIDEOS, Frames, open_frames

TREES = ("selected", "raw", "images", "video", "cropped")
"""Kinds of trees, the preferred one first: whole pictures of the labelled stretch, of the whole
recording, of either (nothing in the path says which), video files, and cropped faces."""

NOT_FACES = ("depth", "flow", "landmark", "mask")
"""Folders of these names hold other things than pictures of the face."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A folder that holds images, or a video file."""

    path: Path
    parts: tuple[str, ...]
    """Path below the root, lower-case, without the ending of a video."""

    @property
    def tree(self) -> str:
        """Which of TREES it belongs to, by the names of the folders above."""
        if self.path.suffix.lower() in VIDEOS:
            return "video"
        names = " ".join(self.parts)
        if "crop" in names:
            return "cropped"
        if "select" in names:
            return "selected"
        return "raw" if "raw" in names else "images"


class Images:
    """All folders with images, and all videos, below a root."""

    def __init__(self, root: Path):
        self.root = root
        self._by_name: dict[str, list[Leaf]] = {}
        self._frames: dict[Path, Frames] = {}
        for leaf in _leaves(root):
            self._by_name.setdefault(leaf.parts[-1], []).append(leaf)

    def __bool__(self) -> bool:
        return bool(self._by_name)

    @property
    def trees(self) -> Counter[str]:
        """How many folders each tree has."""
        return Counter(leaf.tree for leaves in self._by_name.values() for leaf in leaves)

    def all(self) -> list[Leaf]:
        """Every folder and video, by path."""
        return sorted((leaf for leaves in self._by_name.values() for leaf in leaves), key=lambda e: e.parts)

    def find(self, *parts: Collection[str], tree: str = "") -> list[Leaf]:
        """Folders whose path ends in the given parts, each a set of accepted lower-case names.

        tree  one of TREES, '' any; the result is in order of preference
        """
        named = [leaf for name in sorted(parts[-1]) for leaf in self._by_name.get(name, ())]
        fitting = [leaf for leaf in named if _ends_in(leaf.parts, parts) and tree in ("", leaf.tree)]
        return sorted(fitting, key=lambda leaf: (TREES.index(leaf.tree), leaf.parts))

    def frames(self, path: Path) -> Frames:
        """The frames of a leaf; listed once, since several movements may share one long video."""
        if path not in self._frames:
            self._frames[path] = open_frames(path)
        return self._frames[path]

    def starting_with(self, start: str, above: Collection[str], tree: str = "") -> list[Leaf]:
        """Folders whose own name begins with `start` and that lie in one of `above`."""
        names = [name for name in self._by_name if name.startswith(start)]
        return [leaf for name in sorted(names) for leaf in self.find(above, {name}, tree=tree)]


def _ends_in(path: Sequence[str], parts: Sequence[Collection[str]]) -> bool:
    tail = path[-len(parts) :]
    return len(tail) == len(parts) and all(name in names for name, names in zip(tail, parts, strict=True))


def _leaves(root: Path) -> list[Leaf]:
    leaves: list[Leaf] = []
    for folder, below, files in os.walk(root):
        below[:] = sorted(name for name in below if not any(word in name.lower() for word in NOT_FACES))
        parts = tuple(part.lower() for part in Path(folder).relative_to(root).parts)
        if parts and any(Path(name).suffix.lower() in IMAGES for name in files):
            leaves.append(Leaf(Path(folder), parts))
        videos = sorted(name for name in files if Path(name).suffix.lower() in VIDEOS)
        leaves += [Leaf(Path(folder, name), (*parts, Path(name).stem.lower())) for name in videos]
    return leaves
