"""The evaluator: planted hits, misses and mistakes come out as what they are."""

import csv
import dataclasses
import doctest
import importlib
import json
import pkgutil
from pathlib import Path

import numpy as np
import pytest
from dataset_folders import put_frames, put_video

from microau.engine.errors import MicroauError
from microau.training import evaluation
from microau.training.datasets.registry import load
from microau.training.evaluation.breakdown import (
    by_amplitude,
    by_confound,
    by_rate,
    by_unit,
    causes,
    event_free,
    threshold_curve,
    timing,
)
from microau.training.evaluation.cli import main
from microau.training.evaluation.files import read_events, read_truths
from microau.training.evaluation.judgement import judge_emotions, judge_units
from microau.training.evaluation.long_videos import dataset_clips
from microau.training.evaluation.predictions import Predictions, read_predictions, write_predictions
from microau.training.evaluation.published import GRID, as_published, oracle_decisions
from microau.training.evaluation.runner import Job, run_all
from microau.training.evaluation.spotting import (
    Clip,
    Confound,
    Movement,
    f1_interval,
    keep_found,
    score_clips,
)
from microau.training.evaluation.units import numbers, score_emotions, score_sides, score_units
from microau.training.metrics import presence


def movement(onset_s, units=(), emotion="", amplitude=1.0, score=0.9, flags=(), shift_s=0.0, fps=200):
    """A movement of 100 ms to the apex and 200 ms after it, found `shift_s` too late."""
    times = [onset_s + shift_s, onset_s + 0.1 + shift_s, onset_s + 0.3 + shift_s]
    frames = [round(time * fps) for time in times]
    return Movement(
        *frames, *times, units=units, emotion=emotion, amplitude=amplitude, score=score, flags=flags
    )


def clip(name, truth=(), found=(), confounds=(), subject="s", rate=200.0, duration_s=60.0):
    return Clip(name, subject, rate, duration_s, tuple(truth), tuple(confounds), tuple(found))


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(evaluation.__path__)])
def test_the_examples_of_the_docstrings_hold(name):
    module = importlib.import_module(f"{evaluation.__name__}.{name}")
    assert doctest.testmod(module).failed == 0


