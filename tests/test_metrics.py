"""Each figure against scikit-learn, SciPy or brute force, and by the property that makes it one."""

import doctest
import importlib
import itertools
import pkgutil
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from microau.engine.errors import MicroauError
from microau.training import metrics
from microau.training.metrics import presence
from microau.training.metrics.emotion import accuracy, class_f1, class_recall

MODULES = [f"{metrics.__name__}.{m.name}" for m in pkgutil.iter_modules(metrics.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_docstrings_hold(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.fixture(params=range(5))
def au(request):
    """Labels, scores (with ties) and decisions of 60 samples and four units."""
    rng = np.random.default_rng(request.param)
    labels = (rng.random((60, 4)) < [0.5, 0.2, 0.1, 0.8]).astype(int)
    labels[0], labels[1] = 0, 1
    scores = np.round(np.clip(0.3 * labels + 0.6 * rng.random((60, 4)), 0, 1), 1)
    return labels, scores, (scores > 0.45).astype(int)


def each(figure, first, second, **options):
    return [figure(a, b, **options) for a, b in zip(first.T, second.T, strict=True)]


def test_presence_figures_agree_with_scikit_learn(au):
    labels, scores, decided = au
    np.testing.assert_allclose(metrics.presence_f1(labels, decided), each(sk.f1_score, labels, decided))
    np.testing.assert_allclose(
        metrics.macro_f1(labels, decided), each(sk.f1_score, labels, decided, average="macro")
    )
    np.testing.assert_allclose(metrics.accuracy(labels, decided), each(sk.accuracy_score, labels, decided))
    np.testing.assert_allclose(metrics.auc(labels, scores), each(sk.roc_auc_score, labels, scores))
    np.testing.assert_allclose(
        metrics.average_precision(labels, scores), each(sk.average_precision_score, labels, scores)
    )


def test_a_sample_that_is_not_coded_counts_nowhere(au):
    labels, scores, decided = au
    extra = np.full((7, 4), -1)
    more = np.concatenate([labels, extra])
    for figure, given_ in (
        (metrics.presence_f1, decided),
        (metrics.macro_f1, decided),
        (metrics.accuracy, decided),
        (metrics.auc, scores),
        (metrics.average_precision, scores),
    ):
        np.testing.assert_array_equal(
            figure(more, np.concatenate([given_, np.ones((7, 4))])), figure(labels, given_)
        )


def test_what_is_undefined_is_nan_and_left_out_of_the_mean():
    never, nothing = np.zeros((5, 1), int), np.zeros((5, 1), int)
    assert np.isnan(metrics.presence_f1(never, nothing)).all()
    assert np.isnan(metrics.auc(never, nothing)).all()
    assert np.isnan(metrics.average_precision(never, nothing)).all()
    assert metrics.macro_f1(never, nothing).tolist() == [1.0]
    assert np.isnan(metrics.mean([np.nan]))
    assert metrics.mean([np.nan, 0.25, 0.75]) == 0.5


def test_the_macro_f1_of_never_seeing_anything_is_the_known_trap():
    labels = np.zeros((100, 1), int)
    labels[:15] = 1
    nothing = metrics.all_negative(labels)
    assert metrics.presence_f1(labels, nothing).tolist() == [0.0]
    assert metrics.macro_f1(labels, nothing)[0] == pytest.approx(0.4595, abs=1e-4)
    assert metrics.accuracy(labels, nothing).tolist() == [0.85]


def test_labels_other_than_present_absent_uncoded_are_refused():
    with pytest.raises(ValueError, match="1 present"):
        metrics.presence_f1([[2]], [[1]])
    with pytest.raises(ValueError, match="samples, units"):
        metrics.presence_f1([[1]], [[1], [0]])


@pytest.mark.parametrize("seed", range(5))
def test_emotion_figures_agree_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    truth, called = rng.integers(4, size=50), rng.integers(4, size=50)
    truth[:4] = range(4)
    assert metrics.uf1(truth, called, 4) == pytest.approx(sk.f1_score(truth, called, average="macro"))
    assert metrics.uar(truth, called, 4) == pytest.approx(sk.balanced_accuracy_score(truth, called))
    assert accuracy(truth, called) == sk.accuracy_score(truth, called)
    np.testing.assert_array_equal(
        metrics.confusion(truth, called, 4)[:, :4], sk.confusion_matrix(truth, called, labels=range(4))
    )
    np.testing.assert_allclose(class_f1(truth, called, 4), sk.f1_score(truth, called, average=None))
    np.testing.assert_allclose(class_recall(truth, called, 4), sk.recall_score(truth, called, average=None))


def test_calling_none_of_the_classes_is_a_miss_and_no_false_alarm():
    assert class_f1([0, 0, 1], [0, -1, 1], 2).round(3).tolist() == [0.667, 1.0]
    assert class_recall([0, 0, 1], [0, -1, 1], 2).tolist() == [0.5, 1.0]


def test_pooled_uf1_is_not_the_mean_over_folds():
    truth, called = np.array([0, 0, 1, 1, 0, 1]), np.array([0, 0, 0, 1, 0, 1])
    folds = [metrics.uf1(truth[f], called[f], 2) for f in (slice(0, 2), slice(2, 6))]
    assert metrics.uf1(truth, called, 2) != pytest.approx(np.mean(folds))


@pytest.mark.parametrize(("truth", "called"), [([3], [0]), ([0], [3]), ([0], [-2]), ([0, 1], [0])])
def test_classes_out_of_range_are_refused(truth, called):
    with pytest.raises(ValueError, match=r"classes must lie|one length"):
        metrics.confusion(truth, called, 3)


intervals = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 15)).map(lambda p: (p[0], p[0] + p[1])), max_size=5
)


