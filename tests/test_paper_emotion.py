"""From units to emotion classes: the tables of the protocols, and Eq 13 in both readings."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_paper import paper_inputs, tiny_paper

from microau.engine.errors import MicroauError
from microau.training.datasets.emotions import CLASSES, emotion_class
from microau.training.emotion import EMOTIONS, class_table, one_list
from microau.training.layout import DEFAULT_AUS
from microau.training.model import EmotionByText
from microau.training.paper import CASME2_UNITS, SAMM_UNITS, emotion_of
from microau.training.prompts import PHRASES, markdown_table, sentence

PROTOCOLS = [
    ("three", "casme2"), ("three", "samm"), ("three", ""), ("four", "casme3"), ("five", "casme2"),
    ("five", "samm"), ("five", "mmew"), ("seven", "casme2"), ("seven", "casme3"), ("seven", ""),
    ("objective", ""),
]  # fmt: skip


@pytest.mark.parametrize(("protocol", "dataset"), PROTOCOLS)
def test_classes_are_those_of_the_protocol(protocol, dataset):
    """With every unit known, each class of the labels has a combination, and no other class is there."""
    table = class_table(protocol, dataset, range(1, 50))
    if protocol == "objective":
        assert list(table) == ["I", "II", "III", "IV", "V", "VI", "VII"]
        return
    maps = CLASSES[protocol].get(dataset, CLASSES[protocol].get(""))
    assert set(table) == set(maps.values())


@pytest.mark.parametrize("aus", [CASME2_UNITS, SAMM_UNITS, DEFAULT_AUS])
@pytest.mark.parametrize(("protocol", "dataset"), PROTOCOLS)
def test_a_table_knows_only_the_models_units_and_asks_no_two_classes_for_the_same(protocol, dataset, aus):
    table = class_table(protocol, dataset, aus)
    told = [combination for sets in table.values() for combination in sets]
    assert all(set(combination) <= set(aus) for combination in told)
    assert len(set(told)) == len(told)


def test_ideal_features_give_the_class_of_the_table():
    """Each unit's feature is the very sentence of its state: the class's own combination must win."""
    for protocol, dataset in PROTOCOLS:
        table = class_table(protocol, dataset, DEFAULT_AUS)
        emotion = EmotionByText(DEFAULT_AUS, torch.eye(2)[None].repeat(len(DEFAULT_AUS), 1, 1), table)
        for name, sets in table.items():
            states = torch.tensor([[float(au in units) for au in DEFAULT_AUS] for units in sets])
            features = torch.stack([1 - states, states], dim=-1)  # (P, N, 2)
            assert [list(table)[k] for k in emotion(features).argmax(1)] == [name] * len(sets)


def test_the_papers_three_classes_from_its_units():
    assert class_table("three", "casme2", CASME2_UNITS) == {
        "positive": ((12,),),
        "negative": ((4, 7), (4,), (15,), (17,), (15, 17)),
        "surprise": ((1, 2), (2,)),
    }
    assert class_table("three", "samm", SAMM_UNITS)["surprise"] == ((2,),)


def test_every_emotion_with_units_has_a_class_somewhere():
    for dataset, emotions in EMOTIONS.items():
        for emotion in emotions:
            assert any(emotion_class(p, dataset or "casme3", emotion) or emotion_class(p, "samm", emotion)
                       for p in CLASSES), emotion  # fmt: skip


def test_an_unknown_protocol_is_refused():
    with pytest.raises(MicroauError, match="six: no such class protocol"):
        class_table("six", "casme2", CASME2_UNITS)


@pytest.mark.parametrize("emotion", ["best", "list"])
def test_eq_13_by_hand(emotion):
    model = tiny_paper(emotion=emotion)
    table, aus = class_table("three", "casme2", CASME2_UNITS), model.layout.aus
    with torch.no_grad():
        said = model(*paper_inputs(model, 4))
        got = emotion_of(model, said, table)
        features, text = said.features.double().numpy(), model.text_features().double().numpy()

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    for b in range(4):
        for r, sets in enumerate(table.values()):
            lists = sets if emotion == "best" else [{au for units in sets for au in units}]
            sums = [
                sum(cosine(features[b, n], text[n, int(au in units)]) for n, au in enumerate(aus))
                for units in lists
            ]
            assert float(got[b, r]) == pytest.approx(max(sums) / len(aus), abs=1e-5)


def test_one_list_joins_a_class():
    assert one_list({"a": ((1, 2), (2, 5)), "others": ((),)}) == {"a": ((1, 2, 5),), "others": ((),)}


def test_every_unit_of_facs_up_to_28_has_its_sentences():
    assert set(range(1, 29)) - set(PHRASES) == {3}  # FACS has no AU3
    assert sentence(4) == "The eyebrows are lowering"
    assert sentence(4, moves=False) == "The eyebrows are not lowering"
    with pytest.raises(ValueError, match="AU17 has no sides"):
        sentence(17, side="L")


def test_the_documents_table_of_sentences_is_the_programs():
    page = (Path(__file__).parents[1] / "docs/micro-au-clip.md").read_text(encoding="utf-8")
    assert markdown_table() in page
