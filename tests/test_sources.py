"""Files and folders: every picture once, with its own number and time; what is no video is refused."""

import itertools
import os
import shutil
import socket
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from clips import drawing, number_of, numbers, write_pictures, write_video
from hypothesis import given, settings
from hypothesis import strategies as st

from microau import MicroauError
from microau.stream.inputs import open_source
from microau.stream.source import Counts
from microau.stream.sources.images import read_picture
from microau.stream.sources.timeline import WRAP, Timeline

MILLISECONDS = Fraction(1, 1000)
MPEG = Fraction(1, 90000)


def times(path, **options):
    with open_source(path, **options) as source:
        return [frame.time for frame in source]


def refusal(path, **options):
    """The one line with which an input is refused."""
    with pytest.raises(MicroauError) as caught, open_source(path, **options) as source:
        list(source)
    line = str(caught.value)
    assert "\n" not in line
    return line


# --- every picture, once, in order ---


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("b_frames.mp4", {"options": {"preset": "veryfast", "bf": "3"}, "rate": 200}),
        ("hevc.mp4", {"codec": "libx265", "options": {"x265-params": "log-level=none"}}),
        ("clip.webm", {"codec": "libvpx-vp9"}),
        ("mjpeg.avi", {"codec": "mjpeg", "pix_fmt": "yuvj422p", "rate": 500}),
        ("clip.ts", {"rate": 200}),
        ("clip.mpg", {"codec": "mpeg2video", "rate": 25}),
        ("ten_bit.mp4", {"pix_fmt": "yuv420p10le"}),
        ("fine_colour.mp4", {"pix_fmt": "yuv444p"}),
        ("raw.avi", {"codec": "rawvideo", "pix_fmt": "yuyv422"}),
        ("raw.nut", {"codec": "rawvideo", "pix_fmt": "bgr24"}),
        ("lossless.mkv", {"codec": "ffv1", "pix_fmt": "gray", "size": (97, 65)}),
        ("threaded.mp4", {"size": (800, 600)}),
    ],
)
def test_every_picture_comes_once_in_order(tmp_path, name, make):
    with open_source(write_video(tmp_path / name, 40, **make)) as source:
        frames = list(source)
    assert [number_of(frame.picture.luma) for frame in frames] == list(range(40))
    assert [frame.index for frame in frames] == list(range(40))
    assert source.counts == Counts(decoded=40, delivered=40)
    assert source.ending == "end of input"


@pytest.mark.parametrize("rate", [25, Fraction(30000, 1001), 60, 200, 1000])
def test_a_constant_rate_gives_even_times_and_no_gap(tmp_path, rate):
    with open_source(write_video(tmp_path / "clip.mp4", 80, rate=rate)) as source:
        frames = list(source)
    assert np.allclose([frame.time for frame in frames], np.arange(80) / float(rate), atol=1e-4)
    assert sum(frame.missing for frame in frames) == 0
    assert source.probe.fps == rate


def test_pictures_stay_valid_after_later_ones_and_after_closing(tmp_path):
    """The planes are views into the decoder's memory; it must not be used again under them."""
    for name, make in (("a.mp4", {}), ("raw.avi", {"codec": "rawvideo", "pix_fmt": "yuv420p"})):
        with open_source(write_video(tmp_path / name, 60, **make)) as source:
            held = list(source)
        assert [number_of(frame.picture.luma) for frame in held] == list(range(60))


# --- the picture itself ---


def random_frame(pix_fmt, width, height):
    """A frame with every plane filled at random, and the planes: nothing was converted on the way."""
    random = np.random.default_rng(3)
    frame = av.VideoFrame(width, height, pix_fmt)
    bits = frame.format.components[0].bits
    kind = np.uint8 if bits <= 8 else np.uint16
    planes = []
    for plane in frame.planes:
        lines = np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind().itemsize)
        lines[:] = random.integers(0, 1 << bits, lines.shape)
        planes.append(lines[: plane.height, : plane.width].copy())
    return frame, planes


