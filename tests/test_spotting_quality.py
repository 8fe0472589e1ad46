"""A small fixed part of the spotting figures, so that they cannot fall unseen: one face, eight clips.

A photograph that no rule and no scorer was made with, filmed as a good camera does (CRF 12 to 20), every
confound at once; and three clips in which it blinks, talks and sways, and does nothing else.
"""

import cv2
import numpy as np
import pytest

from microau.stream.spotting import SpotConfig, Spotter
from microau.training.generate.chance import CONFOUNDS
from microau.training.motion_tracks import Plan, gather, make
from microau.training.spot_clips import overlaps
from microau.training.spotter_recipe import KINDS, ROUNDS, SERIES, plans

data = pytest.importorskip("skimage.data")
CALM = ("blink", "speech", "sway")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    cv2.imwrite(str(folder / "astronaut.png"), cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR))
    return folder


@pytest.fixture(scope="module")
def acted(photos):
    return clips(photos, 8, 5.0, 3, tuple(CONFOUNDS))


@pytest.fixture(scope="module")
def calm(photos):
    return clips(photos, 3, 8.0, 0, CALM)


def clips(photos, count, seconds, events, confounds):
    plan = Plan(
        photos, None, "all", count, (200.0,), seconds, events, (1.5, 4.0), confounds, None, 11, (12, 20)
    )
    cast = gather(plan)
    return [make(plan, cast, number) for number in range(count)]


def counts(made, scorer):
    """(true, right, false) with one to one at an IoU of 0.5."""
    true = right = false = 0
    for motions, truth in made:
        spotter = Spotter(SpotConfig(scorer=scorer))
        windows = [window for motion in motions for window in spotter.push(motion)] + spotter.flush()
        told = np.array([(w.onset.time, w.offset.time) for w in windows]).reshape(-1, 2)
        micro = [e for e in truth["events"] if e["kind"] == "micro"]
        acted = np.array([(e["onset_s"], e["offset_s"]) for e in micro]).reshape(-1, 2)
        pairs = overlaps(told, acted) >= 0.5
        true, right = true + len(acted), right + int(pairs.any(axis=0).sum())
        false += int((~pairs.any(axis=1)).sum())
    return true, right, false


@pytest.mark.parametrize("scorer", ["learned", "judged"])
def test_movements_are_found_and_little_else(acted, scorer):
    """On 2026-11-26 learned 23 right and 2 false, judged 23 and 0."""
    true, right, false = counts(acted, scorer)
    assert true == 24
    assert 2 * right / (true + right + false) > 0.89


@pytest.mark.parametrize("scorer", ["learned", "judged"])
def test_blinks_and_speech_alone_are_nothing(calm, scorer):
    assert counts(calm, scorer)[2] <= 1


def test_the_recipe_has_its_clips(tmp_path):
    """964 clips; each set with a seed of its own."""
    sets = list(plans(tmp_path))
    assert sum(plan.clips for _, plan in sets) == 964
    assert len({plan.seed for _, plan in sets}) == len({name for name, _ in sets}) == len(sets)
    assert len(sets) == len(SERIES) * (len(KINDS) + (ROUNDS - 1) * 4)
    assert {plan.half for _, plan in sets} == {"A"}
