"""Training by folds: nobody on both sides, choices inside the folds, the same result after any stop."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol_cache import put_cache
from safetensors.numpy import load_file
from sklearn.metrics import f1_score

from microau.engine.errors import MicroauError
from microau.engine.regions import REGIONS
from microau.engine.registration import CROP_OED
from microau.training.cli_train import main
from microau.training.datasets.guard import LeakError
from microau.training.evaluation.cli import main as evaluate_main
from microau.training.evaluation.predictions import read_predictions
from microau.training.evaluation.published import by_oracle_epoch
from microau.training.prepare.cache import read_cache
from microau.training.protocol import choose as choosing
from microau.training.protocol.folds import (
    across,
    from_table,
    grouped,
    guarded,
    inner_split,
    leave_one_out,
)
from microau.training.protocol.learner import Job, make_learner
from microau.training.protocol.learners.logistic import region_flow
from microau.training.protocol.learners.resnet18 import ResNet18
from microau.training.protocol.run import Extra, run
from microau.training.protocol.run_folder import read_curves
from microau.training.protocol.samples import Samples, read_samples
from microau.training.protocol.settings import Recipe, Select, Settings, read_settings, settings_of

TINY_CLIP = {
    "pretrained": "random", "trainable_layers": 1, "pta_width": 8, "head_width": 8,
    "sizes": {"width": 16, "visual_width": 32, "visual_layers": 2, "visual_heads": 2, "text_width": 32,
              "text_layers": 2, "text_heads": 2},
}  # fmt: skip
SMALL_STREAM = {"size": 28, "dropout": 0.3}


def quiet(text):
    pass


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return put_cache(tmp_path_factory.mktemp("prepared") / "casme2-x")


@pytest.fixture(scope="module")
def samples(cache):
    return read_samples([cache], units=(1, 4, 12))


def of(cache, learner="logistic", settings=None, protocol=None, recipe=None, select=None):
    return settings_of(
        {
            "data": {"caches": [str(cache)], "units": [1, 4, 12]},
            "learner": {"name": learner, "settings": settings or {}},
            "protocol": protocol or {"kind": "kfold", "folds": 2},
            "recipe": {"epochs": 2} | (recipe or {}),
            "select": select or {},
        }
    )


class TestSamples:
    def test_units_are_those_that_enough_samples_show(self, cache):
        found = read_samples([cache], least=3)
        assert found.units == (1, 4, 12)
        counts = (found.labels == 1).sum(axis=0)
        assert read_samples([cache], least=int(counts.min())).units != found.units

    def test_another_flow_is_refused(self, cache, tmp_path):
        index = json.loads((cache / "index.json").read_text())
        index["settings"]["flow"]["unit"] = 99
        (tmp_path / "index.json").write_text(json.dumps(index))
        with pytest.raises(MicroauError, match="another version's flow"):
            read_samples([tmp_path])

    def test_without_hashes_nothing_is_trained(self, tmp_path):
        folder = put_cache(tmp_path / "old", pictures={"sub01/EP01/10": ()})
        with pytest.raises(MicroauError, match="no hashes"):
            read_samples([folder])


def people_only(sizes):
    """Samples of persons with so many clips each, without any file."""
    names = [f"s{k}" for k, size in enumerate(sizes) for _ in range(size)]
    entries = [
        SimpleNamespace(dataset="casme2", subject=name, key=f"{name}/{i}", pictures=(str(i),))
        for i, name in enumerate(names)
    ]
    labels = np.zeros((len(names), 1), np.int64)
    return Samples(tuple(entries), (Path("x"),) * len(names), (4,), labels, ("",) * len(names))


class TestFolds:
    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.integers(1, 9), min_size=2, max_size=9), st.data())
    def test_folds_are_a_partition_by_person(self, sizes, data):
        some = people_only(sizes)
        k = data.draw(st.integers(2, len(sizes)))
        for folds in (leave_one_out(some), grouped(some, k)):
            tested = np.concatenate([fold.test for fold in folds])
            assert sorted(tested.tolist()) == list(range(len(some)))
            for fold in folds:
                sides = [{some.persons[i] for i in rows} for rows in (fold.train, fold.test)]
                assert not sides[0] & sides[1]
                assert len(fold.train) + len(fold.test) == len(some)
        assert len(leave_one_out(some)) == len(sizes)
        first, second = inner_split(some, 0.25)
        assert not {some.persons[i] for i in first} & {some.persons[i] for i in second}
        assert len(first)
        assert len(second)

    def test_groups_have_about_equally_many_samples(self):
        folds = grouped(people_only([8, 7, 6, 5, 4, 3, 2, 1]), 4)
        assert {len(fold.test) for fold in folds} == {9}

    def test_across_data_sets_the_same_people_are_a_leak(self, tmp_path):
        vis, hs = (put_cache(tmp_path / name, dataset=name, subjects=2) for name in ("smic-vis", "smic-hs"))
        both = read_samples([vis, hs], units=(4,))
        fold = across(both, ["smic-hs"])[0]
        assert {both.entries[i].dataset for i in fold.train} == {"smic-vis"}
        with pytest.raises(LeakError, match="smic/sub01 is in training"):
            guarded(both, fold.train, fold.test)

    def test_across_two_sets(self, tmp_path):
        a, b = put_cache(tmp_path / "a"), put_cache(tmp_path / "b", dataset="samm", seed=1)
        both = read_samples([a, b], units=(4, 12))
        fold = across(both, ["samm"])[0]
        guarded(both, fold.train, fold.test)
        assert len(fold.train) == len(fold.test) == 16

    def test_a_table_of_folds(self, samples, tmp_path):
        table = tmp_path / "folds.csv"
        rows = [
            (e.dataset, e.key, "a" if e.subject in ("sub01", "sub02") else "b") for e in samples.entries
        ]
        table.write_text("dataset,sample,fold\n" + "\n".join(map(",".join, rows)))
        assert [len(fold.test) for fold in from_table(samples, table)] == [8, 8]
        table.write_text("dataset,sample,fold\n" + "\n".join(map(",".join, rows[1:])))
        with pytest.raises(MicroauError, match="sub01/EP01/10 of casme2 has no fold"):
            from_table(samples, table)


class TestLeaks:
    def test_a_planted_frame_stops_the_command(self, tmp_path, capsys):
        """The apex of sub01's second clip is also a frame of sub03."""
        index = read_cache(put_cache(tmp_path / "clean"))
        shared = next(e for e in index.entries if e.key == "sub01/EP02/10").pictures
        leaky = put_cache(tmp_path / "leaky", pictures={"sub03/EP01/10": ("a", shared[1], "b")})
        config = tmp_path / "run.json"
        for cache, status in ((leaky, 2), (tmp_path / "clean", 0)):
            config.write_text(json.dumps(of(cache, "never", protocol={"kind": "loso"}).record()))
            assert main([str(config), "--out", str(tmp_path / f"run{status}")]) == status
            told = capsys.readouterr().err
            assert ("leak: a frame of sub" in told) == bool(status)
        assert not (tmp_path / "run2").exists()  # nothing was trained

    def test_a_subject_on_both_sides_stops_the_command(self, cache, tmp_path, capsys):
        table = tmp_path / "folds.csv"
        keys = [entry.key for entry in read_cache(cache).entries]
        rows = [f"casme2,{key},{k % 2}" for k, key in enumerate(keys)]  # by sample, not by person
        table.write_text("dataset,sample,fold\n" + "\n".join(rows))
        config = tmp_path / "run.json"
        protocol = {"kind": "file", "table": str(table)}
        config.write_text(json.dumps(of(cache, "never", protocol=protocol).record()))
        assert main([str(config), "--out", str(tmp_path / "run")]) == 2
        assert "leak: casme2/sub01 is in training" in capsys.readouterr().err

    def test_labels_of_test_persons_change_nothing_that_is_learned(self, tmp_path):
        """Same pictures, the first fold's labels turned round: same choice, same probabilities."""
        one, other = put_cache(tmp_path / "one"), put_cache(tmp_path / "other")
        index = json.loads((other / "index.json").read_text())
        first = leave_one_out(read_samples([one], units=(1, 4, 12)))[0]
        for k in first.test:
            index["samples"][k]["aus"] = "1+12" if index["samples"][k]["aus"] == "4" else "4"
        (other / "index.json").write_text(json.dumps(index))
        results = []
        for cache in (one, other):
            asked = of(
                cache, "three-stream", SMALL_STREAM, {"kind": "loso", "first": 1},
                select={"epochs": "inner", "grid": {"dropout": [0.0, 0.3]}},
            )  # fmt: skip
            found = run(asked, tmp_path / f"run-{cache.name}", quiet)
            choice = (tmp_path / f"run-{cache.name}/folds/sub01/choice.json").read_text()
            results.append((choice, found.probability, found.decided, found.labels))
        assert results[0][0] == results[1][0]
        np.testing.assert_array_equal(results[0][1], results[1][1])
        np.testing.assert_array_equal(results[0][2], results[1][2])
        assert (results[0][3] != results[1][3]).any()