@pytest.mark.parametrize("size", [(96, 64), (97, 65), (101, 64), (96, 67)])
@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le", "gray16le", "yuv420p", "yuv420p10le"])
def test_planes_are_those_of_the_file(tmp_path, pix_fmt, size):
    """A lossless file: 8 bits come exactly, more are rounded to the nearest; the padding stays outside."""
    picture, planes = stored_and_read(tmp_path, pix_fmt, size)
    scale = {"gray10le": 4, "yuv420p10le": 4, "gray16le": 256}.get(pix_fmt, 1)
    for plane, found in zip(planes, [picture.luma, *(picture.chroma or ())], strict=True):
        assert np.array_equal(found, np.minimum(np.rint(plane / scale), 255))


@pytest.mark.parametrize("size", [(96, 64), (97, 65)])
@pytest.mark.parametrize("pix_fmt", ["yuv422p", "yuv444p", "yuv440p", "yuv422p12le"])
def test_finer_colour_is_averaged(tmp_path, pix_fmt, size):
    picture, planes = stored_and_read(tmp_path, pix_fmt, size)
    scale = 16 if pix_fmt.endswith("12le") else 1
    half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
    assert np.abs(picture.luma - planes[0] / scale).max() <= 0.5 + 15 / 16 * (scale > 1)
    for plane, found in zip(planes[1:], picture.chroma, strict=True):
        mean = cv2.resize(plane.astype(np.float32) / scale, half, interpolation=cv2.INTER_AREA)
        assert found.shape == half[::-1]
        assert np.abs(found - mean).max() <= 1.1  # rounded twice


def stored_and_read(tmp_path, pix_fmt, size):
    frame, planes = random_frame(pix_fmt, *size)
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.options = {"strict": "experimental"}
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_source(path) as source:
        assert source.probe.pixel_format == pix_fmt
        return next(iter(source)).picture, planes


COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 90), (255, 255, 255), (0, 0, 0))


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "height", "matrix"),
    [
        ("ffv1", "yuv420p", 96, None),
        ("ffv1", "yuv444p10le", 96, None),
        ("ffv1", "yuv422p", 96, "itu709"),
        ("ffv1", "yuv420p", 768, "itu709"),
        ("rawvideo", "nv12", 96, None),
        ("rawvideo", "yuyv422", 96, None),
        ("mjpeg", "yuvj420p", 96, None),
        ("mjpeg", "yuvj444p", 96, None),
        ("png", "rgb24", 96, None),
        ("png", "pal8", 96, None),
    ],
)
def test_colours_come_back(tmp_path, codec, pix_fmt, height, matrix):
    """Range and matrix are read right: six patches keep their RGB within coding error."""
    rgb = np.repeat(np.array(COLOURS, np.uint8), 32, axis=0)[None].repeat(height, axis=0)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")
    if pix_fmt == "pal8":
        frame = palette_frame(height)
    elif pix_fmt != "rgb24":
        full = pix_fmt.startswith("yuvj")
        frame = frame.reformat(
            format=pix_fmt, dst_colorspace=matrix or "itu601", dst_color_range=2 if full else 1
        )
    path = tmp_path / ("clip.mkv" if matrix else "clip.nut")  # NUT does not keep the matrix
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 192, height, pix_fmt
        stream.codec_context.colorspace = frame.colorspace
        if codec == "mjpeg":
            stream.options = {"qscale": "2"}
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_source(path) as source:
        back = next(iter(source)).picture.rgb()
    middles = back[height // 2, 16::32].astype(int)
    assert np.abs(middles - np.array(COLOURS)).max() <= (8 if codec == "mjpeg" else 4)


def palette_frame(height):
    frame = av.VideoFrame(192, height, "pal8")
    lines = np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)
    lines[:height, :192] = np.repeat(np.arange(6, dtype=np.uint8), 32)
    palette = np.frombuffer(frame.planes[1], np.uint8).reshape(256, 4)
    palette[:] = 255
    palette[:6, :3] = np.array(COLOURS)[:, ::-1]
    return frame


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_the_display_matrix_is_applied(tmp_path, degrees, mirrored):
    path = write_video(tmp_path / "clip.mp4", 2, rotation=degrees, hflip=mirrored, options={"crf": "1"})
    with open_source(path) as source:
        picture = next(iter(source)).picture
    seen = np.rot90(drawing(0), degrees // 90)
    seen = (seen[:, ::-1] if mirrored else seen).astype(float)
    probe = source.probe
    assert (probe.rotation, probe.mirrored) == (degrees, mirrored)
    assert (probe.height, probe.width) == picture.luma.shape == seen.shape
    assert np.abs(picture.luma - (seen * 219 / 255 + 16)).mean() < 2
    assert picture.chroma[0].shape == (seen.shape[0] // 2, seen.shape[1] // 2)


def test_full_luma_repeated_is_a_duplicate_and_one_changed_pixel_is_not(tmp_path):
    drawn = [0, 1, 1, 2, 2, 2, 3]
    path = write_video(tmp_path / "clip.mkv", 7, codec="ffv1", pix_fmt="gray", numbers=drawn)
    with open_source(path) as source:
        assert [frame.duplicate for frame in source] == [False, False, True, False, True, True, False]
    folder = write_pictures(tmp_path / "folder", {"1.png": 5, "2.png": 5})
    changed = drawing(5)
    changed[-1, -1] += 1
    cv2.imwrite(str(folder / "3.png"), changed)
    with open_source(folder, fps=100) as source:
        assert [frame.duplicate for frame in source] == [False, True, False]


def test_a_size_that_changes_is_refused_by_name(tmp_path):
    parts = [write_video(tmp_path / f"{w}.h264", 12, size=(w, 64), format="h264") for w in (96, 128)]
    joined = tmp_path / "joined.h264"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert "96x64 to 128x64 at frame 12" in refusal(joined)


# --- time ---


def test_variable_stamps_are_kept_and_a_late_first_one_is_zero(tmp_path):
    stamps = [
        137 + t for t in np.cumsum([0, 33, 17, 50, 33, 41, 25, 66, 33, 9, 58, 20, 47, 13, 80]).tolist()
    ]
    path = write_video(tmp_path / "clip.mkv", 15, stamps=stamps, time_base=MILLISECONDS)
    with open_source(path) as source:
        frames = list(source)
    assert [frame.pts for frame in frames] == stamps
    assert [frame.time for frame in frames] == [(s - 137) / 1000 for s in stamps]
    assert sum(frame.missing for frame in frames) == 0  # nothing regular, so nothing is known to be lost


def test_dropped_frames_of_a_constant_rate_are_counted_where_they_are(tmp_path):
    kept = [n for n in range(60) if n not in (20, 35, 36, 37)]
    path = write_video(tmp_path / "clip.mp4", 56, rate=200, stamps=kept, numbers=kept)
    with open_source(path) as source:
        frames = list(source)
    assert {number_of(f.picture.luma): f.missing for f in frames if f.missing} == {21: 1, 38: 3}
    assert source.counts.missing == 4
    assert [round(f.time * 200) for f in frames] == kept
    assert [f.index for f in frames] == list(range(56))


def placed(stamps, tick=MILLISECONDS, **options):
    counts = Counts()
    timeline = Timeline(tick, counts)
    return [timeline.place(stamp, **options) for stamp in stamps], counts


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-50, 400), min_size=1, max_size=80), st.integers(-(10**12), 10**12))
def test_times_always_increase_and_never_depend_on_the_first_stamp(steps, origin):
    stamps = np.cumsum([origin, *steps]).tolist()
    here, counts = placed(stamps)
    moments = [place.time for place in here if place]
    assert all(b > a for a, b in itertools.pairwise(moments))
    assert counts.disordered == sum(place is None for place in here)
    there, _ = placed([stamp + 12345 for stamp in stamps])
    assert [p and (p.time, p.missing) for p in here] == [p and (p.time, p.missing) for p in there]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(25, 1000),
    st.sets(st.integers(15, 99), max_size=4),
    st.sampled_from([MPEG, MILLISECONDS / 10]),
)
def test_losses_at_any_constant_rate_are_counted_despite_rounded_stamps(rate, lost, tick):
    kept = [n for n in range(100) if n not in lost]
    places, counts = placed([round(Fraction(n, rate) / tick) for n in kept], tick)
    gaps = {kept[i]: kept[i] - kept[i - 1] - 1 for i in range(1, len(kept)) if kept[i] - kept[i - 1] > 1}
    assert {kept[i]: place.missing for i, place in enumerate(places) if place.missing} == gaps
    assert counts.missing == sum(gaps.values())


