"""Whole runs: what is printed and written, and that it is whole however the run ends."""

import csv
import json
import os
import pty
import re
import resource
import signal
import subprocess
import time

import av
import pytest
from clips import write_video
from commands import SAMPLE, run, script

PART = ("--end", "1.7")
"""Of the sample: the first event and a second more."""
NAMES = {"events.csv", "events.jsonl", "frames.csv", "run.json"}
KEYS = {
    "schema",
    "microau",
    "command",
    "status",
    "ending",
    "input",
    "model",
    "lookahead_ms",
    "startup_ms",
    "noise",
    "counts",
}


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, strict=True))


def record(folder):
    return json.loads((folder / "run.json").read_text())


@pytest.fixture(scope="module")
def results(tmp_path_factory, tiny_bundle):
    """A run over the first part of the sample: its folder and what it said."""
    folder = tmp_path_factory.mktemp("run") / "new" / "results"
    done = run("microau-stream", SAMPLE, *PART, "--model", tiny_bundle, "--explain", "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_the_files_of_the_contract_are_written(results):
    folder, _ = results
    assert {path.name for path in folder.iterdir()} == NAMES
    assert table(folder / "events.csv")


def test_stdout_is_json_lines_alone_and_the_same_as_the_file(results):
    folder, done = results
    assert done.stdout == (folder / "events.jsonl").read_text()
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for line, one in zip(lines, table(folder / "events.csv"), strict=True):
        assert {name: str(line[name]) for name in one} == one
        assert line["explanation"]


def test_times_are_those_of_the_frames(results):
    folder, _ = results
    times = {one["frame"]: one["timestamp"] for one in table(folder / "frames.csv")}
    for one in table(folder / "events.csv"):
        for moment in ("onset", "apex", "offset"):
            assert times[one[f"{moment}_frame"]] == one[f"{moment}_s"]


def test_every_frame_has_a_row_in_order(results):
    folder, _ = results
    frames = [int(one["frame"]) for one in table(folder / "frames.csv")]
    assert frames == list(range(340))


def test_the_record_says_how_it_was_made(results, tiny_bundle):
    folder, _ = results
    made = record(folder)
    assert made.keys() >= KEYS
    assert (made["status"], made["counts"]["frames"], made["counts"]["frames_with_face"]) == (
        "done",
        340,
        340,
    )
    assert made["counts"]["events"] == len(table(folder / "events.csv"))
    digest = subprocess.run(["sha256sum", tiny_bundle], capture_output=True, text=True, check=True).stdout
    assert made["model"]["sha256"] == digest.split()[0]
    assert made["model"]["units"] == ["AU04", "AU12", "AU17", "AU25"]
    assert made["settings"]["capture"]["end"] == 1.7
    assert made["command"][:2] == ["microau-stream", str(SAMPLE)]
    assert 0 < made["lookahead_ms"] < 2000
    assert made["noise"]["half_found"] == pytest.approx(9 * made["noise"]["floor"], abs=0.02)
    assert max(made["timings_s"].values()) <= made["wall_s"]  # stages run beside each other


def test_a_part_keeps_the_numbers_of_the_whole(results, tmp_path, tiny_bundle):
    """--start leaves frame numbers and times as they are in the input."""
    folder, _ = results
    done = run("microau-stream", SAMPLE, "--start", "1.5", *PART, "--model", tiny_bundle, "--out", tmp_path)
    assert done.returncode == 0
    whole = {one["frame"]: one for one in table(folder / "frames.csv")}
    rows = table(tmp_path / "frames.csv")
    assert [int(one["frame"]) for one in rows] == list(range(300, 340))
    assert all(one["timestamp"] == whole[one["frame"]]["timestamp"] for one in rows)


def test_the_same_command_may_be_given_again(tmp_path, tiny_bundle):
    command = ("microau-stream", SAMPLE, "--end", "0.1", "--model", tiny_bundle, "--out", tmp_path)
    for _ in range(2):
        assert run(*command).returncode == 0
        assert len(table(tmp_path / "frames.csv")) == 20
    assert {path.name for path in tmp_path.iterdir()} == NAMES


def test_a_video_without_a_face_is_an_empty_table_and_a_sentence(tmp_path, tiny_bundle):
    write_video(tmp_path / "film.mp4", 30, size=(320, 240))
    done = run(
        "microau-stream", tmp_path / "film.mp4", "--model", tiny_bundle, "--out", tmp_path / "results"
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.count("no face was found in 30 frames") == 1
    (header,) = (tmp_path / "results" / "events.csv").read_text().splitlines()
    assert header.endswith("flags,AU04_p,AU12_p,AU17_p,AU25_p")
    rows = table(tmp_path / "results" / "frames.csv")
    assert [(one["face_id"], one["success"]) for one in rows] == [("-1", "0")] * 30


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_a_file_that_was_cut_off_is_analysed_as_far_as_it_goes_and_said_to_be(kind, tmp_path, tiny_bundle):
    options = {"movflags": "+faststart"} if kind == "mp4" else {}
    whole = tmp_path / f"whole.{kind}"
    with av.open(str(SAMPLE)) as clip, av.open(str(whole), "w", options=options) as out:
        stream = out.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(video=0):
            if packet.dts is not None:
                late = round(3 / packet.time_base)
                packet.pts, packet.dts = packet.pts + late, packet.dts + late
                packet.stream = stream
                out.mux(packet)
    part = tmp_path / f"part.{kind}"
    part.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    done = run("microau-stream", part, "--model", tiny_bundle, "--out", tmp_path / "results")
    assert done.returncode == 0, done.stderr
    frames = record(tmp_path / "results")["counts"]["frames"]
    assert 20 < frames < 700
    sentence = {
        "mp4": r"only \d+ of its 1080 frames",
        "mkv": r"its last picture is at 0:0\d\.\d of 0:05\.4",
    }
    assert re.search(f"microau: {sentence[kind]}[^\n]*: is it cut off\\?\n", done.stderr)
    assert len(table(tmp_path / "results" / "frames.csv")) == frames


def test_quiet_says_nothing_but_the_events(tmp_path, tiny_bundle):
    done = run(
        "microau-stream", SAMPLE, "--end", "0.3", "--model", tiny_bundle, "--out", tmp_path, "--quiet"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_action_units_alone(tmp_path, tiny_bundle):
    done = run("microau-stream", SAMPLE, *PART, "--model", tiny_bundle, "--out", tmp_path, "--au-only")
    assert done.returncode == 0
    assert {(one["emotion"], one["emotion_score"]) for one in table(tmp_path / "events.csv")} == {
        ("", "0.0")
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_finished(number, tmp_path, tiny_bundle, results):
    """Everything found so far is written, whole, and the same as in an undisturbed run."""
    command = [script("microau-stream"), SAMPLE, "--model", tiny_bundle, "--out", tmp_path]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as running:
        wait_for_bytes(tmp_path / "frames.csv", 9000)
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    made = record(tmp_path)
    assert (made["status"], made["ending"]) == ("interrupted", "interrupted")
    assert out == (tmp_path / "events.jsonl").read_text()
    rows = table(tmp_path / "frames.csv")
    assert len(rows) == made["counts"]["frames"] < 1080
    undisturbed = table(results[0] / "frames.csv")
    for one, other in zip(rows, undisturbed, strict=False):
        assert one == other


def wait_for_bytes(path, count, patience_s=60.0):
    end = time.monotonic() + patience_s
    while not path.exists() or path.stat().st_size < count:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_signal_while_the_models_load_leaves_nothing(tmp_path, tiny_bundle):
    command = [script("microau-stream"), SAMPLE, "--model", tiny_bundle, "--out", tmp_path / "results"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        time.sleep(0.4)
        running.send_signal(signal.SIGTERM)
        err = running.communicate(timeout=60)[1]
    assert running.returncode in (130, -signal.SIGTERM)  # before Python listens, the system's own way
    assert err == ""
    assert not (tmp_path / "results").exists()


def test_a_reader_that_leaves_ends_a_run_for_it_alone(tiny_bundle):
    line = f"{script('microau-stream')} {SAMPLE} --model {tiny_bundle} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120, check=True)
    first, status = done.stdout.splitlines()
    assert json.loads(first)["event_id"] == 0
    assert status == "0"
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_reader_that_leaves_does_not_end_a_run_with_files(tmp_path, tiny_bundle):
    part = " ".join(PART)
    line = f"{script('microau-stream')} {SAMPLE} {part} --model {tiny_bundle} --out {tmp_path} | true"
    subprocess.run(["bash", "-c", line], capture_output=True, timeout=120, check=True)
    made = record(tmp_path)
    assert (made["status"], made["counts"]["frames"]) == ("done", 340)


@pytest.mark.usefixtures("results")  # after it all is compiled: keeping compiled code needs room, too
def test_a_disk_that_fills_up_leaves_whole_files(tmp_path, tiny_bundle):
    limit = 12_000
    command = ("microau-stream", SAMPLE, *PART, "--model", tiny_bundle, "--out", tmp_path)
    done = run(*command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert done.returncode == 2
    *_, last = done.stderr.splitlines()
    assert last.startswith(f"microau: {tmp_path / 'frames.csv'}: cannot be written: File too large")
    assert "Traceback" not in done.stderr
    assert (tmp_path / "frames.csv").read_text().endswith("\n")
    assert len({line.count(",") for line in (tmp_path / "frames.csv").read_text().splitlines()}) == 1
    assert {path.name for path in tmp_path.iterdir()} == NAMES
    made = record(tmp_path)
    assert made["status"] == "failed"
    assert "frames.csv: cannot be written" in made["ending"]


def test_a_full_disk_behind_stdout_is_one_line(tiny_bundle):
    with open("/dev/full", "w") as full:
        for arguments in (("--print-config",), (SAMPLE, *PART, "--model", tiny_bundle, "--quiet")):
            command = [script("microau-stream"), *map(str, arguments)]
            pipes = {"stdout": full, "stderr": subprocess.PIPE, "text": True}
            done = subprocess.run(command, timeout=120, check=False, **pipes)
            assert done.returncode == 2
            assert done.stderr == (
                "microau: stdout: cannot be written: No space left on device. Send it elsewhere\n"
            )


def in_a_terminal(*command, stdout=None):
    """Everything that a terminal of 120 columns is sent, and the exit status."""
    leader, follower = pty.openpty()
    env = {**os.environ, "COLUMNS": "120", "LINES": "40", "TERM": "xterm-256color"}
    with subprocess.Popen(
        list(map(str, command)), stdout=stdout or follower, stderr=follower, env=env
    ) as running:
        os.close(follower)
        said = b""
        while chunk := read_some(leader):
            said += chunk
    os.close(leader)
    return said.decode(), running.returncode


def read_some(descriptor):
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # Linux: the last one who wrote has gone
        return b""


def test_in_a_terminal_events_are_lines_and_a_bar_shows_the_way(tiny_bundle):
    said, status = in_a_terminal(script("microau-stream"), SAMPLE, *PART, "--model", tiny_bundle)
    assert status == 0
    assert re.search(r"0:0[01]\.\d{3}  \d+ ms  candidate 0\.\d\d  .*% of eye distance", said)
    assert "{" not in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said)
    for shown in ("frames/s", "x real time", "left"):
        assert shown in said


def test_a_piped_stdout_stays_clean_beside_a_terminal(tmp_path, tiny_bundle):
    with open(tmp_path / "out", "wb") as out:
        said, status = in_a_terminal(
            script("microau-stream"), SAMPLE, *PART, "--model", tiny_bundle, stdout=out
        )
    assert status == 0
    lines = (tmp_path / "out").read_text().splitlines()
    assert [json.loads(line)["event_id"] for line in lines] == list(range(len(lines)))
    assert lines
    assert "x real time" in said
    assert "event_id" not in said


def test_the_overlay_has_every_frame_at_its_time(tmp_path, tiny_bundle):
    path = tmp_path / "seen.mp4"
    done = run("microau-stream", SAMPLE, "--end", "0.5", "--model", tiny_bundle, "--overlay", path)
    assert done.returncode == 0, done.stderr
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([index / 200 for index in range(100)], abs=1e-6)
