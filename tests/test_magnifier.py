"""The learned magnification: scenes with exact truth, training that resumes exactly, weights that load."""

import dataclasses

import cv2
import numpy as np
import pytest
import torch

from microau.engine.errors import MicroauError
from microau.training.cli_data import main
from microau.training.magnifier import scenes
from microau.training.magnifier.apply import LearnedMagnifier, load_magnifier
from microau.training.magnifier.network import Magnifier
from microau.training.magnifier.scenes import SceneConfig, draw_scene, draw_texture, read_pictures
from microau.training.magnifier.train import MagnifierRecipe, losses, train

TINY = MagnifierRecipe(steps=6, batch=2, every=2, rate=1e-3, scene=SceneConfig(size=32, pieces=2))


@pytest.fixture(autouse=True)
def _one_thread():
    """Nets this small are slower on several threads, and much slower on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def weights(path):
    return {name: tensor.numpy() for name, tensor in load_magnifier(path).state_dict().items()}


class TestNetwork:
    def test_parameters_are_those_of_the_weights_that_circulate(self):
        """`magnet_epoch12_loss7.28e-02.pth` has 3,528,201 bytes: these floats and 16 kB of names."""
        model = Magnifier()
        assert sum(p.numel() for p in model.parameters()) * 4 == 3_511_872
        names = set(model.state_dict())
        assert len(names) == 42
        assert {
            "encoder.cba_1.conv2d.weight",
            "encoder.resblks.2.cba_2.conv2d.weight",
            "encoder.texture_cba.conv2d.weight",
            "encoder.motion_resblks.1.cba_1.conv2d.weight",
            "manipulator.g.conv2d.weight",
            "manipulator.h_conv.conv2d.weight",
            "manipulator.h_resblk.cba_1.conv2d.weight",
            "decoder.resblks.8.cba_2.conv2d.weight",
            "decoder.cba_2.conv2d.weight",
        } <= names

    def test_shapes_follow_the_picture(self):
        model = Magnifier()
        code = model.encoder(torch.zeros(2, 3, 32, 48))
        assert code.texture.shape == (2, 32, 8, 12)
        assert code.shape.shape == (2, 32, 16, 24)
        assert model(torch.zeros(2, 3, 32, 48), torch.zeros(2, 3, 32, 48), torch.ones(2)).shape == (
            2,
            3,
            32,
            48,
        )

    def test_without_motion_or_without_alpha_the_manipulator_does_nothing(self):
        torch.manual_seed(0)
        manipulator = Magnifier().manipulator
        a, b = torch.randn(2, 1, 32, 8, 8)
        torch.testing.assert_close(manipulator(b, b, torch.tensor(7.0)), b)
        torch.testing.assert_close(manipulator(a, b, torch.tensor(0.0)), b)
        assert not torch.allclose(manipulator(a, b, torch.tensor(2.0)), b)

    def test_each_sample_has_its_own_alpha(self):
        torch.manual_seed(0)
        model, a, b = Magnifier(), *torch.randn(2, 2, 3, 16, 16)
        both = model(a, b, torch.tensor([1.0, 4.0]))
        torch.testing.assert_close(both[1:], model(a[1:], b[1:], torch.tensor([4.0])), atol=1e-5, rtol=1e-4)


class TestScenes:
    def test_the_same_numbers_give_the_same_scene(self):
        one, two = (draw_scene(np.random.default_rng(5), SceneConfig()) for _ in range(2))
        for field in dataclasses.fields(one):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name))

    def test_shifts_are_exact_fractions_of_a_pixel(self):
        """A wave of the padded picture's own period, moved by 0.3 pixels: known in closed form."""
        columns = np.indices((64, 64))[1]
        omega = 2 * np.pi / 24  # four periods in 96 pixels, mirrored at the border onto itself
        wave = np.cos(omega * (columns + 0.5))[..., None].astype(np.float32)
        moved = scenes._moved(wave, 0.3, 0.0)[20:-20, 20:-20, 0]
        expected = np.cos(omega * (columns - 0.3 + 0.5))[20:-20, 20:-20]
        assert np.abs(moved - expected).max() < 0.02

    def test_the_truth_has_one_plus_alpha_times_the_motion(self):
        layers = [
            (draw_texture(np.random.default_rng(1), 64), np.ones((64, 64, 1), np.float32), (0.4, -0.2)),
        ]
        truth = scenes._render(layers, 1 + 4.0)
        by_hand = scenes._moved(layers[0][0], 0.4 * 5, -0.2 * 5)
        np.testing.assert_allclose(truth, np.clip(by_hand, 0, 255), atol=1e-3)

    def test_pictures_stay_in_range_and_motion_within_its_limit(self):
        for seed in range(10):
            scene = draw_scene(np.random.default_rng(seed), SceneConfig(magnified=6, alpha=20))
            assert scene.alpha <= 20
            for name in ("a", "b", "c", "truth", "truth_c"):
                picture = getattr(scene, name)
                assert picture.shape == (3, 96, 96)
                assert picture.min() >= -1
                assert picture.max() <= 1

    def test_photographs_are_cut_never_enlarged(self, tmp_path):
        cv2.imwrite(str(tmp_path / "small.png"), np.zeros((20, 20, 3), np.uint8))
        cv2.imwrite(str(tmp_path / "large.png"), np.full((40, 60, 3), 77, np.uint8))
        (picture,) = read_pictures(tmp_path, 32)
        assert picture.shape == (40, 60, 3)
        scene = draw_scene(np.random.default_rng(0), SceneConfig(size=32, noise=0), [picture])
        np.testing.assert_allclose(scene.truth, 77 / 127.5 - 1, atol=1e-5)
        with pytest.raises(MicroauError, match="no picture of at least 64 pixels"):
            read_pictures(tmp_path, 64)