class TestChoices:
    def test_thresholds_are_those_that_a_search_by_hand_finds(self, samples):
        rng = np.random.default_rng(0)
        probability = np.clip(samples.labels * 0.3 + rng.uniform(0.1, 0.6, samples.labels.shape), 0, 1)
        answer = choosing.Answer(probability, ("",) * len(samples))
        thresholds, score = choosing._thresholds(answer, samples, Select())
        best = []
        for n, threshold in enumerate(thresholds):
            truth = samples.labels[:, n]
            scores = [f1_score(truth, probability[:, n] > t, average="macro", zero_division=0)
                      for t in choosing.GRID]  # fmt: skip
            chosen = f1_score(truth, probability[:, n] > threshold, average="macro", zero_division=0)
            assert chosen == pytest.approx(max(scores))
            best.append(chosen)
        assert score == pytest.approx(np.mean(best))

    def test_a_unit_that_nobody_held_out_shows_is_cut_at_one_half(self, samples):
        none = samples.take(np.flatnonzero(samples.labels[:, 0] == 0))
        answer = choosing.Answer(np.full(none.labels.shape, 0.2), ("",) * len(none))
        assert choosing._thresholds(answer, none, Select())[0][0] == 0.5

    def test_the_best_epoch_is_kept(self, samples):
        right, wrong = samples.labels * 0.8 + 0.1, 0.9 - samples.labels * 0.8
        answers = tuple(choosing.Answer(p, ("",) * len(samples)) for p in (wrong, right, wrong))
        asked = settings_of({"recipe": {"epochs": 3}, "select": {"epochs": "inner", "thresholds": "half"}})
        choice = choosing._judge(answers, samples, {}, asked)
        assert (choice.epochs, choice.score) == (2, 1.0)

    def test_the_grid_takes_the_setting_that_learns(self, cache, tmp_path):
        """A regression that is held at nothing against one that is free."""
        asked = of(cache, "logistic", {"balanced": False}, select={"grid": {"c": [1e-9, 1.0]}})
        run(asked, tmp_path / "run", quiet)
        for path in (tmp_path / "run/folds").glob("*/choice.json"):
            assert json.loads(path.read_text())["values"] == {"c": 1.0}


