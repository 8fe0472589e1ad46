"""Settings: one table for command line, file and Python, that refuses what cannot be."""

import dataclasses
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microau.engine.errors import MicroauError
from microau.stream.config import Config, kind
from microau.stream.options import OPTIONS, with_options
from microau.stream.settings import documentation, read_config, to_toml
from microau.stream.wording import clock, seconds

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
positive = st.floats(0, 1e6, allow_nan=False)
OTHERS = {
    ("capture", "fps"): st.none() | st.floats(1, 10_000),
    ("capture", "width"): st.none() | st.integers(16, 16_384),
    ("capture", "height"): st.none() | st.integers(16, 16_384),
    ("capture", "start"): positive,
    ("face", "max_faces"): st.integers(1, 16),
    ("face", "iris_rate"): positive,
    ("spot", "report_macro"): st.booleans(),
    ("spot", "min_score"): st.floats(0, 1),
    ("model", "path"): st.none() | text,
    ("model", "device"): text,
    ("model", "au_only"): st.booleans(),
    ("output", "overlay"): st.none() | text.map(lambda name: name + ".mp4"),
    ("output", "view"): st.booleans(),
    ("output", "quiet"): st.booleans(),
}


def groups(config=None):
    """Name and value of every group of settings."""
    config = config or Config()
    return [(field.name, getattr(config, field.name)) for field in dataclasses.fields(config)]


@settings(deadline=None, max_examples=60)
@given(values=st.fixed_dictionaries({}, optional=OTHERS))
def test_printed_settings_read_back_the_same(values, tmp_path_factory):
    nested = {}
    for (group, name), value in values.items():
        nested.setdefault(group, {})[name] = value
    config = Config().with_values(nested)
    path = tmp_path_factory.mktemp("config") / "settings.toml"
    path.write_text(to_toml(config), encoding="utf-8")
    assert read_config(path) == config


def test_every_setting_is_explained():
    for name, group in groups():
        texts = documentation(type(group))
        assert [
            f"{name}.{f.name}" for f in dataclasses.fields(group) if len(texts.get(f.name, "")) < 10
        ] == []


def test_every_setting_is_printed_once():
    printed = re.findall(r"^(?:# )?(\w+) =", to_toml(Config()), re.MULTILINE)
    assert printed == [f.name for _, group in groups() for f in dataclasses.fields(group)]


def test_every_option_is_a_setting():
    for option in OPTIONS:
        assert option.setting in {f.name for f in dataclasses.fields(getattr(Config(), option.group))}


def test_what_is_not_set_can_only_be_left_out():
    """A setting that may be None has None as default: TOML cannot say None."""
    for _, group in groups():
        for field in dataclasses.fields(group):
            if "None" in str(field.type):
                assert field.default is None


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[face]\nmax_face = 2", "unknown setting face.max_face. Did you mean max_faces?"),
        ("[faces]\nmax_faces = 2", r"unknown group \[faces\] of settings. Did you mean face?"),
        ("max_faces = 2", "unknown group .max_faces."),
        ("face = 2", r"\[face\] is a group of settings"),
        ("[face]\nmax_faces = 'two'", "face.max_faces must be a whole number, found 'two'"),
        ("[face]\nmax_faces = 2.5", "face.max_faces must be a whole number, found 2.5"),
        ("[face]\nmax_faces = true", "face.max_faces must be a whole number, found True"),
        ("[model]\nau_only = 1", "model.au_only must be true or false, found 1"),
        ("[model]\npath = 7", "model.path must be a text in quotes, found 7"),
        ("[capture]\nfps = '200'", "capture.fps must be a number, found '200'"),
        ("[capture]\nfps = nan", "fps must be from 1 to 10000, found nan"),
        ("[capture]\nstart = 5.0\nend = 5.0", "end 5 s is not after start 5 s"),
        ("[face]\nmax_faces = 0", "max_faces"),
        ("[face]\nbackend = 'dlib'", "dlib: give one of onnx, mediapipe"),
        ("[output]\noverlay = 'seen.avi'", "overlay seen.avi: give a file name that ends in .mp4"),
        ("[face\n", "not a TOML settings file"),
        (b"\xff\xfe", "not a TOML settings file"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path, written, message):
    path = tmp_path / "mine.toml"
    path.write_bytes(written if isinstance(written, bytes) else written.encode())
    with pytest.raises(MicroauError, match=message) as caught:
        read_config(path)
    assert str(caught.value).startswith(str(path))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(MicroauError, match="No such file"):
        read_config(tmp_path / "none.toml")


def test_options_replace_what_the_file_says(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[face]\nmax_faces = 3\n[capture]\nstart = 2\n")
    config = with_options(read_config(path), {"max_faces": 5})
    assert (config.face.max_faces, config.capture.start) == (5, 2.0)
    assert config.spot == Config().spot


def test_an_unknown_short_name_is_refused():
    with pytest.raises(MicroauError, match=r"unknown setting max_face\. Did you mean max_faces\?"):
        with_options(Config(), {"max_face": 2})


@given(moment=st.floats(0, 359_999))
def test_a_written_time_reads_back(moment):
    assert math.isclose(seconds(clock(moment, 6)), moment, abs_tol=1e-6)


@pytest.mark.parametrize(
    "written", ["", ":", "1:", "-5", "1:60", "1:2:3:4", "1.5:00", "five", "nan", "1e3", "²"]
)
def test_what_is_no_time_is_refused(written):
    with pytest.raises(ValueError, match="is no time"):
        seconds(written)


def test_the_plain_type_is_found_behind_an_optional():
    assert kind(float | None) is float
    assert kind(bool) is bool
