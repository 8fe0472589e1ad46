"""Samples on disk, who may see them, and what varying them may change."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microau.engine.errors import MicroauError
from microau.engine.flow_image import FlowSpec
from microau.training.augment import Variation, mirrored, vary
from microau.training.fit import Recipe, label, opposite
from microau.training.flow_samples import FlowSamples, read_shard, read_shards, write_shard
from microau.training.layout import DEFAULT_AUS, Layout
from microau.training.splits import split

LAYOUT = Layout.of(DEFAULT_AUS)
MIRROR = opposite(LAYOUT)
NOTHING = Variation(**{entry.name: 0.0 for entry in dataclasses.fields(Variation)})


def samples(persons=("photo/a", "photo/b"), n=6, seed=0) -> FlowSamples:
    rng = np.random.default_rng(seed)
    return FlowSamples(
        flow=rng.normal(size=(n, 112, 112, 2)).astype(np.float16),
        points=rng.uniform(0, 224, (n, 478, 2)).astype(np.float32),
        amplitude=rng.uniform(0, 3, (n, 2, 2)).astype(np.float32),
        person=rng.integers(0, len(persons), n).astype(np.int32),
        aus=(4, 12),
        persons=persons,
        spec=FlowSpec(),
    )


def one(seed=0):
    rng = np.random.default_rng(seed)
    flow = rng.normal(size=(112, 112, 2)).astype(np.float32)
    points = rng.uniform(0, 223, (len(LAYOUT.landmarks), 2)).astype(np.float32)
    return flow, points, rng.uniform(0, 3, (len(DEFAULT_AUS), 2)).astype(np.float32)


def test_a_shard_comes_back_whole(tmp_path):
    path, kept = tmp_path / "a.safetensors", samples()
    write_shard(kept, path)
    back = read_shard(path)
    for entry in dataclasses.fields(FlowSamples):
        np.testing.assert_array_equal(getattr(back, entry.name), getattr(kept, entry.name))
    assert list(tmp_path.iterdir()) == [path]


def test_several_shards_share_one_list_of_persons(tmp_path):
    one, two = samples(("photo/a", "photo/b")), samples(("photo/b", "ict/1"), seed=1)
    write_shard(one, tmp_path / "1.safetensors")
    write_shard(two, tmp_path / "2.safetensors")
    both = read_shards(sorted(tmp_path.iterdir()))
    names = [both.persons[i] for i in both.person]
    assert names == [one.persons[i] for i in one.person] + [two.persons[i] for i in two.person]
    assert set(both.of(["photo/b"]).person) == {both.persons.index("photo/b")}


def test_shards_of_another_flow_are_refused(tmp_path):
    write_shard(samples(), tmp_path / "1.safetensors")
    write_shard(dataclasses.replace(samples(), spec=FlowSpec(unit=3.0)), tmp_path / "2.safetensors")
    with pytest.raises(MicroauError, match="unit"):
        read_shards(sorted(tmp_path.iterdir()))


@given(st.sets(st.text(min_size=1, max_size=5), min_size=5, max_size=40), st.randoms())
def test_nobody_is_on_two_sides_of_a_split(names, random):
    names = {f"photo/{name.replace('/', '')}" for name in names}
    shuffled = sorted(names)
    random.shuffle(shuffled)
    parts = split(shuffled)
    assert sorted([*parts.train, *parts.validation, *parts.test]) == sorted(names)
    assert parts == split(names)
    assert len(parts.validation) == len(parts.test) == round(0.2 * len(names))


def test_every_source_gives_its_share():
    names = [f"{source}/{n}" for source, count in (("photo", 40), ("face3d", 10)) for n in range(count)]
    parts = split(names)
    for part, photos, heads in ((parts.train, 24, 6), (parts.validation, 8, 2), (parts.test, 8, 2)):
        sources = [name.partition("/")[0] for name in part]
        assert (sources.count("photo"), sources.count("face3d")) == (photos, heads)


def test_no_variation_changes_nothing():
    flow, points, amplitude = one()
    varied = vary(flow, points, amplitude, MIRROR, np.random.default_rng(0), NOTHING)
    for before, after in zip((flow, points, amplitude), varied, strict=True):
        np.testing.assert_allclose(after, before, atol=1e-4)


def test_the_mirror_of_the_mirror_is_the_sample():
    sample = one()
    for before, after in zip(sample, mirrored(*mirrored(*sample, MIRROR), MIRROR), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-4)


def test_in_the_mirror_the_left_corner_is_the_right_one():
    flow, points, amplitude = one()
    right, left = (LAYOUT.landmarks.index(p) for p in (61, 291))
    flow[:] = 0
    points[right] = (60, 150)
    x, y = 60 // 2, 150 // 2
    flow[y, x] = (-2, -1)  # the subject's right corner goes outwards and up
    seen, places, turned = mirrored(flow, points, amplitude, MIRROR)
    np.testing.assert_allclose(places[left], (223 - 60, 150))
    np.testing.assert_allclose(seen[75, 111 - 30], (2, -1))
    np.testing.assert_allclose(turned, amplitude[:, ::-1])


def test_amplitude_follows_the_gain():
    flow, points, amplitude = one()
    louder = dataclasses.replace(NOTHING, gain=0.5)
    seen, _, told = vary(flow, points, amplitude, MIRROR, np.random.default_rng(3), louder)
    factor = float(told[0, 0] / amplitude[0, 0])
    assert factor != pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(seen, flow * factor, atol=1e-4)


def test_a_turned_crop_turns_motion_and_landmarks_alike():
    """A flow that grows from the middle stays one: its vectors turn with the picture."""
    y, x = np.mgrid[:112, :112].astype(np.float32)
    flow = np.stack([x - 55.5, y - 55.5], axis=-1)
    _, points, amplitude = one()
    turned = dataclasses.replace(NOTHING, turn=20.0)
    seen, moved, _ = vary(flow, points, amplitude, MIRROR, np.random.default_rng(2), turned)
    np.testing.assert_allclose(seen[30:80, 30:80], flow[30:80, 30:80], atol=0.1)
    assert np.abs(moved - points).max() > 5


def test_what_a_turn_leaves_over_is_nothing_that_the_head_fit_would_have_taken():
    """On the face no shift, growth or shear of the picture explains any of it."""
    turned = dataclasses.replace(NOTHING, depth=2.0)
    still = np.zeros((112, 112, 2), np.float32)
    _, points, amplitude = one()
    seen, _, _ = vary(still, points, amplitude, MIRROR, np.random.default_rng(1), turned)
    assert np.abs(seen).max() > 0.1
    y, x = np.mgrid[-1:1:112j, -1:1:112j]
    face = (x / 0.75) ** 2 + ((y + 0.1) / 0.8) ** 2 < 1
    plane = np.column_stack([np.ones(face.sum()), x[face], y[face]])
    explained = plane @ np.linalg.lstsq(plane, seen[face], rcond=None)[0]
    assert (explained**2).sum() < 0.25 * (seen[face] ** 2).sum()


def test_a_backdrop_moves_and_the_face_before_it_does_not():
    behind = dataclasses.replace(NOTHING, backdrop=1.0)
    still = np.zeros((112, 112, 2), np.float32)
    _, points, amplitude = one()
    for seed in range(8):
        seen, _, _ = vary(still, points, amplitude, MIRROR, np.random.default_rng(seed), behind)
        assert np.abs(seen[35:75, 35:77]).max() < 1e-3
        assert np.abs(seen[-8:, :8]).max() > 0.05


def test_labels_leave_out_what_is_neither():
    amplitude = np.array([[[0.0, 0.1], [0.3, 0.3], [0.6, 2.0], [0.0, 2.0], [0.45, 2.0]]], np.float32)
    sided = np.array([True, True, True, True, True])
    recipe = Recipe(moves=0.5, still=0.2, one_sided=0.25)
    labels, known, sides, side_known = label(amplitude, sided, recipe)
    assert labels.tolist() == [[0, 0, 1, 1, 1]]
    assert known.tolist() == [[True, False, True, True, True]]
    assert sides[0].tolist() == [[0, 0], [0, 0], [1, 1], [0, 1], [0, 1]]
    assert side_known[0].tolist() == [
        [True, True],
        [False, False],
        [True, True],
        [True, True],
        [True, True],
    ]