def weights_of(fitted, folder):
    folder.mkdir(parents=True, exist_ok=True)
    fitted.save(folder)
    return load_file(folder / "weights.safetensors")


class Stop(Exception):
    pass


class TestNetworks:
    def test_the_steps_are_plain_sgd_with_one_drop(self, samples, tmp_path):
        recipe = Recipe(epochs=3, drop_at=2, batch=5, seed=4)
        learner = make_learner("three-stream", {"size": 28}, recipe)
        mine = weights_of(learner.fit(Job(samples, 3)), tmp_path)
        model = learner.build(samples)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        images = torch.from_numpy(samples.images(range(len(samples)), 28))
        labels = torch.from_numpy(samples.labels).float()
        for epoch in range(3):
            for group in optimiser.param_groups:
                group["lr"] = 0.01 if epoch < 2 else 0.001
            order = np.random.default_rng((4, epoch)).permutation(16)
            for rows in (order[:5], order[5:10], order[10:]):  # one sample alone would have no spread
                loss = torch.nn.functional.binary_cross_entropy_with_logits(
                    model(images[rows]), labels[rows]
                )
                optimiser.zero_grad()
                torch.autograd.backward(loss)
                optimiser.step()
        for name, tensor in model.state_dict().items():
            np.testing.assert_allclose(mine[name], tensor.numpy(), atol=1e-6, err_msg=name)

    @pytest.mark.parametrize("stops", [(1,), (2, 3)])
    @pytest.mark.parametrize(("name", "options"), [("three-stream", SMALL_STREAM), ("paper", TINY_CLIP)])
    def test_stopped_and_continued_gives_the_same_bits(
        self, samples, tmp_path, monkeypatch, name, options, stops
    ):
        monkeypatch.setenv("MICROAU_STATE_SECONDS", "0")
        recipe, state = Recipe(epochs=4, drop_at=2), tmp_path / "state.safetensors"
        through = make_learner(name, options, recipe).fit(Job(samples, 4, samples, every_epoch=True))
        for stop in stops:
            torch.rand(stop)  # another process has drawn other numbers
            asked = [0]

            def say(text, stop=stop, asked=asked):
                asked[0] += 1
                if text.startswith(f"epoch {stop + 1}/"):
                    raise Stop

            with pytest.raises(Stop):
                make_learner(name, options, recipe).fit(
                    Job(samples, 4, samples, every_epoch=True, state=state, say=say)
                )
        assert state.exists()
        again = make_learner(name, options, recipe).fit(
            Job(samples, 4, samples, every_epoch=True, state=state)
        )
        one, two = weights_of(through, tmp_path / "one"), weights_of(again, tmp_path / "two")
        assert one.keys() == two.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], two[key])
        assert through.curve == again.curve
        for a, b in zip(through.watched, again.watched, strict=True):
            np.testing.assert_array_equal(a.probability, b.probability)
            assert a.emotion == b.emotion

    def test_frozen_layers_from_the_cache_change_nothing(self, samples, tmp_path):
        got = {}
        for cached in (True, False):
            recipe = Recipe(epochs=2, frozen_cache=cached)
            fitted = make_learner("paper", TINY_CLIP, recipe).fit(Job(samples, 2))
            got[cached] = weights_of(fitted, tmp_path / str(cached)), fitted.answer(samples)
        for key in got[True][0]:
            np.testing.assert_allclose(got[True][0][key], got[False][0][key], atol=2e-6, err_msg=key)
        np.testing.assert_allclose(got[True][1].probability, got[False][1].probability, atol=1e-5)
        assert list((samples.files[0].parent / "frozen").rglob("*.npy"))

    def test_the_cache_knows_other_weights(self, samples):
        def folders():
            return {path.parent.name for path in (samples.files[0].parent / "frozen").rglob("*.npy")}

        make_learner("paper", TINY_CLIP, Recipe(seed=1)).warm(samples, quiet)
        before = folders()
        make_learner("paper", TINY_CLIP, Recipe(seed=2)).warm(samples, quiet)
        make_learner("paper", TINY_CLIP | {"picture": 3.0}, Recipe(seed=1)).warm(samples, quiet)
        make_learner("paper", TINY_CLIP | {"alpha": 0.1}, Recipe(seed=1)).warm(samples, quiet)  # the same
        assert len(folders() - before) == 2

    def test_half_precision_stays_near(self, samples):
        answers = [
            make_learner("three-stream", {"size": 28}, Recipe(epochs=2, precision=precision))
            .fit(Job(samples, 2))
            .answer(samples)
            for precision in ("fp32", "bf16", "fp16")
        ]
        for half in answers[1:]:
            assert np.isfinite(half.probability).all()
            assert 0 < np.abs(half.probability - answers[0].probability).max() < 0.1

    @pytest.mark.parametrize("name", ["three-stream", "resnet18", "logistic"])
    def test_every_baseline_learns_what_it_is_shown(self, samples, name):
        options = {"resnet18": {"size": 64, "width": 8}}.get(name, {})
        fitted = make_learner(name, options, Recipe(epochs=12, batch=4)).fit(Job(samples, 12))
        decided = fitted.answer(samples).probability > 0.5
        assert (decided == samples.labels).mean() > 0.95

    def test_resnet18_is_torchvisions(self):
        from microau.training.towers.library import import_torchvision

        import_torchvision()
        from torchvision.models import resnet18

        torch.manual_seed(0)
        theirs, mine = resnet18(num_classes=3).eval(), ResNet18(3).eval()
        mine.load_state_dict(dict(zip(mine.state_dict(), theirs.state_dict().values(), strict=True)))
        image = torch.randn(2, 3, 96, 96)
        with torch.no_grad():
            np.testing.assert_allclose(mine(image).numpy(), theirs(image).numpy(), atol=1e-5)

    def test_region_flow_is_percent_of_the_eye_distance(self, samples):
        arrays = samples.arrays(0)
        flow = np.broadcast_to(np.array([1.5, -2.0], np.float16), arrays.flow.shape)
        values = region_flow(SimpleNamespace(flow=flow, onset_points=arrays.onset_points))
        k = len(REGIONS)
        np.testing.assert_allclose(values[:k], 150 / CROP_OED, rtol=1e-3)
        np.testing.assert_allclose(values[k : 2 * k], -200 / CROP_OED, rtol=1e-3)
        np.testing.assert_allclose(values[2 * k :], 250 / CROP_OED, rtol=1e-3)