class TestSpotting:
    def test_timing_in_milliseconds_found_minus_true(self):
        truth = [movement(k) for k in range(1, 8)]
        found = [movement(k, shift_s=0.01) for k in range(1, 8)]
        for moment in timing(score_clips([clip("a", truth, found)])):
            assert moment.median == pytest.approx(10)
            assert moment.median_abs == pytest.approx(10)
            assert moment.p90_abs == pytest.approx(10)

    def test_false_alarms_per_minute_on_event_free_footage(self):
        clips = [
            clip("still", found=[movement(5), movement(9)], duration_s=90),
            clip("event", truth=[movement(1)], found=[movement(1), movement(20)]),
        ]
        row = event_free(score_clips(clips))
        assert (row.true, row.fp, row.minutes) == (0, 2, 1.5)
        assert row.fp_per_minute == pytest.approx(4 / 3)

    def test_rows_of_a_breakdown_add_up(self):
        rng = np.random.default_rng(0)
        clips = [
            clip(
                f"c{k}",
                truth=[movement(t, amplitude=rng.uniform(0.5, 4)) for t in (1, 3, 5)],
                found=[movement(t) for t in (1, 3, 7) if rng.random() < 0.7],
                rate=[30.0, 200.0][k % 2],
            )
            for k in range(20)
        ]
        outcome = score_clips(clips)
        for rows in (by_amplitude(outcome), by_rate(outcome)):
            assert sum(row.true for row in rows) == 60
            assert sum(row.tp for row in rows) == outcome.score.tp
            assert sum(row.fp for row in rows) == outcome.score.fp

    def test_amplitude_bins_know_what_was_missed(self):
        truth = [movement(1, amplitude=1.0), movement(3, amplitude=2.0), movement(5, amplitude=2.2)]
        rows = by_amplitude(score_clips([clip("a", truth, [movement(3), movement(5), movement(6)])]))
        assert [(row.name, row.true, row.tp, row.fp) for row in rows] == [
            ("0.8-1.5 %", 1, 0, 0),
            ("1.5-2.5 %", 2, 2, 1),
        ]

    def test_confounds_of_the_clip(self):
        clips = [
            clip("a", [movement(1)], [movement(1)]),
            clip("b", [movement(1)], [], [Confound("blink", 3, 3.2), Confound("noise")]),
        ]
        rows = {row.name: row for row in by_confound(score_clips(clips))}
        assert {name: row.recall for name, row in rows.items()} == {"none": 1.0, "blink": 0.0, "noise": 0.0}

    def test_false_alarms_are_explained(self):
        truth = [movement(1), movement(5)]
        found = [
            movement(1),
            movement(1, shift_s=0.12),  # the same movement again
            movement(5, shift_s=0.25),  # too late to count
            movement(10.1),  # on a blink
            movement(20),
        ]
        outcome = score_clips([clip("a", truth, found, [Confound("blink", 10, 10.2)])])
        assert outcome.score.tp == 1
        assert causes(outcome) == {"twice": 1, "badly timed": 1, "blink": 1, "nothing": 1}

    def test_only_the_least_score_is_kept(self):
        found = [movement(1, score=0.2), movement(5, score=0.8)]
        curve = dict(threshold_curve([clip("a", [movement(5)], found)], [0.0, 0.5, 0.9]))
        assert [(curve[s].tp, curve[s].fp) for s in (0.0, 0.5, 0.9)] == [(1, 1), (1, 0), (0, 0)]

    def test_keep_found_leaves_the_truth(self):
        kept = keep_found(
            [clip("a", [movement(1)], [movement(1, flags=("macro",))])], lambda m: not m.flags
        )
        assert (len(kept[0].truth), len(kept[0].found)) == (1, 0)

    def test_the_interval_is_over_subjects(self):
        """Good on half of the people: between nothing and everything, however many clips each has."""
        clips = [
            clip(f"{s}{k}", [movement(1)], [movement(1)] if s < 4 else [], subject=f"s{s}")
            for s in range(8)
            for k in range(20)
        ]
        estimate = f1_interval(score_clips(clips))
        assert estimate.value == pytest.approx(2 / 3)
        assert estimate.low <= 0.4
        assert estimate.high > 0.85

    def test_recall_by_unit(self):
        truth = [movement(1, ("4", "L12")), movement(3, ("4",)), movement(5, ("1",))]
        rows = by_unit(score_clips([clip("a", truth, [movement(1), movement(5)])]))
        assert {row.name: (row.true, row.tp) for row in rows} == {
            "AU1": (1, 1),
            "AU4": (2, 1),
            "AU12": (1, 1),
        }


class TestNaming:
    def test_units_given_spotting_and_through_the_whole_pipeline(self):
        truth = [movement(1, ("4",)), movement(3, ("4", "7")), movement(5, ("12",))]
        found = [movement(1, ("4",)), movement(3, ("4",)), movement(9, ("12",))]
        scores = {u.unit: u for u in score_units(score_clips([clip("a", truth, found)]))}
        assert scores[4].given == 1.0
        assert scores[4].whole == 1.0
        assert scores[7].given == 0.0
        assert np.isnan(scores[12].given)  # neither true nor decided where something was spotted
        assert scores[12].whole == 0.0  # missed once, invented once
        assert {unit: u.true for unit, u in scores.items()} == {4: 2, 7: 1, 12: 1}

    def test_spotting_less_cannot_raise_the_score_of_the_whole(self):
        truth = [movement(k, ("4",)) for k in range(1, 6)]
        found = [movement(k, ("4",)) for k in range(1, 6)]
        whole = [score_units(score_clips([clip("a", truth, found[:n])]))[0].whole for n in range(1, 6)]
        assert whole == sorted(whole)
        assert whole[-1] == 1.0

    def test_sides(self):
        truth = [
            movement(k, units) for k, units in enumerate((("L12",), ("R14",), ("L4",), ("1",), ("7",)), 1)
        ]
        found = [
            movement(k, units) for k, units in enumerate((("L12",), ("L14",), ("4",), ("R1",), ("7",)), 1)
        ]
        side = score_sides(score_clips([clip("a", truth, found)]))
        assert (side.right, side.wrong, side.both, side.invented, side.two_sided) == (1, 1, 1, 1, 2)
        assert side.accuracy == pytest.approx(1 / 3)

    def test_both_sides_written_apart_are_both(self):
        assert numbers(["L12", "R12", "4"]) == {12: "", 4: ""}

    def test_emotions_and_strs_leave_other_out_of_recognition(self):
        truth = [
            movement(1, emotion="positive"),
            movement(3, emotion="other"),
            movement(5, emotion="negative"),
        ]
        found = [movement(1, emotion="positive"), movement(3, emotion="positive")]
        scores = score_emotions(score_clips([clip("a", truth, found)]))
        assert (scores.samples, scores.uf1) == (1, 1.0)
        assert scores.strs == pytest.approx(4 / 5)


