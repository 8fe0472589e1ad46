"""AU strings: what coders write is read whole, and nothing is guessed."""

import datetime as dt
import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microau.training.datasets import aus
from microau.training.datasets.aus import AuCode, AuError, UnitLabel, parse_aus, presence, sides


def test_the_examples_of_the_docstrings_hold():
    result = doctest.testmod(aus)
    assert result.attempted > 3
    assert result.failed == 0


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("12", "12"),
        ("L12", "L12"),
        ("4+L10", "4+L10"),
        ("R14A or 17A", "R14A or 17A"),
        ("A1B+A2C", "A1B+A2C"),
        ("AU4+AU7(k)", "4+7?"),
        ("AU4 + AU7（k）", "4+7?"),  # full-width brackets
        ("4?+7", "4?+7"),
        ("4.0", "4"),
        (4.0, "4"),
        (12, "12"),
        ("1，2", "1+2"),  # full-width comma
        ("1、2", "1+2"),
        ("L1＋AU4b", "L1+4B"),  # full-width plus, small letters
        ("１２", "12"),  # full-width digits
        ("4 7", "4+7"),
        ("4/7", "4 or 7"),
        ("5 or 7+12", "5 or 7+12"),
        ("1 or 2 or 4", "1 or 2 or 4"),
        ("4-12", "4+12"),
        ("12L", "L12"),
        ("T23", "T23"),
        (" AU 1 + au 2 ", "1+2"),
    ],
)
def test_notations(written, canonical):
    code = parse_aus(written)
    assert str(code) == canonical
    assert code.coded
    assert not code.notes


@pytest.mark.parametrize("empty", [None, "", "  ", float("nan"), "nan", "?", "/", "-"])
def test_an_empty_cell_is_not_coded(empty):
    code = parse_aus(empty)
    assert code == AuCode()
    assert presence(code, 12) == -1


@pytest.mark.parametrize("neutral", ["0", 0, 0.0, "none"])
def test_a_neutral_face_is_coded_without_units(neutral):
    code = parse_aus(neutral)
    assert code.coded
    assert code.units == ()
    assert presence(code, 12) == 0


@pytest.mark.parametrize(
    ("cell", "numbers"),
    [
        (dt.datetime(2014, 4, 12), (4, 12)),
        (dt.date(2024, 1, 2), (1, 2)),
        (dt.datetime(1938, 4, 1), (4, 38)),  # Excel reads '4-38' as April 1938
        ("12-Apr", (4, 12)),
        ("Apr-12", (4, 12)),
        ("4月12日", (4, 12)),
        ("2014-04-12 00:00:00", (4, 12)),
    ],
)
def test_a_date_by_excel_is_read_as_typed_and_noted(cell, numbers):
    code = parse_aus(cell)
    assert code.numbers == numbers
    assert "date" in code.notes[0]


@pytest.mark.parametrize(
    ("written", "part"),
    [
        ("4+abc", "ABC"),
        ("4+(7)", "(7)"),
        ("1.2", "1.2"),  # a comma made a decimal point: 1+2 or 12?
        ("L1R2", "L1R2"),
        ("47", "47"),
        ("124", "124"),
        ("4+0", "0"),
        ("99", "99"),
        ("4 or", "or"),
        ("LAUR12", "two side"),
        ("smile", "SMILE"),
        ("4F", "4F"),
    ],
)
def test_what_is_not_understood_is_refused_and_named(written, part):
    with pytest.raises(AuError) as caught:
        parse_aus(written)
    assert part in str(caught.value)
    assert written in str(caught.value)


def test_a_stray_sign_is_noted():
    assert parse_aus("4+").notes
    assert parse_aus("4+").numbers == (4,)


def test_doubtful_units_count_as_asked():
    code = parse_aus("4 + R14A or 17A + 7?")
    for au in (7, 14, 17):
        assert [presence(code, au, how) for how in ("present", "absent", "unknown")] == [1, 0, -1]
    assert [presence(code, 4, how) for how in ("present", "absent", "unknown")] == [1, 1, 1]
    assert presence(code, 12, "unknown") == 0


def test_coded_once_for_certain_and_once_in_doubt_is_certain():
    assert presence(parse_aus("4?+4"), 4, "unknown") == 1


def test_sides_of_both_halves_are_no_side():
    assert sides(parse_aus("L12+R12"), 12) == ""
    assert sides(parse_aus("L12+12"), 12) == ""
    assert sides(parse_aus("R12B"), 12) == "R"
    assert sides(parse_aus("B12"), 12) == ""


units = st.builds(
    UnitLabel,
    st.sampled_from(sorted(aus.NUMBERS)),
    st.sampled_from(["", *aus.SIDES]),
    st.sampled_from(["", *"ABCDE"]),
    st.booleans(),
)


@st.composite
def codes(draw):
    """Groups of alternatives and single units, numbered as the parser numbers them."""
    groups = draw(st.lists(st.lists(units, min_size=1, max_size=3), min_size=1, max_size=4))
    found, choice = [], 0
    for group in groups:
        choice += len(group) > 1
        number = choice if len(group) > 1 else 0
        found += [UnitLabel(u.au, u.side, u.intensity, u.uncertain, number) for u in group]
    return AuCode(tuple(found), coded=True)


@given(codes())
def test_what_is_written_is_read_back(code):
    assert parse_aus(str(code)) == code


@given(codes(), st.sampled_from(["+", ", ", "，", " ", " ; ", "、"]), st.sampled_from(["or", "OR", "/"]))
def test_notation_does_not_change_the_meaning(code, separator, either):
    written = str(code).replace("+", separator).replace("or", either)
    assert parse_aus(written) == code


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text):
    try:
        code = parse_aus(text)
    except AuError:
        return
    assert parse_aus(str(code)).units == code.units
    assert all(unit.au in aus.NUMBERS for unit in code.units)
