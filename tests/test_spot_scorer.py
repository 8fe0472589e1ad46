"""Learning a score: trees, folds, thresholds and counts, each against something independent."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from microau.engine.errors import MicroauError
from microau.training import spot_clips
from microau.training import spot_scorer as s
from microau.training.metrics.spotting import score_spotting

RNG = np.random.default_rng(0)


def clip(
    name="c", person="p", truth=(), spans=(), features=None, geometry="photo", minutes=0.1, scores=None
):
    spans = np.array(spans, float).reshape(-1, 2)
    features = np.zeros((len(spans), 2)) if features is None else np.array(features, float)
    truth = np.array(truth, float).reshape(-1, 2)
    judged = np.zeros(len(spans)) if scores is None else np.array(scores, float)
    return spot_clips.Clip(
        name, person, geometry, 200.0, minutes, truth, np.full(len(truth), 2.0), spans, features,
        np.ones(len(spans)), judged, judged,
    )  # fmt: skip


def toy(count=60, seed=0):
    """Clips in which a candidate is right where its first feature is high."""
    rng = np.random.default_rng(seed)
    clips = []
    for k in range(count):
        features = rng.normal(size=(6, 2))
        spans = np.arange(6)[:, None] + np.array([0.1, 0.5])
        right = features[:, 0] + 0.2 * rng.normal(size=6) > 0.8
        clips.append(clip(f"c{k}", f"p{k % 12}", spans[right], spans, features))
    return clips


@pytest.mark.parametrize(("depth", "rows"), [(1, 200), (3, 200), (4, 25)])
def test_trees_give_what_scikit_learn_s_do(depth, rows, monkeypatch):
    """With 25 rows most trees end early."""
    for name, value in (("DEPTH", depth), ("TREES", 20), ("LEAST", 3)):
        monkeypatch.setattr(s, name, value)
    x = RNG.normal(size=(rows, 2))
    right = x[:, 0] + 0.5 * RNG.normal(size=rows) > 0.3
    spans = np.arange(rows)[:, None] + np.array([0.1, 0.5])
    scorer = s.train(("a", "b"), [clip(truth=spans[right], spans=spans, features=x)], {})
    others = RNG.normal(size=(100, 2)).astype(np.float32).astype(float)
    logits = []
    for draw in range(s.DRAWS):
        model = GradientBoostingClassifier(
            n_estimators=20, max_depth=depth, learning_rate=s.RATE, subsample=s.SHARE,
            max_features=s.FEATURES_AT_ONCE, min_samples_leaf=3, random_state=draw,
        ).fit(x, right)  # fmt: skip
        logits.append(model.decision_function(others))
    together = 1 / (1 + np.exp(-np.mean(logits, axis=0)))
    np.testing.assert_allclose(scorer.probabilities(others), together, rtol=1e-9)


def test_it_learns_and_what_it_learned_holds_for_others():
    scorer = s.train(("a", "b"), toy(), {})
    others = toy(seed=1)
    scores = [scorer.probabilities(c.features) for c in others]
    counts = spot_clips.total(others, scores, 0.5)
    assert counts.f1 > 0.85
    assert counts.f1 > spot_clips.total(others, [RNG.random(6) for _ in others], 0.5).f1 + 0.3


def test_scores_come_from_other_persons_alone():
    clips = [*toy(), clip("empty", "p0")]
    persons = s.by_person(clips)
    scores = s.cross_scores(("a", "b"), clips, persons)
    assert [len(one) for one in scores] == [6] * 60 + [0]
    assert spot_clips.total(clips, scores, 0.5).f1 > 0.8
    own = [k for k, fold in enumerate(persons) if fold == 0 and len(clips[k].spans)]
    without = s.cross_scores(
        ("a", "b"), [clips[k] for k in range(len(clips)) if k not in own[1:]],
        [f for k, f in enumerate(persons) if k not in own[1:]],
    )  # fmt: skip
    np.testing.assert_array_equal(scores[own[0]], without[own[0]])


def test_a_blink_takes_from_the_score():
    scorer = s.train(("a", "b"), toy(), {})
    free = clip(spans=[(0, 0.4), (1, 1.4)], features=[(2, 0), (2, 0)])
    blinked = replace(free, unexplained=np.array([1.0, 0.2]))
    whole, part = s.scored(scorer, free), s.scored(scorer, blinked)
    assert part.tolist() == [whole[0], 0.2 * whole[1]]


def test_no_person_is_in_two_folds():
    clips = toy()
    folds = s.by_person(clips)
    for person in {c.person for c in clips}:
        assert len({f for c, f in zip(clips, folds, strict=True) if c.person == person}) == 1
    assert len(set(folds)) == s.FOLDS


def test_counts_are_those_of_the_evaluation():
    """The metric that `microau-evaluate` uses, in milliseconds for frames."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        starts = np.sort(rng.choice(np.arange(0, 8000, 700), 5, replace=False))
        truth = np.stack([starts, starts + 400], axis=1)
        spans = truth[rng.random(5) > 0.3] + rng.integers(-200, 200, (1, 2))
        spans = np.concatenate([spans, [[9000, 9300]]])
        ours = spot_clips.count(clip(truth=truth / 1000, spans=spans / 1000), np.ones(len(spans)), 0.5)
        theirs = score_spotting({"c": [tuple(t) for t in truth]}, {"c": [tuple(f) for f in spans]})
        tp = len(theirs.pairs["c"])
        assert (ours.right, ours.false, ours.true) == (tp, len(spans) - tp, 5)


