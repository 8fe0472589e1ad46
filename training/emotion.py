"""From action units to emotion classes, without emotion labels (Micro-AU CLIP, equation 13).

A class is named by the combinations of units that stand for it. The paper compares the visual
features with one list of sentences per class; a class such as 'negative' has several unrelated
faces (brows lowered, nose wrinkled, corners depressed), which one list would ask for all at once.
So each class has several prototypes and the one most alike counts; with one prototype per class it
is the equation as printed. 'other' has the still face as its only prototype.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from .datasets.emotions import NAMES, emotion_class

Combination = tuple[int, ...]

OBJECTIVE: Mapping[str, tuple[Combination, ...]] = {
    "I": ((6,), (12,), (6, 12), (6, 7, 12), (7, 12)),
    "II": ((1, 2), (5,), (25,), (1, 2, 25), (25, 26), (5, 24)),
    "III": ((23,), (4,), (4, 7), (4, 5), (4, 5, 7), (17, 24), (4, 6, 7), (4, 38)),
    "IV": (
        (10,), (9,), (4, 9), (4, 40), (4, 5, 40), (4, 7, 9), (4, 9, 17), (4, 7, 10), (4, 5, 7, 9), (7, 10),
    ),
    "V": ((1,), (15,), (1, 4), (6, 15), (15, 17)),
    "VI": ((1, 2, 4), (20,)),
}  # fmt: skip
"""Objective classes of Davison, Merghani and Yap (2018), from Merghani, Davison and Yap, "A review on
facial micro-expressions analysis" (2018), table 9. Class VII is everything else."""

THREE: Mapping[str, tuple[str, ...]] = {
    "positive": ("I",),
    "negative": ("III", "IV", "V", "VI"),
    "surprise": ("II",),
}
"""Classes of MEGC 2019 by objective class: happiness; anger, disgust, sadness and fear; surprise."""

EMOTIONS: Mapping[str, Mapping[str, tuple[Combination, ...]]] = {
    # Davison, Merghani and Yap (2018) made the objective classes from these emotions. Contempt has none;
    # AU14 is its unit in EMFACS and in MiE-X (Liu et al., ECCV 2022). 'others' is the still face: what
    # looks like no other class.
    "": {
        "happiness": OBJECTIVE["I"], "surprise": OBJECTIVE["II"], "anger": OBJECTIVE["III"],
        "disgust": OBJECTIVE["IV"], "sadness": OBJECTIVE["V"], "fear": OBJECTIVE["VI"],
        "contempt": ((14,),), "others": ((),),
    },
    # The criteria by which CASME II was labelled (Yan et al., PLoS ONE 2014), as later papers repeat them.
    "casme2": {
        "happiness": ((6,), (12,), (6, 12)),
        "surprise": ((1, 2), (25,), (2,)),
        "disgust": ((9,), (10,), (4, 7), (4, 9)),
        "repression": ((15,), (17,), (24,), (15, 17), (15, 24), (17, 24), (15, 17, 24)),
        "sadness": ((1,), (1, 4)),
        "fear": ((1, 2, 4), (20,)),
        "others": ((),),
    },
}  # fmt: skip
"""Data set ('' any other) -> emotion -> the combinations of units that stand for it."""

OPEN_MOUTH: tuple[Combination, ...] = ((25,), (26,), (25, 26))
"""A smile stays one when the lips part or the jaw drops with it (EMFACS; Ekman, Friesen and Hager,
FACS investigator's guide, 2002): so do its combinations here."""

CONTEMPT: Combination = (14,)
"""AU14 has no objective class of its own; MiE-X (Liu et al., ECCV 2022) reads it as contempt, hence
negative."""


def prototypes(aus: Sequence[int]) -> dict[str, tuple[Combination, ...]]:
    """Class -> combinations that can be made of the given units, 'other' with the empty one.

    >>> prototypes([1, 2, 12, 15])["surprise"]
    ((1, 2),)
    """
    known = set(aus)
    table = {
        name: tuple(
            combination
            for objective in classes
            for combination in OBJECTIVE[objective]
            if known.issuperset(combination)
        )
        for name, classes in THREE.items()
    }
    smiles = [smile for smile in table["positive"] if 12 in smile]
    table["positive"] += tuple(
        (*smile, *mouth) for smile in smiles for mouth in OPEN_MOUTH if known.issuperset(mouth)
    )
    if known.issuperset(CONTEMPT):
        table["negative"] += (CONTEMPT,)
    return {name: sets for name, sets in table.items() if sets} | {"other": ((),)}


def class_table(protocol: str, dataset: str, aus: Sequence[int]) -> dict[str, tuple[Combination, ...]]:
    """Class -> combinations, under a published protocol, made of the units that a model knows.

    protocol  'three', 'four', 'five', 'seven' (`datasets.emotions.CLASSES`), or 'objective': I to VII
    dataset   'casme2', 'samm', ...; '' for any

    Units that the model does not know are taken out of the combinations, as the paper does; what is left
    of one counts only where no other class asks for just that. A class of which nothing is left is not
    in the table: the model cannot say it.

    >>> class_table("three", "samm", [2, 4, 7, 12])["surprise"]
    ((2,),)
    """
    left = {
        name: {combination: tuple(au for au in combination if au in set(aus)) for combination in sets}
        for name, sets in _class_combinations(protocol, dataset).items()
    }
    whole = {combination: name for name, sets in left.items() for combination in sets}
    askers = Counter(rest for sets in left.values() for rest in set(sets.values()))
    table: dict[str, tuple[Combination, ...]] = {}
    for name, sets in left.items():
        mine = [
            rest
            for combination, rest in sets.items()
            if rest == combination or (rest and whole.get(rest, name) == name and askers[rest] == 1)
        ]
        if mine:
            table[name] = tuple(dict.fromkeys(mine))
    return table


def one_list(table: Mapping[str, Sequence[Sequence[int]]]) -> dict[str, tuple[Combination]]:
    """Each class as one list of units, as Eq 13 is printed.

    >>> one_list({"surprise": ((1, 2), (25,))})
    {'surprise': ((1, 2, 25),)}
    """
    return {name: (tuple(sorted({au for unit in sets for au in unit})),) for name, sets in table.items()}


def _class_combinations(protocol: str, dataset: str) -> dict[str, tuple[Combination, ...]]:
    if protocol == "objective":
        return dict(OBJECTIVE) | {"VII": ((),)}
    emotions = EMOTIONS.get(dataset, EMOTIONS[""])
    table: dict[str, tuple[Combination, ...]] = {}
    for emotion in NAMES:
        if name := emotion_class(protocol, dataset, emotion):
            table[name] = table.get(name, ()) + emotions.get(emotion, ())
    return {name: tuple(dict.fromkeys(sets)) for name, sets in table.items() if sets}