def frames(interval):
    return set(range(interval[0], interval[1] + 1))


@given(intervals, intervals)
def test_iou_is_that_of_the_sets_of_frames(truth, found):
    iou = metrics.iou_matrix(truth, found)
    assert iou.shape == (len(truth), len(found))
    for (i, a), (j, b) in itertools.product(enumerate(truth), enumerate(found)):
        assert iou[i, j] == pytest.approx(len(frames(a) & frames(b)) / len(frames(a) | frames(b)))


def best_by_trying_all(iou, threshold):
    """Most pairs, then the largest overlap, over every one-to-one assignment."""
    n_truth, n_found = iou.shape
    best = (0, 0.0)
    slots = [*range(n_found), *[None] * n_truth]
    for choice in set(itertools.permutations(slots, n_truth)):
        kept = [iou[i, j] for i, j in enumerate(choice) if j is not None and iou[i, j] >= threshold]
        best = max(best, (len(kept), sum(kept)))
    return best


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=3), st.data())
def test_matching_makes_the_most_pairs_with_the_largest_overlap(truth, data):
    truth = [(a, a + b) for a, b in truth]
    found = [
        (a, a + b)
        for a, b in data.draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=3))
    ]
    pairs = metrics.match(truth, found, 0.3)
    assert len({p.truth for p in pairs}) == len({p.found for p in pairs}) == len(pairs)
    number, overlap = best_by_trying_all(metrics.iou_matrix(truth, found), 0.3)
    assert len(pairs) == number
    assert sum(p.iou for p in pairs) == pytest.approx(overlap)


def test_one_found_interval_serves_one_true_one():
    score = metrics.score_spotting({"v": [(0, 9), (1, 10)]}, {"v": [(0, 10)]})
    assert (score.tp, score.fp, score.fn) == (1, 0, 1)


def test_exactly_half_counts_and_seconds_differ_from_frames():
    assert metrics.score_spotting({"v": [(0, 9)]}, {"v": [(0, 4)]}).tp == 1  # 5 of 10 frames
    assert metrics.score_spotting({"v": [(0.0, 9.0)]}, {"v": [(0.0, 4.0)]}, unit=0).tp == 0  # 4 of 9 s


def test_spotting_is_pooled_and_a_video_without_predictions_keeps_its_misses():
    truth = {"a": [(0, 9)], "b": [(0, 9), (50, 59), (80, 89)], "c": []}
    score = metrics.score_spotting(truth, {"a": [(0, 9)], "c": [(5, 9)]})
    assert (score.tp, score.fp, score.fn) == (1, 1, 3)
    assert (score.precision, score.recall, score.f1) == (1 / 2, 1 / 4, 1 / 3)


