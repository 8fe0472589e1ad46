"""Real footage: every clip runs through, and what is reported of it is what can be seen."""

import pytest

import microau

CLIPS = (
    *(f"grid_{name}.mpg" for name in ("bbaf2n", "brbk7n", "lbax4n", "lrwp9a", "sbia1a")),
    *(f"small_face_{name}.mkv" for name in ("again", "no", "sister")),
    *(f"{name}.mp4" for name in ("cap13_edit2", "glasses_d9", "no_face", "single_face", "smile_d0")),
    *(f"{name}.mov" for name in ("face_noface", "noface_face")),
)
pytestmark = pytest.mark.media


@pytest.fixture(scope="module")
def analysed(media):
    """Clip -> its result, each analysed once, longer movements told too."""
    known = {}

    def result(clip):
        if clip not in known:
            known[clip] = microau.analyze_video(media / "clips" / clip, macro=True)
        return known[clip]

    return result


def movements(result, *, macro):
    return [
        row for row in result.events.to_dict("records") if ("macro" in row["flags"].split(";")) == macro
    ]


@pytest.mark.parametrize("clip", CLIPS)
def test_every_frame_has_a_row_with_plain_numbers(analysed, clip):
    result = analysed(clip)
    assert result.frames["frame"].nunique() == result.run["counts"]["frames"]
    assert not result.frames.drop(columns="flags").isna().any().any()
    assert result.frames["timestamp"].is_monotonic_increasing


@pytest.mark.parametrize(
    "clip", [c for c in CLIPS if c.startswith(("grid", "small", "no_face", "noface", "face"))]
)
def test_speech_hands_and_comings_and_goings_are_no_micro_expressions(analysed, clip):
    assert movements(analysed(clip), macro=False) == []


@pytest.mark.parametrize(
    ("clip", "onset", "offset"), [("single_face.mp4", 16, 68), ("smile_d0.mp4", 17, 67)]
)
def test_a_long_smile_is_found_as_one_longer_movement(analysed, clip, onset, offset):
    (smile,) = movements(analysed(clip), macro=True)
    assert abs(smile["onset_frame"] - onset) <= 8
    assert abs(smile["offset_frame"] - offset) <= 8


def test_brow_raises_are_found(analysed):
    """About frames 50 and 82, at 25 frames per second with every seventh one a repeat."""
    found = movements(analysed("cap13_edit2.mp4"), macro=True)
    assert any(row["onset_frame"] <= 82 <= row["offset_frame"] and row["onset_frame"] > 55 for row in found)


def test_where_no_face_is_rows_say_so(analysed):
    frames = analysed("no_face.mp4").frames
    assert (frames["success"] == 0).all()
    assert (frames["face_id"] == -1).all()
    gone = analysed("face_noface.mov").frames
    assert {0, 1} == set(gone["success"])


def test_a_small_face_is_named_small(analysed):
    frames = analysed("small_face_sister.mkv").frames
    assert frames["flags"].str.contains("small_face").any()


def test_a_low_rate_is_said_once(analysed):
    notices = [n for n in analysed("grid_bbaf2n.mpg").notices if "frames per second" in n]
    assert len(notices) == 1
