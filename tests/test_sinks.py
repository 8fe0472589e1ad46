"""What is written: the columns of the contract, whole lines at any moment, the same numbers everywhere."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import AUS, event, events, row

from microau.engine.errors import MicroauError
from microau.stream.event_words import describe
from microau.stream.files import LineFile, check_writable, write_whole
from microau.stream.sinks.events_csv import EventsCsv
from microau.stream.sinks.events_jsonl import EventsJsonl
from microau.stream.sinks.frames_csv import FramesCsv

CONTRACT = (
    "event_id,face_id,onset_frame,apex_frame,offset_frame,onset_s,apex_s,offset_s,score,aus,emotion,"
    "emotion_score,flags,AU01_p,AU02_p,AU12_p"
)
# A decimal that lies halfway (0.4609375 as 0.460938) is off by half a place plus what a float rounds away.
ROUNDING = 1e-9


def rows_of(path):
    """A CSV file as a list of dicts."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file, strict=True))


def write(sink_class, path, told, *arguments):
    sink = sink_class(path, *arguments)
    for one in told:
        sink.event(one)
    sink.close()


def test_the_event_table_has_the_columns_of_the_contract(tmp_path):
    write(EventsCsv, tmp_path / "events.csv", [event()], AUS)
    header, line = (tmp_path / "events.csv").read_text().splitlines()
    assert header == CONTRACT
    assert line == "0,0,200,224,248,1.0,1.12,1.24,0.87,L12,positive,0.61,,0.02,0.013,0.93"


def test_the_frame_table_begins_with_the_columns_of_the_contract(tmp_path):
    sink = FramesCsv(tmp_path / "frames.csv")
    sink.row(row(7, 0.035, motion=1.25))
    sink.row(row(8, 0.040, face_id=-1, success=False, confidence=0.0, motion=0.0, missing=3))
    sink.close()
    assert (
        (tmp_path / "frames.csv")
        .read_text()
        .startswith("frame,timestamp,face_id,confidence,success,motion,")
    )
    seen, unseen = rows_of(tmp_path / "frames.csv")
    assert (seen["frame"], seen["timestamp"], seen["success"], seen["motion"]) == (
        "7",
        "0.035",
        "1",
        "1.25",
    )
    assert (unseen["face_id"], unseen["success"], unseen["missing"]) == ("-1", "0", "3")
    assert "nan" not in (tmp_path / "frames.csv").read_text().lower()


@settings(deadline=None)
@given(told=st.lists(events(), max_size=6, unique_by=lambda e: e.event_id))
def test_both_event_files_hold_the_same_and_the_table_is_in_order(told, tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    write(EventsCsv, folder / "events.csv", told, AUS)
    write(EventsJsonl, folder / "events.jsonl", told, AUS)
    table = rows_of(folder / "events.csv")
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [line["event_id"] for line in lines] == [one.event_id for one in told]
    onsets = [float(one["onset_s"]) for one in table]
    assert onsets == sorted(onsets)
    by_id = {line["event_id"]: line for line in lines}
    for one in table:
        line = by_id[int(one["event_id"])]
        assert {name: str(line[name]) for name in one} == one


@settings(deadline=None)
@given(one=events())
def test_numbers_are_written_to_the_stated_precision(one, tmp_path_factory):
    path = tmp_path_factory.mktemp("events") / "events.csv"
    write(EventsCsv, path, [one], AUS)
    (line,) = rows_of(path)
    for name in ("onset_s", "apex_s", "offset_s"):
        assert float(line[name]) == pytest.approx(getattr(one, name), rel=0, abs=0.5e-6 + ROUNDING)
    for name in ("score", "emotion_score"):
        assert float(line[name]) == pytest.approx(getattr(one, name), rel=0, abs=0.5e-4 + ROUNDING)
    assert line["flags"].split(";") == (list(one.flags) or [""])
    assert line["aus"].split("+") == ([str(unit) for unit in one.units] or [""])


def test_an_event_is_on_disk_as_soon_as_it_is_decided(tmp_path):
    table, lines = EventsCsv(tmp_path / "events.csv", AUS), EventsJsonl(tmp_path / "events.jsonl", AUS)
    for number in range(3):
        for sink in (table, lines):
            sink.event(event(event_id=number, onset_s=number))
        assert len(rows_of(tmp_path / "events.csv")) == number + 1
        assert len((tmp_path / "events.jsonl").read_text().splitlines()) == number + 1
    table.close()
    lines.close()


def test_an_empty_run_leaves_the_header_alone(tmp_path):
    EventsCsv(tmp_path / "events.csv", AUS).close()
    assert (tmp_path / "events.csv").read_text() == CONTRACT + "\n"


FILL = """
import resource, sys
from pathlib import Path
from microau.stream.files import LineFile
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = LineFile(Path({path!r}))
try:
    for i in range(10_000):
        file.line(f"line {{i}} of a table")
        if i % 7 == 0:
            file.flush()
except Exception as error:
    print(type(error).__name__, error)
try:
    file.close()
except Exception as error:
    print("again", type(error).__name__)
"""


@pytest.mark.parametrize("limit", [1000, 4099, 65_537])
def test_a_full_disk_leaves_whole_lines_and_says_so(tmp_path, limit):
    path = tmp_path / "table.csv"
    script = FILL.format(path=str(path), limit=limit)
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"MicroauError {path}: cannot be written: File too large.")
    lines = path.read_text().split("\n")
    assert lines.pop() == ""
    assert lines == [f"line {i} of a table" for i in range(len(lines))]
    assert len(lines) * 16 > limit / 2


def test_a_device_without_room_is_one_error():
    file = LineFile(Path("/dev/full"))
    file.line("x")
    with pytest.raises(MicroauError, match="/dev/full: cannot be written: No space left on device"):
        file.flush()
    file.close()


def test_whether_a_folder_can_be_written_is_found_out_without_a_trace(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("mine")
    for folder in ("there", "new", "new/below/it"):
        check_writable(tmp_path / folder)
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "there",
        "there/mine.txt",
    ]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder where nobody can make a file")
def test_where_nothing_can_be_made_is_named():
    with pytest.raises(
        MicroauError, match=r"^/proc/new: cannot be written: .* Choose a place that you may"
    ):
        check_writable(Path("/proc/new"))


def test_a_whole_file_is_replaced_or_kept(tmp_path):
    path = tmp_path / "run.json"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \udc00")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["run.json"]
    write_whole(path, "new")
    assert path.read_text() == "new"


def test_an_event_is_worded_as_a_candidate():
    (line,) = describe(event(flags=("blink", "small_face")))
    assert line == (
        "0:01.000  240 ms  candidate 0.87  AU12 lip corner puller (left)  peak 2.1 % of eye distance"
        "  reads as positive (0.61)  caution: blink, small face"
    )


def test_an_explanation_names_points_and_ways():
    lines = list(describe(event(), explain=True))
    assert lines[1] == (
        "    left mouth corner: 2.1 % up and to the right of the picture, as AU12 predicts (agreement 0.97)"
    )


def test_a_movement_without_unit_or_emotion_has_neither():
    (line,) = describe(event(units=(), emotion="other", flags=("macro",), face_id=2))
    assert "no unit decided" in line
    assert "face 2" in line
    assert "movement 0.87" in line
    assert "reads as" not in line