class TestRuns:
    def test_the_folder_holds_everything(self, cache, tmp_path):
        folder = tmp_path / "run"
        asked = of(cache, "three-stream", SMALL_STREAM)
        run(asked, folder, quiet, Extra(keep_weights=True))
        assert settings_of(json.loads((folder / "config.json").read_text())) == asked
        assert json.loads((folder / "versions.json").read_text())["packages"]["torch"].startswith("2.")
        people = json.loads((folder / "folds.json").read_text())
        for fold, sides in people.items():
            assert not set(sides["train"]) & set(sides["test"])
            assert (folder / "folds" / fold / "weights.safetensors").exists()
        found = read_predictions(folder / "predictions.csv")
        assert len(found.sample) == len(set(found.sample)) == 16
        curves = read_curves(folder / "curves.csv")
        assert [(row["fold"], row["epoch"]) for row in curves] == [
            ("fold1", "1"), ("fold1", "2"), ("fold2", "1"), ("fold2", "2")]  # fmt: skip
        assert "As published" in (folder / "report.txt").read_text()
        assert not [p for p in folder.rglob("*") if p.suffix in (".partial", ".pkl", ".pt")]
        assert not list(folder.rglob("state.safetensors"))

    def test_any_number_of_processes_gives_the_same_predictions(self, cache, tmp_path):
        asked = of(cache, "three-stream", SMALL_STREAM)
        one = run(asked, tmp_path / "one", quiet)
        two = run(asked, tmp_path / "two", quiet, Extra(workers=2))
        np.testing.assert_array_equal(one.probability, two.probability)
        texts = [(tmp_path / name / "predictions.csv").read_bytes() for name in ("one", "two")]
        assert texts[0] == texts[1]

    def test_a_folder_of_another_run_is_refused(self, cache, tmp_path):
        run(of(cache, "never"), tmp_path / "run", quiet)
        with pytest.raises(MicroauError, match=r"learner\.name is 'never' there and 'logistic' now"):
            run(of(cache, "logistic"), tmp_path / "run", quiet)

    def test_seeds_decide(self, cache, tmp_path):
        found = [
            run(
                of(cache, "three-stream", SMALL_STREAM, recipe={"seed": seed, "epochs": 1}),
                tmp_path / str(k),
                quiet,
            )
            for k, seed in enumerate((1, 1, 2))
        ]
        np.testing.assert_array_equal(found[0].probability, found[1].probability)
        assert (found[0].probability != found[2].probability).any()

    def test_without_refit_the_watched_model_is_kept(self, cache, tmp_path):
        asked = of(cache, "three-stream", SMALL_STREAM, select={"refit": False})
        run(asked, tmp_path / "run", quiet)
        curves = read_curves(tmp_path / "run/curves.csv")
        assert len(curves) == 4

    def test_watching_the_test_persons_changes_nothing_but_the_published_rows(
        self, cache, tmp_path, capsys
    ):
        plain = run(of(cache, "three-stream", SMALL_STREAM), tmp_path / "plain", quiet)
        asked = of(cache, "three-stream", SMALL_STREAM, select={"oracle": True})
        seen = run(asked, tmp_path / "seen", quiet)
        np.testing.assert_array_equal(plain.probability, seen.probability)
        np.testing.assert_array_equal(plain.decided, seen.decided)
        epochs = load_file(tmp_path / "seen/epochs.safetensors")["probability"]
        np.testing.assert_array_equal(epochs[-1], seen.probability)
        best = []
        for fold in ("fold1", "fold2"):  # by hand: the epoch that does best on that fold's own test persons
            rows = [k for k, name in enumerate(seen.fold) if name == fold]
            means = [
                np.mean([
                    f1_score(seen.labels[rows, n], p[rows, n] > 0.5, average="macro", zero_division=0)
                    for n in range(3)
                ])
                for p in epochs
            ]  # fmt: skip
            best.append(epochs[int(np.argmax(means))][rows] > 0.5)
        pooled, truth = np.concatenate(best), np.concatenate([seen.labels[:8], seen.labels[8:]])
        wanted = np.mean(
            [f1_score(truth[:, n], pooled[:, n], average="macro", zero_division=0) for n in range(3)]
        )
        rows = {c.name: c.f1 for c in by_oracle_epoch(seen, epochs)}
        assert rows["macro F1, epoch chosen for each test fold"] == pytest.approx(wanted)
        assert (
            evaluate_main(["predictions", str(tmp_path / "seen"), "--as-published", "--draws", "10"]) == 0
        )
        assert "epoch chosen for each test fold" in capsys.readouterr().out