def test_stamps_that_alternate_by_rounding_are_no_losses():
    """640 frames a second in milliseconds: intervals of 1 and 2."""
    _, counts = placed([n * 1000 // 640 for n in range(400)])
    assert counts.missing == counts.disordered == 0


def test_the_33_bit_clock_wraps_without_a_step():
    start = WRAP - 45_000
    places, counts = placed([(start + 450 * n) % WRAP for n in range(300)], MPEG)
    assert [place.time for place in places] == [n * 450 / 90000 for n in range(300)]
    assert counts == Counts()


def test_a_restarted_clock_goes_on_and_marks_the_hole():
    regular = [n * 5 for n in range(40)]
    places, counts = placed([1_000_000 + t for t in regular] + regular)
    assert [round(place.time * 200) for place in places] == list(range(80))
    assert [i for i, place in enumerate(places) if place.missing] == [40]
    assert counts.discontinuities == 1


def test_equal_and_backward_stamps_are_left_out_and_counted():
    places, counts = placed([0, 5, 10, 10, 15, 12, 20])
    assert [place and place.time for place in places] == [0, 0.005, 0.01, None, 0.015, None, 0.02]
    assert counts.disordered == 2


def test_absent_stamps_are_filled_by_duration_or_the_running_interval():
    places, counts = placed([None, None, None], duration=40)
    assert [place.time for place in places] == [0, 0.04, 0.08]
    assert counts.filled_pts == 3
    places, counts = placed([*range(0, 100, 5), None, 105, None, None, 120])
    assert [place.time for place in places][20:] == [0.1, 0.105, 0.11, 0.115, 0.12]
    assert (counts.filled_pts, counts.missing) == (3, 0)


def test_a_first_picture_without_stamp_does_not_move_the_others():
    places, _ = placed([None, 500_000, 500_040, 500_080], duration=40)
    assert [place.time for place in places] == [0, 0.04, 0.08, 0.12]


# --- a part of the input ---


def test_a_part_keeps_the_numbers_and_times_of_the_whole(tmp_path):
    path = write_video(tmp_path / "clip.mp4", 100, rate=50, options={"preset": "veryfast", "g": "20"})
    with open_source(path) as source:
        whole = {frame.index: frame.time for frame in source}
    with open_source(path, start=0.7, end=1.1) as source:
        part = list(source)
    assert [frame.index for frame in part] == list(range(35, 55))  # 0.70 s to 1.08 s
    assert [number_of(frame.picture.luma) for frame in part] == list(range(35, 55))
    assert all(frame.time == whole[frame.index] for frame in part)
    assert source.ending == "end of the chosen part"


def test_impossible_parts_are_refused(tmp_path):
    path = write_video(tmp_path / "clip.mp4", 30)
    assert "--end 1 is not after --start 2" in refusal(path, start=2, end=1)
    assert "--start" in refusal(path, start=-1)
    assert "--end" in refusal(path, end=float("nan"))
    for wish, words in (
        ({"start": 1.5}, "ends before --start 1.5"),
        ({"start": 0.51, "end": 0.52}, "no frame between 0.51 s and 0.52 s"),
    ):
        with pytest.raises(MicroauError, match=words):
            open_source(path, **wish)  # at once, before anything could be written


# --- folders of pictures ---


def test_pictures_are_sorted_by_number_and_holes_keep_their_time(tmp_path):
    names = {
        "img2.png": 2,
        "img10.jpg": 10,
        "img003.PNG": 3,
        "img9.bmp": 9,
        "img4_left.tif": 4,
        "img11.webp": 11,
    }
    folder = write_pictures(tmp_path / "folder", names)
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".img5.png").write_bytes(b"resource fork")
    with open_source(folder, fps=200) as source:
        frames = list(source)
    assert [number_of(frame.picture.luma) for frame in frames] == [2, 3, 4, 9, 10, 11]
    assert [frame.index for frame in frames] == list(range(6))
    assert [frame.missing for frame in frames] == [0, 0, 0, 4, 0, 0]
    assert [frame.time for frame in frames] == [0, 0.005, 0.01, 0.035, 0.04, 0.045]
    assert source.probe.duration == 10 / 200


def test_sixteen_bits_gray_and_colour_pictures_are_read(tmp_path):
    deep = drawing(7).astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / "1.png"), deep)
    assert np.array_equal(read_picture(tmp_path / "1.png").luma, drawing(7))
    colour = np.dstack([drawing(7), drawing(8), drawing(9)])
    cv2.imwrite(str(tmp_path / "2.png"), colour)
    back = read_picture(tmp_path / "2.png")
    assert back.chroma is not None
    assert np.abs(back.luma - cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY).astype(int)).max() <= 1


