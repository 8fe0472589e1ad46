"""What is said about an action unit: one sentence when it moves, one when it does not.

The paper prints the pair for AU4 alone ("The eyebrows are lowering" / "The eyebrows are not
lowering"); the others follow its pattern and FACS's own names. One word tells the states apart, so
that the text tower must learn what "not" means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Phrase:
    """The words of one unit."""

    both: str
    """What moves, with its verb, when both sides or the middle move."""
    one: str
    """The same for one side, named after 'left' or 'right'; '' where the unit has no sides."""
    action: str


PHRASES = {
    1: Phrase("inner brows are", "inner brow is", "rising"),
    2: Phrase("outer brows are", "outer brow is", "rising"),
    4: Phrase("eyebrows are", "eyebrow is", "lowering"),
    5: Phrase("upper eyelids are", "upper eyelid is", "rising"),
    6: Phrase("cheeks are", "cheek is", "rising"),
    7: Phrase("eyelids are", "eyelid is", "tightening"),
    8: Phrase("lips are", "", "moving toward each other"),
    9: Phrase("sides of the nose are", "side of the nose is", "wrinkling"),
    10: Phrase("upper lip is", "upper lip is", "rising"),
    11: Phrase("nasolabial furrows are", "nasolabial furrow is", "deepening"),
    12: Phrase("lip corners are", "lip corner is", "pulling up"),
    13: Phrase("lip corners are", "lip corner is", "pulling up sharply"),
    14: Phrase("lip corners are", "lip corner is", "dimpling"),
    15: Phrase("lip corners are", "lip corner is", "lowering"),
    16: Phrase("lower lip is", "lower lip is", "lowering"),
    17: Phrase("chin is", "", "rising"),
    18: Phrase("lips are", "", "puckering"),
    19: Phrase("tongue is", "", "showing"),
    20: Phrase("lip corners are", "lip corner is", "stretching"),
    21: Phrase("neck is", "", "tightening"),
    22: Phrase("lips are", "", "funneling"),
    23: Phrase("lips are", "", "tightening"),
    24: Phrase("lips are", "", "pressing together"),
    25: Phrase("lips are", "", "parting"),
    26: Phrase("jaw is", "", "dropping"),
    27: Phrase("mouth is", "", "stretching open"),
    28: Phrase("lips are", "", "sucking in"),
    45: Phrase("eyes are", "eye is", "blinking"),
}
"""FACS number -> words, for the units of the upper and lower face and the blink."""
SIDES = {"": "", "L": "left ", "R": "right "}


def sentence(au: int, *, moves: bool = True, side: str = "") -> str:
    """The sentence about a unit; side 'L' or 'R' of the subject, '' for the unit as a whole.

    >>> sentence(4, moves=False)
    'The eyebrows are not lowering'
    >>> sentence(12, side="L")
    'The left lip corner is pulling up'
    """
    phrase = PHRASES[au]
    if side and not phrase.one:
        raise ValueError(f"AU{au} has no sides")
    subject = phrase.one if side else phrase.both
    return f"The {SIDES[side]}{subject} {'' if moves else 'not '}{phrase.action}"


def state_sentences(aus: tuple[int, ...], side: str = "") -> list[tuple[str, str]]:
    """(negative, positive) sentence of each unit: the index is the state, 0 still, 1 moving."""
    return [(sentence(au, moves=False, side=side), sentence(au, side=side)) for au in aus]


def overall(aus: Sequence[int], states: Sequence[int]) -> str:
    """One text about all units at once, as the paper's rival (global OrigCL) has it.

    >>> overall([4, 17], [1, 0])
    'The eyebrows are lowering, the chin is not rising'
    """
    first, *rest = (sentence(au, moves=bool(state)) for au, state in zip(aus, states, strict=True))
    return ", ".join([first, *(text[0].lower() + text[1:] for text in rest)])


PAD = "<pad>"


def vocabulary() -> dict[str, int]:
    """Every word of every sentence -> its number; 0 fills up short sentences."""
    words = {
        word
        for au, phrase in PHRASES.items()
        for side in (SIDES if phrase.one else ("",))
        for word in _words(sentence(au, moves=False, side=side))
    }
    return {PAD: 0} | {word: number for number, word in enumerate(sorted(words), start=1)}


def tokenize(sentences: list[str], words: dict[str, int]) -> NDArray[np.int64]:
    """Word numbers (T, W) of the sentences, filled up with 0; an unknown word is an error."""
    rows = [[words[word] for word in _words(text)] for text in sentences]
    out = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for line, row in zip(out, rows, strict=True):
        line[: len(row)] = row
    return out


def _words(text: str) -> list[str]:
    return text.lower().split()


def markdown_table() -> str:
    """Every sentence of every unit: positive, negative, left and right (positive)."""
    lines = ["| AU | moving | still | one side |", "| --- | --- | --- | --- |"]
    for au, phrase in sorted(PHRASES.items()):
        one = f"{sentence(au, side='L')}; ... right ..." if phrase.one else ""
        lines.append(f"| {au} | {sentence(au)} | {sentence(au, moves=False)} | {one} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown_table())