class TestKilling:
    def test_killed_at_random_moments_and_started_again_gives_the_same_files(self, cache, tmp_path):
        """The public command, SIGKILL, no warning."""
        asked = of(
            cache,
            "three-stream",
            SMALL_STREAM,
            protocol={"kind": "kfold", "folds": 2, "first": 1},
            recipe={"epochs": 60, "drop_at": 30},
            select={"epochs": "inner"},
        )
        config = tmp_path / "run.json"
        config.write_text(json.dumps(asked.record()))
        run(asked, tmp_path / "through", quiet, Extra(keep_weights=True))
        command = [sys.executable, "-m", "microau.training.cli_train", str(config), "--keep-weights"]
        command += ["--out", str(tmp_path / "killed")]
        environment = os.environ | {"MICROAU_STATE_SECONDS": "0", "OMP_NUM_THREADS": "1"}
        rng = np.random.default_rng(int.from_bytes(os.urandom(4)))
        for _ in range(2):
            with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as job:
                wait_for_a_state(tmp_path / "killed", job)
                time.sleep(float(rng.uniform(0, 0.1)))
                assert job.poll() is None
                job.send_signal(signal.SIGKILL)
        assert not (tmp_path / "killed" / "predictions.csv").exists()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "goes on after epoch" in done.stderr
        fold = "folds/fold1"
        for name in ("predictions.csv", "curves.csv", f"{fold}/choice.json", f"{fold}/weights.safetensors"):
            one, two = (tmp_path / which / name for which in ("through", "killed"))
            assert one.read_bytes() == two.read_bytes(), name