def test_folders_that_are_no_recording_are_refused(tmp_path, capfd):
    folder = tmp_path / "folder"
    folder.mkdir()
    assert "no pictures in it" in refusal(folder, fps=30)
    cv2.imwrite(str(folder / "face.png"), drawing(0))
    assert "none of its pictures has a number" in refusal(folder, fps=30)
    write_pictures(folder, {"1.png": 1, "2.png": 2, "3.png": 3})
    assert "needs --fps" in refusal(folder)
    assert "--fps 0" in refusal(folder, fps=0)
    cv2.imwrite(str(folder / "2.png"), drawing(2, 128, 80))
    assert "2.png: 128x80, but the first picture of the folder is 96x64" in refusal(folder, fps=30)
    (folder / "2.png").write_bytes(b"\x89PNG broken")
    assert "2.png: not a picture that can be read" in refusal(folder, fps=30)
    write_pictures(folder, {"2.png": 2, "img02.png": 2})
    assert "have the same number" in refusal(folder, fps=30)
    assert capfd.readouterr().err == ""  # OpenCV's own complaints are held back


# --- what is no video ---


def test_what_is_not_a_video_is_refused_in_one_line(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("Dear diary,\n" * 100)
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(1).bytes(5000))
    assert "no such file" in refusal(tmp_path / "absent.mp4")
    assert "too long" in refusal("x" * 5000)
    assert "null" in refusal("clip\0.mp4")
    assert "one input" in refusal("")
    assert "empty (0 bytes)" in refusal(tmp_path / "empty.mp4")
    assert "not a video" in refusal(tmp_path / "text.mp4")
    assert "not a video" in refusal(tmp_path / "noise.mp4")
    assert "not a regular file" in refusal("/dev/null")
    assert "--fps" in refusal(write_video(tmp_path / "clip.mp4"), fps=30)
    assert "--width" in refusal(tmp_path / "clip.mp4", width=640, height=480)
    with pytest.raises(MicroauError, match="one input"):
        open_source()
    with pytest.raises(MicroauError, match="one input"):
        open_source("x.mp4", camera=0)