COLUMNS = [
    "event_id",
    "face_id",
    "onset_frame",
    "apex_frame",
    "offset_frame",
    "onset_s",
    "apex_s",
    "offset_s",
    "score",
    "aus",
    "emotion",
    "emotion_score",
    "flags",
    "AU01_p",
    "AU12_p",
]


def put_clip(folder, results, name, truth, found, subject="s1"):
    """A video with its truth, and the events that were found in it."""
    folder.mkdir(parents=True, exist_ok=True)
    put_video(folder / f"{name}.mp4", 3)
    moments = ("onset", "apex", "offset")
    events = [
        {
            "kind": "micro",
            **{f"{m}_frame": getattr(one, m) for m in moments},
            **{f"{m}_s": getattr(one, f"{m}_s") for m in moments},
            "aus": list(one.units),
            "amplitude": one.amplitude,
            "emotion": one.emotion,
        }
        for one in truth
    ]
    events.append({**(events or [{}])[0], "kind": "macro", "onset_s": 8.0, "offset_s": 9.5})
    record = {"video": f"{name}.mp4", "subject": subject, "fps": 200, "duration_s": 30, "events": events}
    (folder / f"{name}.truth.json").write_text(json.dumps(record), encoding="utf-8")
    out = results / name
    out.mkdir(parents=True)
    with (out / "events.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for k, one in enumerate(found):
            frames = [getattr(one, m) for m in moments]
            times = [getattr(one, f"{m}_s") for m in moments]
            last = ["+".join(one.units), one.emotion, 0.5, ";".join(one.flags), 0.9, ""]
            table.writerow([k, 0, *frames, *times, one.score, *last])


class TestFiles:
    def test_what_was_written_is_read(self, tmp_path):
        truth = movement(1, ("1", "L12"), "positive", amplitude=1.8)
        found = movement(1, ("1",), "surprise", flags=("blink", "head"), shift_s=0.005)
        put_clip(tmp_path / "set", tmp_path / "out", "a", [truth], [found])
        (read,) = read_truths(tmp_path / "set")
        assert read.clip.name == "a"
        assert read.clip.truth[0] == dataclasses.replace(truth, score=read.clip.truth[0].score)
        assert read.clip.confounds == (Confound("macro", 8.0, 9.5),)
        (event,) = read_events(tmp_path / "out" / "a" / "events.csv")
        assert (event.frames, event.units, event.flags) == (found.frames, ("1",), ("blink", "head"))
        assert event.probabilities == {"AU01": 0.9}

    def test_a_truth_that_points_out_of_its_folder_is_refused(self, tmp_path):
        put_clip(tmp_path / "set", tmp_path / "out", "a", [movement(1)], [])
        path = tmp_path / "set" / "a.truth.json"
        path.write_text(path.read_text(encoding="utf-8").replace("a.mp4", "../x.mp4"), encoding="utf-8")
        with pytest.raises(MicroauError, match="no truth as documented"):
            read_truths(tmp_path / "set")


class TestCommand:
    @pytest.fixture
    def folder(self, tmp_path):
        truth = [movement(1, ("12",), "positive", 1.8), movement(3, ("4",), "negative", 1.0)]
        found = [movement(1, ("12",), "positive"), movement(6, flags=("macro",))]
        put_clip(tmp_path / "set" / "s1", tmp_path / "out" / "s1", "a", truth, found, "s1")
        put_clip(tmp_path / "set" / "s2", tmp_path / "out" / "s2", "b", truth, found[:1], "s2")
        return tmp_path

    def run(self, capsys, *arguments):
        status = main(list(map(str, arguments)))
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    def test_the_page(self, folder, capsys):
        status, page, _ = self.run(capsys, "spotting", folder / "set", "--events", folder / "out")
        assert status == 0
        assert "2 videos of 2 subjects pooled: F1 0.667" in page  # macro is left out by default
        assert "1.5-2.5 %     2            2      0      1.000   1.000  1.000" in page

    def test_flagged_movements_can_be_counted_in(self, folder, capsys):
        _, page, _ = self.run(capsys, "spotting", folder / "set", "--events", folder / "out", "--without")
        assert "F1 0.571" in page

    def test_every_mistake_can_be_listed(self, folder, capsys):
        arguments = ["spotting", folder / "set", "--events", folder / "out", "--without", "--list"]
        _, page, _ = self.run(capsys, *arguments)
        mistakes = page[page.index("Mistakes") :]
        assert "missed  s1/a  3.000-3.300 s  4  1.00 %" in mistakes
        assert "false   s1/a  6.000-6.300 s  no unit  score 0.90  macro" in mistakes

    def test_the_figures_for_a_program(self, folder, capsys):
        _, text, _ = self.run(capsys, "spotting", folder / "set", "--events", folder / "out", "--json")
        record = json.loads(text)
        assert record["f1"]["value"] == pytest.approx(2 / 3)
        assert record["all"]["all"]["recall"] == 0.5
        assert record["amplitude"]["1.5-2.5 %"]["f1"] == 1.0
        assert record["event_free"]["event-free clips"]["f1"] is None
        assert record["units"]["AU12"]["f1_given"] == 1.0

    def test_rates_can_be_chosen(self, folder, capsys):
        status, _, error = self.run(
            capsys, "spotting", folder / "set", "--events", folder / "out", "--rate", 30
        )
        assert status == 2
        assert "nothing to score" in error

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["nowhere"], "no such folder"),
            (["out"], "no truth.json in it"),
            (["set", "--events", "nowhere"], "no such folder of results"),
            (["set", "--events", "set"], "run `microau-stream` on the clip first"),
            (["--event-free", "nowhere"], "no video there"),
        ],
    )
    def test_a_mistake_is_one_line_and_status_2(self, folder, capsys, monkeypatch, arguments, told):
        monkeypatch.chdir(folder)
        status, page, error = self.run(capsys, "spotting", *arguments)
        assert (status, page) == (2, "")
        assert told in error
        assert error.count("\n") == 1

    def test_what_the_command_says_is_passed_on(self, tmp_path):
        (tmp_path / "text.mp4").write_text("no video", encoding="utf-8")
        with pytest.raises(
            MicroauError, match=r"microau-stream failed on .*text\.mp4 with status 2: microau"
        ):
            list(run_all([Job(tmp_path / "text.mp4", 25.0, tmp_path / "out")], workers=1))