def test_predictions_in_an_unknown_video_are_refused_by_name():
    with pytest.raises(MicroauError, match="ghost"):
        metrics.score_spotting({"a": []}, {"ghost": [(0, 9)]})


def test_nothing_to_find_and_nothing_found_is_undefined():
    score = metrics.score_spotting({"a": []}, {})
    assert np.isnan([score.precision, score.recall, score.f1]).all()


def test_strs_is_the_product_of_pooled_spotting_and_recognition():
    truth = {"a": [(0, 9), (20, 29), (40, 49)], "b": [(0, 9)]}
    found = {"a": [(0, 9), (20, 29), (41, 49), (70, 79)]}
    score = metrics.score_spotting(truth, found)
    emotions = {"a": ["positive", "negative", "other"], "b": ["negative"]}
    called = {"a": ["positive", "positive", "negative", "negative"]}
    product, recognition = metrics.strs(score, emotions, called, ("negative", "positive"))
    expected = sk.f1_score([1, 0], [1, 1], average="macro", zero_division=0)  # 'other' is left out
    assert recognition == pytest.approx(expected)
    assert product == pytest.approx(6 / 8 * expected)


def test_strs_is_zero_where_nothing_was_spotted():
    score = metrics.score_spotting({"a": [(0, 9)]}, {})
    product, recognition = metrics.strs(score, {"a": ["positive"]}, {}, ("negative", "positive"))
    assert product == 0
    assert np.isnan(recognition)


def test_the_interval_over_subjects_is_that_of_all_draws():
    """Four subjects: every draw of four with replacement can be written down."""
    hits, subjects = np.array([0.9, 0.8, 0.6, 0.1, 0.2, 0.7, 0.4]), list("aaabbcd")
    rows = [np.flatnonzero(np.array(subjects) == s) for s in "abcd"]
    all_draws = [
        hits[np.concatenate([rows[k] for k in draw])].mean()
        for draw in itertools.product(range(4), repeat=4)
    ]
    estimate = metrics.bootstrap(lambda r: float(hits[r].mean()), subjects, draws=4000)
    assert estimate.value == pytest.approx(hits.mean())
    np.testing.assert_allclose(estimate[1:], np.quantile(all_draws, [0.025, 0.975]), atol=0.02)


def test_clips_of_one_person_do_not_narrow_the_interval():
    """Ten copies of each clip say nothing new about other people."""
    rng = np.random.default_rng(0)
    hits = rng.random(12).round()
    many = np.repeat(hits, 10)
    once = metrics.bootstrap(lambda r: float(hits[r].mean()), list(range(12)))
    ten = metrics.bootstrap(lambda r: float(many[r].mean()), np.repeat(range(12), 10).tolist())
    np.testing.assert_allclose(once, ten)


def test_one_subject_has_no_interval():
    estimate = metrics.bootstrap(lambda r: 0.5, ["a", "a"])
    assert estimate.value == 0.5
    assert np.isnan(estimate[1:]).all()


def test_chance_keeps_the_rates_and_loses_the_link(au):
    labels, scores, decided = au
    assert metrics.chance(metrics.auc, labels, scores, draws=300) == pytest.approx(0.5, abs=0.02)
    rate, called = labels.mean(axis=0), decided.mean(axis=0)
    expected = 2 * rate * called / (rate + called)  # of the expected counts
    assert metrics.chance(metrics.presence_f1, labels, decided, draws=300) == pytest.approx(
        expected, abs=0.03
    )


def test_chance_of_a_unit_that_never_occurs_is_undefined_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = metrics.chance(metrics.auc, np.zeros((4, 1), int), np.arange(4.0)[:, None], draws=3)
    assert np.isnan(drawn).all()


def test_average_precision_does_not_depend_on_the_order_of_tied_scores():
    labels, scores = np.array([[1], [0], [0], [1]]), np.full((4, 1), 0.5)
    assert presence.average_precision(labels, scores).tolist() == [0.5]
    assert presence.average_precision(labels[::-1], scores).tolist() == [0.5]
