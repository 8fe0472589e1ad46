"""What the camera does to a clip: noise, light, lost and repeated frames, files."""

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microau.training.generate.camera import Camera, nearest, recoded, write_images, write_video


def shots(camera, duration=2.0, seed=0):
    return camera.shots(duration, np.random.default_rng(seed))


@pytest.mark.parametrize("fps", [25.0, 29.97, 60.0, 200.0, 240.0])
def test_a_steady_camera_takes_every_frame_at_its_time(fps):
    taken = shots(Camera(fps=fps))
    np.testing.assert_allclose([s.time for s in taken], np.arange(len(taken)) / fps, atol=1e-9)
    assert len(taken) == int(2.0 * fps)
    assert all(s.content == s.time for s in taken)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_lost_frames_leave_gaps_and_nothing_else(seed):
    whole, lossy = shots(Camera(fps=100.0), 20.0), shots(Camera(fps=100.0, dropped=0.05), 20.0, seed)
    times = {round(s.time, 6) for s in whole}
    assert all(round(s.time, 6) in times for s in lossy)
    assert 0.5 < (len(whole) - len(lossy)) / len(whole) / 0.05 < 1.7


def test_repeated_frames_show_the_one_before():
    taken = shots(Camera(fps=100.0, duplicated=0.1), 5.0)
    repeated = [k for k, s in enumerate(taken) if s.content != s.time]
    assert len(taken) == 500
    assert repeated
    assert all(taken[k].content == taken[k - 1].content for k in repeated)


def test_a_variable_rate_keeps_its_order_and_its_mean():
    times = np.array([s.time for s in shots(Camera(fps=60.0, jitter=0.2), 20.0)])
    assert (np.diff(times) > 0).all()
    assert np.diff(times).mean() == pytest.approx(1 / 60, rel=0.03)
    assert np.diff(times).std() == pytest.approx(0.2 / 60, rel=0.15)


def test_flicker_is_aliased_to_the_difference_of_the_rates():
    """100.5 Hz lamps at 200 frames/s beat at 0.5 Hz between neighbours taken two by two."""
    camera = Camera(fps=200.0, flicker=(0.05, 100.5, 0.0), exposure=0.1)
    gain = np.array([camera.gain(k / 200) for k in range(0, 4000, 2)]) - 1
    spectrum = np.abs(np.fft.rfft(gain))
    assert np.fft.rfftfreq(len(gain), 1 / 100)[np.argmax(spectrum)] == pytest.approx(0.5, abs=0.06)
    assert np.abs(gain).max() == pytest.approx(0.05, rel=0.1)


def test_noise_grows_with_the_root_of_the_light():
    camera, rng = Camera(noise=3.0), np.random.default_rng(0)
    spread = {}
    for level in (32.0, 128.0):
        picture = np.full((200, 200, 3), level, np.float32)
        spread[level] = camera.expose(picture, 0.0, rng).astype(float).std()
    assert spread[128.0] == pytest.approx(3.0, rel=0.05)
    assert spread[32.0] < 0.8 * spread[128.0]


def test_without_noise_rounding_is_fair():
    camera = Camera(noise=0.0)
    picture = np.array([[[10.4], [10.6], [-3.0], [270.0]]], np.float32)
    exposed = camera.expose(picture, 0.0, np.random.default_rng(0))
    assert exposed.ravel().tolist() == [10, 11, 0, 255]


def frames(n=12, size=(64, 48)):
    rng = np.random.default_rng(3)
    for k in range(n):
        yield k / 200 + 0.003 * (k > 5), rng.integers(0, 255, (size[1], size[0], 1), dtype=np.uint8)


def test_a_video_keeps_its_presentation_times(tmp_path):
    path = tmp_path / "clip.mp4"
    write_video(path, frames(), (64, 48), 200.0, 20)
    with av.open(str(path)) as file:
        times = [float(f.pts * f.time_base) for f in file.decode(video=0)]
    np.testing.assert_allclose(times, [t for t, _ in frames()], atol=1e-4)


def test_the_same_frames_give_the_same_bytes(tmp_path):
    """Moving pictures as long as x264's look-ahead, with which it used to differ from run to run."""
    wave = np.sin(np.linspace(0, 20, 192))[None, :, None] * np.cos(np.linspace(0, 9, 160))[:, None, None]
    pictures = [np.uint8(120 + 90 * np.roll(wave, k, axis=1)) for k in range(45)]
    paths = [tmp_path / f"{k}.mp4" for k in range(4)]
    for path in paths:
        write_video(path, ((k / 60, p) for k, p in enumerate(pictures)), (192, 160), 60.0, 20)
    assert len({path.read_bytes() for path in paths}) == 1


def test_images_are_numbered_as_in_casme2(tmp_path):
    write_images(tmp_path / "EP01_01", frames(11))
    assert sorted(p.name for p in (tmp_path / "EP01_01").iterdir()) == sorted(
        f"img{k}.jpg" for k in range(1, 12)
    )


def test_the_nearest_frame_is_nearest_in_time():
    taken = shots(Camera(fps=50.0, dropped=0.3), 2.0, 4)
    for time in np.linspace(0, 2, 37):
        best = min(abs(s.time - time) for s in taken)
        assert abs(taken[nearest(taken, float(time))].time - time) == pytest.approx(best)


def test_only_the_defects_named_happen():
    rng = np.random.default_rng(0)
    for _ in range(60):
        assert Camera.random(rng, 200.0, (640, 480), ()).defects() == []
        assert set(Camera.random(rng, 200.0, (640, 480), ("flicker",)).defects()) <= {"flicker"}


def test_recoded_pictures_are_nearly_the_same_and_worse_at_a_higher_crf():
    rng = np.random.default_rng(0)
    first = np.uint8(cv2.GaussianBlur(rng.uniform(0, 255, (96, 128)), (0, 0), 2))
    pictures = [first, np.roll(first, 1, axis=1)]
    errors = []
    for crf in (10, 32):
        back = recoded(pictures, crf)
        assert [b.shape for b in back] == [p.shape for p in pictures]
        errors.append(
            np.mean([np.abs(b.astype(float) - p).mean() for b, p in zip(back, pictures, strict=True)])
        )
    assert errors[0] < 1.5 < errors[1] * 1.5
    assert errors[0] < errors[1]