class TestLongVideos:
    def test_labels_of_a_data_set_are_the_truth(self, tmp_path):
        """Frame 8 is missing: the 9th picture of the folder is frame 10, place 8 from 0."""
        put_frames(tmp_path / "long/v1", [n for n in range(1, 41) if n != 8], "{}.png")
        put_frames(tmp_path / "long/v2", range(1, 11), "{}.png", first=200)
        text = "Subject,Filename,Onset,Apex,Offset,Action Units,Emotion,Type,Rate\n"
        text += "anna,v1,10,12,15,L12B+4?,happiness,micro,20\n"
        text += "anna,v1,20,25,38,6+12,happiness,macro,20\n"
        text += "ben,v2,2,4,,1,others,micro,20\n"
        (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
        first, second = (one.clip for one in dataset_clips(load("plain", tmp_path)))
        (one,) = first.truth
        assert (one.frames, one.apex, one.onset_s) == ((8, 13), 10, 0.4)
        assert (one.units, one.emotion, first.duration_s) == (("L12", "4"), "positive", 39 / 20)
        assert first.confounds == (Confound("macro", 0.9, 1.8),)
        assert second.truth[0].frames == (1, 3)  # the apex stands for an unknown offset
        assert second.truth[0].emotion == "other"


@pytest.fixture
def predictions():
    rng = np.random.default_rng(3)
    n = 80
    labels = (rng.random((n, 3)) < [0.3, 0.5, 0.15]).astype(int)
    labels[5, 0] = -1
    probability = np.clip(0.4 * labels + 0.55 * rng.random((n, 3)), 0, 1)
    subjects = tuple(f"s{k % 8}" for k in range(n))
    emotion = tuple(rng.choice(["negative", "positive", ""], n))
    called = tuple(rng.choice(["negative", "positive"], n))
    decided = (probability > 0.6).astype(int)
    names = tuple(map(str, range(n)))
    return Predictions(
        ("casme2",) * n,
        subjects,
        names,
        subjects,
        (1, 4, 12),
        labels,
        probability,
        decided,
        emotion,
        called,
    )


class TestPredictions:
    def test_the_table_is_read_back_exactly(self, predictions, tmp_path):
        write_predictions(tmp_path / "p.csv", predictions)
        again = read_predictions(tmp_path / "p.csv")
        for field in dataclasses.fields(Predictions):
            np.testing.assert_array_equal(getattr(again, field.name), getattr(predictions, field.name))

    def test_figures_are_those_of_the_metrics(self, predictions):
        table = judge_units(predictions, draws=50)
        expected = presence.presence_f1(predictions.labels, predictions.decided)
        np.testing.assert_array_equal(table.values[:, 0], expected)
        assert table.means[0].value == pytest.approx(expected.mean())
        assert table.means[0].low <= table.means[0].value <= table.means[0].high
        assert table.never[0] == 0.0
        assert table.never[3] == 0.5
        assert table.by_chance[3] == pytest.approx(0.5, abs=0.03)

    def test_emotions_leave_out_samples_without_one(self, predictions):
        table = judge_emotions(predictions, draws=50)
        assert table.classes == ("negative", "positive")
        assert sum(table.counts) == sum(bool(name) for name in predictions.emotion_true)
        assert table.largest[1] == 0.5  # UAR of always calling one of two classes

    def test_thresholds_chosen_on_the_test_are_never_worse_and_say_so(self, predictions):
        honest, oracle = (
            next(c for c in as_published(predictions) if text in c.name)
            for text in ("macro F1, threshold 0.5", "chosen on the test samples")
        )
        assert 0.5 in GRID
        assert oracle.f1 >= honest.f1

    def test_the_oracle_is_the_best_of_its_grid(self, predictions):
        best = presence.macro_f1(
            predictions.labels, oracle_decisions(predictions.labels, predictions.probability)
        )
        for step in GRID:
            decided = (predictions.probability > step).astype(int)
            assert (best >= presence.macro_f1(predictions.labels, decided) - 1e-12).all()

    def test_the_page(self, predictions, tmp_path, capsys):
        write_predictions(tmp_path / "p.csv", predictions)
        arguments = ["predictions", str(tmp_path / "p.csv"), "--as-published", "--draws", "50"]
        assert main(arguments) == 0
        page = capsys.readouterr().out
        assert page.startswith("80 samples of 8 subjects, 8 folds pooled")
        assert "never" in page
        assert "chance" in page
        assert "thresholds chosen on the test samples (AU-LLM)" in page

    @pytest.mark.parametrize(
        ("text", "told"),
        [("", "no column dataset"), ("dataset,subject,sample,fold\n", "no row"), (None, "no such file")],
    )
    def test_a_file_that_is_none(self, tmp_path, capsys, text, told):
        path = tmp_path / "p.csv"
        if text is not None:
            path.write_text(text, encoding="utf-8")
        assert main(["predictions", str(path)]) == 2
        assert told in capsys.readouterr().err

    def test_shapes_that_do_not_fit_are_refused(self, predictions):
        with pytest.raises(ValueError, match="decided is"):
            dataclasses.replace(predictions, decided=predictions.decided[:, :2])


def test_the_public_command_is_run_on_a_clip_and_scored(tiny_bundle, tmp_path, capsys):
    """The sample clip that lies in the repository, through `microau-stream` in a process of its own."""
    samples = Path(__file__).parents[1] / "samples"
    model = ["--option=--model", f"--option={tiny_bundle}"]
    arguments = ["spotting", str(samples), "--keep", str(tmp_path), "--workers", "1", "--json", *model]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert "1/1 astronaut.mp4" in printed.err
    figures = json.loads(printed.out)["all"]["all"]
    truth = json.loads((samples / "astronaut.truth.json").read_text(encoding="utf-8"))
    micro = [event for event in truth["events"] if event["kind"] == "micro"]
    assert figures["true"] == len(micro)
    assert figures["tp"] + figures["fp"] == len(read_events(tmp_path / "astronaut" / "events.csv"))
    assert figures["tp"] > 0