def test_the_best_of_overlapping_candidates_is_reported():
    one = clip(spans=[(0, 0.4), (0.1, 0.5), (0.6, 0.9)])
    assert spot_clips.reported(one, np.array([0.6, 0.9, 0.7]), 0.5).tolist() == [1, 2]
    assert spot_clips.reported(one, np.array([0.6, 0.9, 0.4]), 0.5).tolist() == [1]


def test_the_operating_point_keeps_the_alarms_rare():
    clips = toy() + [clip(f"f{k}", f"q{k}", spans=[(1, 1.4)], features=[[0.7, 0]]) for k in range(20)]
    scores = [1 / (1 + np.exp(-4 * (c.features[:, 0] - 0.8))) for c in clips]
    strict, loose = (s.operating_point(clips, scores, alarms) for alarms in (0.5, 50.0))
    free = [k for k, c in enumerate(clips) if not len(c.truth)]
    assert spot_clips.total([clips[k] for k in free], [scores[k] for k in free], strict).alarms < 0.5
    assert strict > loose


def test_the_operating_point_becomes_one_half():
    scorer = s.train(("a", "b"), toy(), {})
    moved = s.at_operating_point(scorer, 0.8)
    rows = RNG.normal(size=(300, 2))
    before, after = scorer.probabilities(rows), moved.probabilities(rows)
    assert ((before > 0.8) == (after > 0.5)).mean() > 0.99
    assert (np.argsort(before) == np.argsort(after)).all()


def test_lines_become_clips_and_a_scorer_is_written(tmp_path, capsys):
    lines = []
    for c in toy(30):
        events = [{"kind": "micro", "onset_s": a, "offset_s": b, "amplitude": 2.0} for a, b in c.truth]
        rows = [{"onset": a, "offset": b, "judged": 0.4, "score": 0.6,
                 "features": {"a": f[0], "b": f[1], "blink": 0.0}}
                for (a, b), f in zip(c.spans.tolist(), c.features.tolist(), strict=True)]  # fmt: skip
        truth = {"person": c.person, "geometry": "photo", "fps": 200.0, "events": events}
        lines.append(json.dumps({"clip": c.name, "seconds": 6.0, "truth": truth, "candidates": rows}))
    source, out = tmp_path / "c.jsonl", tmp_path / "scorer.json"
    source.write_text("\n".join(lines))
    assert s.main([str(source), "--out", str(out), "--alarms", "5"]) == 0
    assert json.loads(out.read_text())["names"] == ["a", "b", "blink"]
    assert "learned, all" in capsys.readouterr().out
    other = tmp_path / "p0.jsonl"
    other.write_text("\n".join(line for line in lines if '"person": "p0"' in line))
    less = [str(source), "--ignore", "b", "--without", "p0", "--out", str(out), "--alarms", "5", "--test"]
    assert s.main([*less, str(source)]) == 2
    assert "would be learned from too" in capsys.readouterr().err
    assert s.main([*less, str(other)]) == 0
    assert "other clips:" in capsys.readouterr().out
    assert json.loads(out.read_text())["names"] == ["a"]
    assert json.loads(out.read_text())["about"]["persons"] == 11
    assert s.main(["--test", str(source)]) == 0
    assert "score, all" in capsys.readouterr().out


@pytest.mark.parametrize(("found", "true", "expected"), [((0, 1), (0, 1), 1), ((0, 1), (0.5, 1.5), 1 / 3)])
def test_overlap(found, true, expected):
    assert spot_clips.overlaps(np.array([found], float), np.array([true], float))[0, 0] == pytest.approx(
        expected
    )


def as_line(truth, candidates=()):
    return json.dumps({"clip": "a/b", "seconds": 6.0, "truth": truth, "candidates": list(candidates)})


MICRO = {"kind": "micro", "onset_s": 1.0, "offset_s": 1.4}


def test_an_amplitude_that_nobody_knows_is_none_of_the_bins_and_counts_in_all():
    _, (one,) = spot_clips.read_clips([as_line({"person": "p", "events": [MICRO]})])
    assert spot_clips.count(one, np.zeros(0), 0.5).true == 1
    assert spot_clips.count(one, np.zeros(0), 0.5, (1.5, 4.0)).true == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [("{", "no line of"), ("[]", "no line of"), ('{"clip": "a"}', "no line of"),
     (as_line({"events": [MICRO]}), "a/b: truth or candidates do not say 'person'"),
     (as_line({"person": "p", "events": [{"kind": "micro"}]}), "onset_s")],
)  # fmt: skip
def test_lines_that_cannot_be_learned_from_are_one_line(line, said, tmp_path, capsys):
    path = tmp_path / "own.jsonl"
    path.write_text(line + "\n")
    assert s.main([str(path), "--out", str(tmp_path / "s.json")]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["none.jsonl"], "none.jsonl: cannot be read"), (["--out", "s.json"], "name the candidates"),
     (["own.jsonl"], "no candidates to learn from"), (["own.jsonl", "--without", "q"], "no clip is of q")],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.jsonl").write_text(as_line({"person": "p", "events": [MICRO]}) + "\n")
    assert s.main(arguments) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "s.json").exists()


def test_persons_that_were_learned_from_test_nothing():
    with pytest.raises(MicroauError, match="p1 would be learned from"):
        s._require_others([clip(person="p1"), clip(person="p2")], [clip(person="p1+shape")])
    s._require_others([clip(person="p1")], [clip(person="p3")])


def test_one_person_alone_cannot_judge():
    with pytest.raises(MicroauError, match="two persons"):
        s.by_person([clip(person="p"), clip(person="p+shape")])


def test_alarms_that_no_score_avoids_are_said():
    clips = [clip(spans=[(1, 1.4)], scores=[1.0])]
    with pytest.raises(MicroauError, match="--alarms"):
        s.operating_point(clips, [np.array([1.0])], 0.5)