class TestTraining:
    def test_killed_and_resumed_gives_identical_weights(self, tmp_path):
        list(train(TINY, tmp_path / "whole.safetensors"))
        run = train(TINY, tmp_path / "killed.safetensors")
        assert [next(run).number for _ in range(3)] == [1, 2, 3]
        run.close()  # after step 3; the checkpoint is of step 2
        again = [step.number for step in train(TINY, tmp_path / "killed.safetensors")]
        assert again == [3, 4, 5, 6]
        whole, resumed = weights(tmp_path / "whole.safetensors"), weights(tmp_path / "killed.safetensors")
        for name, tensor in whole.items():
            np.testing.assert_array_equal(resumed[name], tensor)

    def test_a_checkpoint_of_another_recipe_is_refused(self, tmp_path):
        list(train(TINY, tmp_path / "m.safetensors"))
        with pytest.raises(MicroauError, match="another recipe"):
            next(train(dataclasses.replace(TINY, rate=2e-3), tmp_path / "m.safetensors"))

    def test_it_learns(self):
        """The same few scenes again and again: the distance to the truth falls."""
        torch.manual_seed(0)
        model = Magnifier()
        config = SceneConfig(size=32, pieces=2)
        few = [draw_scene(np.random.default_rng(k), config) for k in range(2)]
        optimiser = torch.optim.Adam(model.parameters(), 5e-4)
        history = []
        for _ in range(50):
            loss, picture = losses(model, few, 0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            history.append(picture.item())
        assert history[-1] < 0.6 * history[0]


class TestWeights:
    @pytest.fixture
    def trained(self, tmp_path):
        path = tmp_path / "m.safetensors"
        list(train(dataclasses.replace(TINY, steps=1), path))
        return path

    def test_a_gray_crop_in_and_out(self, trained):
        magnify = LearnedMagnifier(trained, 3)
        still = np.random.default_rng(0).integers(0, 256, (64, 48), np.uint8)
        moved = magnify(still, np.roll(still, 1, axis=1))
        assert moved.shape == (64, 48)
        assert moved.dtype == np.uint8

    def test_circulating_weights_of_several_gpus_load(self, trained, tmp_path):
        state = load_magnifier(trained).state_dict()
        torch.save({f"module.{name}": tensor for name, tensor in state.items()}, tmp_path / "m.pth")
        for name, tensor in weights(tmp_path / "m.pth").items():
            np.testing.assert_array_equal(tensor, state[name].numpy())

    def test_other_files_are_refused_in_one_line(self, tmp_path):
        torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "other.pth")
        torch.save([1, 2], tmp_path / "list.pth")
        (tmp_path / "text.pth").write_text("no weights", encoding="utf-8")
        (tmp_path / "text.safetensors").write_text("no weights", encoding="utf-8")
        for name, told in (
            ("other.pth", "no weights of this network"),
            ("list.pth", "holds list"),
            ("text.pth", "no readable weights"),
            ("text.safetensors", "no readable weights"),
            ("nowhere.pth", "no such weights"),
        ):
            with pytest.raises(MicroauError, match=told) as caught:
                load_magnifier(tmp_path / name)
            assert "\n" not in str(caught.value)

    def test_a_file_that_would_run_code_is_refused(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return (exec, ("raise SystemExit('it ran')",))

        torch.save({"x": Evil()}, tmp_path / "evil.pth")
        with pytest.raises(MicroauError, match="no readable weights"):
            load_magnifier(tmp_path / "evil.pth")


def test_the_command(tmp_path, capsys):
    out = tmp_path / "m.safetensors"
    arguments = ["train-magnifier", "--out", str(out), "--steps", "2", "--batch", "1", "--size", "32"]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(out)
    assert "2/2 loss" in printed.err
    load_magnifier(out)
    assert main([*arguments[:-1], "30"]) == 2
    assert "multiple of four" in capsys.readouterr().err