def wait_for_a_state(folder, job):
    """Until the run has written another state of its training."""

    def states():
        found = {}
        for path in folder.rglob("state.safetensors"):
            with contextlib.suppress(FileNotFoundError):
                found[path] = path.stat().st_mtime_ns
        return found

    known = states()
    while not states().items() - known.items():
        assert job.poll() is None, "over before it was killed"
        time.sleep(0.005)


class TestSettings:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("[data]\ncache = ['x']", "unknown setting data.cache; did you mean caches?"),
            ("[dataset]\nx = 1", "unknown table [dataset]"),
            ("[recipe]\nepochs = 'many'", "recipe.epochs must be a whole number, found 'many'"),
            ("[recipe]\nepochs = true", "recipe.epochs must be a whole number"),
            ("[recipe]\nepochs = 0", "recipe.epochs is 0"),
            ("[recipe]\nprecision = 'int8'", "recipe.precision must be one of fp32, bf16, fp16"),
            ("[protocol]\nkind = 'random'", "protocol.kind must be one of loso"),
            ("[learner]\nname = 'vit'", "learner vit: there are paper, resnet18"),
            ("[learner]\nname = 'logistic'\nsettings = { C = 1 }", "unknown setting learner.settings.C"),
            ("[select]\nshare = 2", "select.share is 2"),
            ("[select]\nthresholds = 'half'\nrefit = false", "select.refit"),
            ("[select]\ngrid = { alpha = 1 }", "select.grid"),
            ("[select]\nepochs = 'inner'\nrefit = false", "select.epochs = inner needs refit"),
            ("[protocol]\nkind = 'kfold'\nfolds = 9", "folds is 9: give 2 to 4"),
            ("[protocol]\nkind = 'cross'\ntest = ['samm']", "cross: samples to train on"),
            ("x = ", "no settings"),
        ],
    )
    def test_a_mistake_is_one_line_and_status_2(self, cache, tmp_path, capsys, text, told):
        path = tmp_path / "run.toml"
        data = "" if "[data]" in text else f"[data]\ncaches = ['{cache}']\nunits = [4, 12]\n"
        path.write_text(data + text)
        assert main([str(path), "--out", str(tmp_path / "run")]) == 2
        error = capsys.readouterr().err
        assert told in error
        assert len(error.strip().splitlines()) == 1

    def test_no_file_and_no_photos(self, tmp_path, capsys):
        assert main([str(tmp_path / "none.toml")]) == 2
        assert main([]) == 2
        told = capsys.readouterr().err.splitlines()
        assert "cannot be read" in told[0]
        assert "give a settings file, or --photos" in told[1]

    def test_caches_count_from_the_file(self, tmp_path):
        (tmp_path / "run.toml").write_text("[data]\ncaches = ['cache/x']\n")
        assert read_settings(tmp_path / "run.toml").data.caches == (str(tmp_path / "cache/x"),)

    def test_the_defaults_are_the_papers(self):
        recipe = Settings().recipe
        assert (recipe.epochs, recipe.batch, recipe.drop_at, recipe.drop_by, recipe.seed) == (
            80,
            8,
            40,
            10,
            1,
        )
        assert (recipe.tower_rate, recipe.head_rate) == (0.001, 0.01)
