"""Action units of FACS: name, sides, the mesh points that stand for each, and how these points move.

Points are numbers of the 478-point face mesh. Right and left are the SUBJECT's, as in FACS: the
subject's right is on the picture's left. Each unit is written once, for the right half and the
midline; the left half is its mirror image.

The displacements are those of the full-strength shapes of ICT-FaceKit (MIT), in percent of the
outer-eye-corner distance (OED), x towards the picture's right, y down; where that face has no
anatomical shape (6, 14, 23, 25, 26) they follow the description in the FACS manual. A
micro-expression shows a tenth to a half of them: an explanation compares directions, not lengths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Move = tuple[float, float]

# fmt: off
MIRROR: Mapping[int, int] = {
    # brow, upper and lower edge, from outside to inside; forehead above it
    70: 300, 63: 293, 105: 334, 66: 296, 107: 336, 46: 276, 53: 283, 52: 282, 65: 295, 55: 285,
    104: 333, 69: 299, 108: 337,
    # eye: corners, upper lid, lower lid
    33: 263, 133: 362, 160: 387, 159: 386, 158: 385, 144: 373, 145: 374, 153: 380,
    # below the eye and cheek
    117: 346, 118: 347, 119: 348, 50: 280, 205: 425, 207: 427, 216: 436,
    # nose: root, side, wing, nostril
    193: 417, 114: 343, 198: 420, 129: 358, 64: 294, 98: 327,
    # skin above the upper lip, upper lip, mouth corner, lower lip, inner lips
    167: 393, 165: 391, 92: 322, 37: 267, 39: 269, 40: 270, 61: 291, 78: 308, 57: 287,
    84: 314, 181: 405, 91: 321, 81: 311, 178: 402,
    # chin and jaw
    83: 313, 43: 273, 202: 422, 201: 421, 208: 428, 148: 377, 176: 400, 212: 432,
}
"""Right-hand point -> the left-hand point opposite to it."""
# fmt: on

PLACES: Mapping[int, str] = {
    107: "inner brow",
    105: "middle of the brow",
    70: "outer brow",
    159: "upper eyelid",
    145: "lower eyelid",
    118: "cheek below the eye",
    205: "cheek",
    129: "nose wing",
    39: "upper lip",
    61: "mouth corner",
    181: "lower lip",
    208: "chin",
}
"""Names of the points that an explanation speaks of, right half; `place_name` serves both halves."""

MIDDLE_PLACES: Mapping[int, str] = {
    168: "nose root",
    0: "middle of the upper lip",
    17: "middle of the lower lip",
    199: "chin boss",
    152: "tip of the chin",
}


@dataclass(frozen=True, slots=True)
class ActionUnit:
    """One action unit; the points of the left half mirror those of the right."""

    number: int
    name: str
    """FACS name."""
    sided: bool
    """Can move on one side alone, and is decided for each side."""
    right: tuple[int, ...]
    """Mesh points of the right half whose surroundings show the unit."""
    middle: tuple[int, ...] = ()
    """The same on the midline."""
    moves: Mapping[int, Move] = field(default_factory=dict)
    """Right-hand or midline point -> displacement at full strength, percent OED."""

    @property
    def left(self) -> tuple[int, ...]:
        return tuple(MIRROR[point] for point in self.right)

    @property
    def code(self) -> str:
        """As in the tables: 'AU04'."""
        return f"AU{self.number:02d}"

    def predicted(self) -> dict[int, Move]:
        """Displacement of every point that the unit is known to move, both halves, percent OED."""
        both = dict(self.moves)
        for point, (dx, dy) in self.moves.items():
            if point in MIRROR:
                both[MIRROR[point]] = (-dx, dy)
        return both


_BROW = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55)
_FOREHEAD = (104, 69, 108)
_LIDS = (33, 160, 159, 158, 133, 153, 145, 144)
_CHEEK = (117, 118, 119, 50, 205)
_NOSE = (193, 114, 198, 129, 64, 98)
_UPPER_LIP = (167, 165, 92, 37, 39, 40, 81)
_CORNER = (61, 78, 57, 40, 91)
_CHIN = (83, 201, 208, 148, 176)

_UNITS = (
    ActionUnit(
        1, "Inner brow raiser", True, (*_BROW, *_FOREHEAD), (9, 151),
        {107: (-0.5, -6.2), 55: (-0.5, -6.0), 66: (-0.7, -5.9), 65: (-0.6, -5.0), 105: (-0.3, -3.1)},
    ),
    ActionUnit(
        2, "Outer brow raiser", True, (*_BROW, *_FOREHEAD), (),
        {70: (-1.3, -6.4), 63: (-2.4, -8.5), 105: (-2.4, -8.5), 66: (-1.7, -6.1)},
    ),
    ActionUnit(
        4, "Brow lowerer", True, (*_BROW, 193, 108), (9, 8, 168),
        {105: (5.1, 4.1), 66: (4.2, 3.8), 63: (4.3, 2.7), 107: (2.4, 2.5), 55: (2.4, 2.5)},
    ),
    ActionUnit(
        5, "Upper lid raiser", True, (*_LIDS, 52), (),
        {160: (-0.4, -3.0), 159: (-0.4, -3.3), 158: (-0.4, -3.0)},
    ),
    ActionUnit(
        6, "Cheek raiser", True, (*_CHEEK, 33, 144, 145, 153, 207), (),
        {117: (0.5, -3.2), 118: (0.0, -3.6), 119: (0.0, -3.0), 50: (0.0, -3.4), 205: (0.0, -3.2),
         145: (0.6, -1.5), 33: (1.0, 0.5)},
    ),
    ActionUnit(
        7, "Lid tightener", True, (*_LIDS, 118, 119), (),
        {144: (0.4, -1.8), 145: (0.6, -1.9), 153: (1.0, -2.3), 159: (0.2, 0.8)},
    ),
    ActionUnit(
        9, "Nose wrinkler", True, (*_NOSE, 55, 167, 37, 119), (168, 6),
        {129: (-0.3, -7.0), 64: (-0.5, -8.4), 98: (-0.5, -8.0), 198: (0.3, -5.0), 114: (0.3, -3.0),
         37: (0.0, -8.7), 55: (1.0, 2.0)},
    ),
    ActionUnit(
        10, "Upper lip raiser", True, (*_UPPER_LIP, 129, 64, 216), (0, 164, 13),
        {0: (0.0, -9.3), 37: (-1.5, -9.3), 39: (-2.0, -9.5), 40: (-2.5, -9.7), 165: (-1.5, -7.0)},
    ),
    ActionUnit(
        12, "Lip corner puller", True, (*_CORNER, 216, 205, 207, 50, 212), (0, 17),
        {61: (-7.9, -11.8), 78: (-7.8, -11.0), 57: (-7.9, -11.0), 40: (-6.3, -6.6), 91: (-5.1, -7.6)},
    ),
    ActionUnit(
        14, "Dimpler", True, (*_CORNER, 216, 207, 212, 43, 202), (),
        {61: (-2.9, -2.0), 78: (-2.7, -2.0), 91: (-2.9, -2.7), 207: (2.0, 0.0), 57: (-1.0, -1.0)},
    ),
    ActionUnit(
        15, "Lip corner depressor", True, (*_CORNER, 43, 202, 212, 181), (),
        {61: (-2.1, 5.1), 78: (-2.0, 4.3), 57: (-2.0, 5.0), 40: (-0.9, 2.4), 43: (-1.0, 4.0)},
    ),
    ActionUnit(
        17, "Chin raiser", False, (*_CHIN, 84, 181, 43), (152, 175, 199, 200, 18, 17),
        {152: (0.0, -9.1), 199: (0.0, -9.0), 200: (0.0, -8.8), 18: (0.0, -8.7), 17: (0.0, -8.6),
         208: (0.0, -8.0), 181: (-0.4, -7.9), 84: (-0.2, -8.3)},
    ),
    ActionUnit(
        20, "Lip stretcher", True, (*_CORNER, 43, 202, 212, 207), (17,),
        {61: (-7.4, 3.4), 78: (-7.9, 3.0), 57: (-7.4, 3.2), 91: (-5.1, 1.2), 40: (-4.5, 1.0)},
    ),
    ActionUnit(
        23, "Lip tightener", False, (*_CORNER, 37, 39, 81, 84, 181, 178), (0, 17, 13, 14),
        {61: (3.0, 0.0), 39: (0.5, 1.2), 181: (0.5, -1.2), 0: (0.0, 1.5), 17: (0.0, -1.5)},
    ),
    ActionUnit(
        24, "Lip presser", False, (*_CORNER, 37, 39, 81, 84, 181, 178), (0, 17, 13, 14, 18),
        {0: (0.0, 2.0), 37: (0.0, 2.0), 39: (0.0, 1.8), 17: (0.0, -3.5), 84: (0.0, -3.4), 181: (0.0, -3.0)},
    ),
    ActionUnit(
        25, "Lips part", False, (39, 81, 181, 178, 61, 78, 91), (0, 13, 14, 17, 18, 200),
        {17: (0.0, 4.0), 14: (0.0, 4.0), 84: (0.0, 3.9), 181: (0.0, 3.3), 13: (0.0, -1.0), 0: (0.0, -0.8)},
    ),
    ActionUnit(
        26, "Jaw drop", False, (*_CHIN, 84, 181, 61, 43), (14, 17, 18, 200, 199, 175, 152),
        {152: (0.0, 11.0), 199: (0.0, 11.5), 17: (0.0, 12.0), 14: (0.0, 12.0), 208: (0.0, 10.5),
         181: (0.0, 10.5), 176: (0.0, 8.0), 61: (0.5, 4.0)},
    ),
)  # fmt: skip

UNITS: Mapping[int, ActionUnit] = {unit.number: unit for unit in _UNITS}
"""FACS number -> unit, ascending."""


def place_name(point: int) -> str:
    """Name of a mesh point in words a FACS coder uses, '' for a point without one.

    >>> place_name(61), place_name(291), place_name(0)
    ('right mouth corner', 'left mouth corner', 'middle of the upper lip')
    """
    if point in MIDDLE_PLACES:
        return MIDDLE_PLACES[point]
    if point in PLACES:
        return f"right {PLACES[point]}"
    rights = [right for right, left in MIRROR.items() if left == point and right in PLACES]
    return f"left {PLACES[rights[0]]}" if rights else ""