def test_sound_alone_is_refused(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert "no video in it, only audio" in refusal(path)


def test_an_unknown_codec_is_refused(tmp_path):
    path = write_video(tmp_path / "clip.avi", 5, codec="mjpeg", pix_fmt="yuvj420p")
    path.write_bytes(path.read_bytes().replace(b"MJPG", b"ZZZZ"))
    assert "codec" in refusal(path)


def test_a_truncated_file_gives_what_decodes(tmp_path):
    for name in ("clip.mkv", "clip.ts", "clip.avi"):
        path = write_video(
            tmp_path / name, 100, codec="mjpeg" if "avi" in name else "libx264", pix_fmt="yuvj420p"
        )
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
        with open_source(path) as source:
            found = numbers(source)
        assert 40 < len(found) < 80, name
        assert found == list(range(len(found)))
    path = write_video(tmp_path / "clip.mp4", 100)  # its index stands at the end
    path.write_bytes(path.read_bytes()[:-2000])
    assert "cut off" in refusal(path)


def test_damaged_data_in_the_middle_is_counted_and_leaves_the_rest_in_place(tmp_path):
    path = write_video(tmp_path / "clip.avi", 60, codec="mjpeg", pix_fmt="yuvj420p", rate=100)
    data = bytearray(path.read_bytes())
    starts = [i for i in range(len(data) - 3) if data[i : i + 3] == b"\xff\xd8\xff"]
    data[starts[30] : starts[31] - 8] = bytes(starts[31] - 8 - starts[30])  # picture 30 becomes zeros
    path.write_bytes(data)
    with open_source(path) as source:
        frames = list(source)
    assert [number_of(f.picture.luma) for f in frames] == [n for n in range(60) if n != 30]
    assert [round(f.time * 100) for f in frames] == [n for n in range(60) if n != 30]
    assert source.counts.decoder_errors + source.counts.damaged == 1
    assert source.counts.missing == 1


@pytest.mark.parametrize("seed", range(4))
def test_no_guessed_picture_is_delivered_after_lost_packets(tmp_path, seed):
    """Transport packets are lost; FFmpeg would show older pictures in place of those it cannot build."""
    options = {"preset": "veryfast", "g": "25", "crf": "10"}
    path = write_video(tmp_path / "clip.ts", 200, rate=200, options=options, size=(320, 240))
    data = path.read_bytes()
    packets = [data[i : i + 188] for i in range(0, len(data), 188)]
    keep = np.random.default_rng(seed).random(len(packets)) > 0.01
    path.write_bytes(b"".join(packet for i, packet in enumerate(packets) if i < 20 or keep[i]))
    with open_source(path) as source:
        frames = list(source)
    assert 50 < len(frames) < 200
    assert all(number_of(f.picture.luma) == round(f.time * 200) for f in frames)
    assert all(b.missing == round((b.time - a.time) * 200) - 1 for a, b in itertools.pairwise(frames))
    assert source.counts.missing == sum(frame.missing for frame in frames)


# --- security ---


def test_names_are_never_taken_for_protocols_or_options(tmp_path, monkeypatch):
    made = write_video(tmp_path / "made.mp4", 5)
    monkeypatch.chdir(tmp_path)
    for name in ("-", "-i", "concat:x.mp4", "file:made.mp4", "a|b.mp4", "pipe:0", "weiß %d.mp4"):
        shutil.copy(made, tmp_path / name)
        with open_source(name) as source:
            assert numbers(source) == list(range(5)), name
    os.symlink(made, tmp_path / "link.mp4")
    with open_source(tmp_path / "link.mp4") as source:
        assert numbers(source) == list(range(5))


def test_playlists_and_address_tricks_reach_no_other_file_or_host(tmp_path):
    secret = write_video(tmp_path / "secret.ts", 5)
    for address in (
        f"concat:{secret}|{secret}",
        f"subfile,,start,0,end,0,,:{secret}",
        f"data:video/mp4,{secret}",
    ):
        assert "no such file" in refusal(address)
    for address in (f"file://{secret}", f"crypto+file://{secret}", "ftp://host/x.mp4", "gopher://host/x"):
        assert "not an address that is read" in refusal(address)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.ts"
        lists = {
            "list.m3u8": f"#EXTM3U\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
            "local.m3u8": f"#EXTM3U\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n",
            "list.ffconcat": "ffconcat version 1.0\nfile secret.ts\n",
            "list.mp4": "ffconcat version 1.0\nfile secret.ts\n",
            "list.sdp": "v=0\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 33\n",
            "list.mpd": f'<?xml version="1.0"?><MPD><Period><BaseURL>{url}</BaseURL></Period></MPD>',
        }
        for name, text in lists.items():
            (tmp_path / name).write_text(text)
            assert "not read" in (line := refusal(tmp_path / name)) or "not a video" in line
        with pytest.raises(TimeoutError):
            server.accept()


# --- real clips ---


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "size", "count", "seconds"),
    [
        ("single_face.mp4", (640, 360), 72, 2.367),
        ("cap13_edit2.mp4", (400, 300), 765, 30.56),
        ("face_noface.mov", (960, 540), 169, 6.36),  # a phone's variable rate, HEVC
        ("small_face_again.mkv", (640, 480), 77, 2.534),  # its first PTS is 33
        ("grid_bbaf2n.mpg", (360, 288), 75, 2.96),
    ],
)
def test_real_clips(media, name, size, count, seconds):
    with open_source(media / "clips" / name) as source:
        frames = list(source)
    assert (source.probe.width, source.probe.height) == size
    assert len(frames) == count
    assert frames[0].time == 0
    assert frames[-1].time == pytest.approx(seconds, abs=0.001)
    assert source.counts.missing == source.counts.disordered == source.counts.decoder_errors == 0
