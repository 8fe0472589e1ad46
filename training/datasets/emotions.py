"""Emotion labels: one spelling, and the class maps of the published protocols, with their sources.

Only labels are mapped here. Which emotion follows from which action units is `training.emotion`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ...engine.errors import MicroauError


class Labelled(Protocol):
    """What a class depends on: a `Sample`, or an entry of a prepared cache."""

    @property
    def dataset(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def clip(self) -> str: ...
    @property
    def emotion(self) -> str: ...
    @property
    def objective(self) -> int | None: ...


NAMES = (
    "happiness", "disgust", "surprise", "sadness", "fear", "anger", "contempt", "repression", "tense",
    "positive", "negative", "others",
)  # fmt: skip
"""Every label that occurs in the sets, in the spelling used here."""

SPELLINGS: Mapping[str, str] = {
    "happy": "happiness", "happyiness": "happiness", "sad": "sadness", "angry": "anger",
    "surprised": "surprise", "fearful": "fear", "disgusted": "disgust", "other": "others",
    "tension": "tense", "repressed": "repression", "pos": "positive", "neg": "negative", "sur": "surprise",
    "po": "positive", "ne": "negative", "su": "surprise",
}  # fmt: skip
"""How the label files write them."""


def emotion_name(written: str) -> str:
    """The spelling used here; '' for an empty cell. ValueError for a word that is none of NAMES.

    >>> emotion_name(" Happyiness"), emotion_name("Other"), emotion_name("")
    ('happiness', 'others', '')
    """
    word = written.strip().lower()
    name = SPELLINGS.get(word, word)
    if name and name not in NAMES:
        raise ValueError(f"emotion {written!r} is not known")
    return name


THREE = ("negative", "positive", "surprise")
FOUR = ("negative", "positive", "surprise", "others")
SEVEN = ("happiness", "surprise", "anger", "disgust", "fear", "sadness", "contempt")
OBJECTIVE = ("I", "II", "III", "IV", "V")

Map = Mapping[str, str]


def _to(**classes: str) -> dict[str, str]:
    """Class -> 'emotion emotion' turned round: emotion -> class."""
    return {emotion: name for name, emotions in classes.items() for emotion in emotions.split()}


_NEGATIVE = "negative anger contempt disgust fear sadness"

CLASSES: Mapping[str, Mapping[str, Map]] = {
    # MEGC 2019 (See et al., FG 2019): the composite of 442 samples and 68 subjects. CASME II's sadness,
    # fear and others are left out there; repression is negative.
    "three": {
        "casme2": _to(negative="disgust repression", positive="happiness", surprise="surprise"),
        "": _to(negative=_NEGATIVE, positive="positive happiness", surprise="surprise"),
    },
    # CAS(ME)^3 (Li et al., TPAMI 2022): the three classes, and others.
    "four": {
        "": _to(negative=_NEGATIVE, positive="positive happiness", surprise="surprise", others="others"),
    },
    # CASME II: Yan et al. 2014, sadness and fear left out. SAMM: the five largest (as in Xia et al.,
    # 2020 and after). MMEW: Ben et al. 2021 use six; here its five largest.
    "five": {
        "casme2": _to(disgust="disgust", happiness="happiness", repression="repression",
                      surprise="surprise", others="others"),
        "samm": _to(anger="anger", contempt="contempt", happiness="happiness", surprise="surprise",
                    others="others"),
        "mmew": _to(happiness="happiness", surprise="surprise", disgust="disgust", fear="fear",
                    others="others"),
    },
    # CAS(ME)^3 Part A: six basic emotions and others. CASME II: all seven labels that occur.
    "seven": {
        "casme3": _to(happiness="happiness", surprise="surprise", disgust="disgust", fear="fear",
                      anger="anger", sadness="sadness", others="others"),
        "casme2": _to(happiness="happiness", surprise="surprise", disgust="disgust", fear="fear",
                      sadness="sadness", repression="repression", others="others"),
        "": {name: name for name in SEVEN},
    },
}  # fmt: skip
"""Protocol -> data set ('' any other) -> emotion -> class. An emotion that is not there is left out."""

OBJECTIVE_NAMES: Mapping[int, str] = {1: "I", 2: "II", 3: "III", 4: "IV", 5: "V", 6: "VI", 7: "VII"}
"""Objective classes, from the units alone (Davison et al. 2018). MEGC 2018 uses I to V."""


def emotion_class(protocol: str, dataset: str, emotion: str) -> str | None:
    """Class of an emotion under a protocol; None where the protocol leaves it out.

    protocol  'three', 'four', 'five' or 'seven'

    >>> emotion_class("three", "casme2", "repression"), emotion_class("three", "casme2", "sadness")
    ('negative', None)
    """
    if protocol not in CLASSES:
        raise MicroauError(f"{protocol}: no such class protocol; there are {', '.join(CLASSES)}, objective")
    maps = CLASSES[protocol]
    if dataset not in maps and "" not in maps:
        raise MicroauError(f"no {protocol}-class protocol is published for {dataset}")
    return maps.get(dataset, maps.get("", {})).get(emotion)


LEFT_OUT: Mapping[str, frozenset[tuple[str, str, str]]] = {
    "three": frozenset({
        ("casme2", "sub04", "EP12_01f"), ("casme2", "sub05", "EP12_03f"), ("casme2", "sub24", "EP02_07"),
    }),
}  # fmt: skip
"""Clips (data set, subject, file name) that the protocol's own list does not hold (MEGC 2019)."""

PROTOCOLS = (*CLASSES, "objective")


def label_of(sample: Labelled, protocol: str) -> str | None:
    """Class of a sample under one of PROTOCOLS; None where the protocol leaves it out."""
    if protocol == "objective":
        return objective_class(sample.objective)
    if (sample.dataset, sample.subject, sample.clip) in LEFT_OUT.get(protocol, ()):
        return None
    return emotion_class(protocol, sample.dataset, sample.emotion)


def objective_class(number: int | None) -> str | None:
    """Class name of the five of MEGC 2018; None for VI, VII and where none was coded.

    >>> objective_class(3), objective_class(7), objective_class(None)
    ('III', None, None)
    """
    name = OBJECTIVE_NAMES.get(number or 0)
    return name if name in OBJECTIVE else None
