"""Each loader on a small folder that is built here in that set's own shape, mistakes included."""

import doctest
import importlib
import pkgutil

import cv2
import numpy as np
import pytest
from dataset_folders import HEADER2, picture, put_frames, put_video, put_xls, put_xlsx, row2

from microau.engine.errors import MicroauError
from microau.training import datasets
from microau.training.datasets import errata, registry
from microau.training.datasets.emotions import emotion_class, emotion_name, label_of
from microau.training.datasets.errata import SWAPS
from microau.training.datasets.frames import FrameFolder, VideoFrames
from microau.training.datasets.guard import LeakError, check_split, copies, fingerprint
from microau.training.datasets.registry import find_layout, load


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(datasets.__path__)])
def test_the_examples_of_the_docstrings_hold(name):
    module = importlib.import_module(f"{datasets.__name__}.{name}")
    assert doctest.testmod(module).failed == 0


def problems(loaded):
    return [str(problem) for problem in loaded.problems]


def only(loaded):
    assert len(loaded.samples) == 1, problems(loaded)
    return loaded.samples[0]


@pytest.fixture
def casme2(tmp_path):
    """Two subjects; frames unpadded; a shortcut and a Thumbs.db lie about."""
    put_xlsx(
        tmp_path / "CASME2-coding-20140508.xlsx",
        [
            HEADER2,
            row2(1, "EP02_01f", 46, 59, 86, "12", "happiness"),
            row2("02", "EP03_02", 8, 12, 20, "L14+R4", "Repression"),
        ],
    )
    raw = tmp_path / "CASME2_RAW_selected" / "CASME2_RAW_selected"
    put_frames(raw / "sub01" / "EP02_01f", range(46, 87))
    put_frames(raw / "sub02" / "EP03_02", range(8, 21), first=500)
    (raw / "Desktop - Shortcut.lnk").write_bytes(b"lnk")
    (raw / "sub01" / "EP02_01f" / "Thumbs.db").write_bytes(b"x")
    return tmp_path


class TestCasme2:
    def test_reads_every_field(self, casme2):
        loaded = load("casme2", casme2)
        first, second = loaded.samples
        assert not loaded.problems
        assert (first.subject, first.clip, first.onset, first.apex, first.offset) == (
            "sub01", "EP02_01f", 46, 59, 86,
        )  # fmt: skip
        assert (first.emotion, str(first.aus), first.rate, first.kind) == (
            "happiness",
            "12",
            200.0,
            "micro",
        )
        assert first.duration == pytest.approx(0.2)
        assert (second.subject, second.emotion, str(second.aus)) == ("sub02", "repression", "L14+R4")
        assert loaded.subjects == ("sub01", "sub02")
        assert loaded.version == "CASME2-coding-20140508.xlsx, 2 rows"
        assert second.source == "CASME2-coding-20140508.xlsx row 3"

    def test_frames_are_sorted_by_number_and_read_by_number(self, casme2):
        sample = load("casme2", casme2).samples[1]
        assert sample.frames.numbers == tuple(range(8, 21))  # as text, 10 comes before 8
        onset, apex = sample.pair()
        np.testing.assert_array_equal(onset, picture(508)[:, :, ::-1])  # files are BGR to OpenCV
        np.testing.assert_array_equal(apex, picture(512)[:, :, ::-1])

    def test_a_later_version_is_preferred_and_the_other_named(self, casme2):
        put_xlsx(
            casme2 / "labels" / "CASME2-coding-20190701.xlsx",
            [HEADER2, row2(1, "EP02_01f", 46, 60, 86, "12", "happiness")],
        )
        loaded = load("casme2", casme2)
        assert only(loaded).apex == 60
        assert "20190701" in loaded.version
        assert "not used: CASME2-coding-20140508.xlsx" in loaded.version
        assert any("1 of 2 image folders without a sample" in text for text in problems(loaded))

    def test_columns_may_move_and_carry_spaces(self, casme2):
        header = [
            "Estimated Emotion ",
            "Action Units",
            " OnsetFrame",
            "ApexFrame",
            "OffsetFrame",
            "Filename",
            "Subject",
        ]
        rows = [header, ["surprise", "1+2", 46, 59, 86, "EP02_01f", 1]]
        put_xlsx(casme2 / "CASME2-coding-updated.xlsx", rows)
        sample = only(load("casme2", casme2))
        assert (sample.emotion, str(sample.aus), sample.onset) == ("surprise", "1+2", 46)

    def test_csv_export_in_a_chinese_encoding(self, casme2):
        (casme2 / "CASME2-coding-20140508.xlsx").unlink()
        text = "Subject,Filename,OnsetFrame,ApexFrame,OffsetFrame,Action Units,Estimated Emotion,备注\n"
        text += '1,EP02_01f,46,59,86,"L12，4",happiness,好\n'
        (casme2 / "CASME2-coding-20140508.csv").write_bytes(text.encode("gb18030"))
        assert str(only(load("casme2", casme2)).aus) == "L12+4"

    def test_old_excel_file(self, casme2):
        (casme2 / "CASME2-coding-20140508.xlsx").unlink()
        header = [cell or "" for cell in HEADER2]
        put_xls(casme2 / "CASME2_label_Ver_2.xls", [header, row2(1, "EP02_01f", 46, 59, 86, 12)])
        sample = only(load("casme2", casme2))
        assert (sample.onset, str(sample.aus)) == (46, "12")

    def test_images_preferred_whole_then_cropped_and_never_mixed(self, casme2):
        put_frames(casme2 / "Cropped" / "sub01" / "EP02_01f", range(46, 87), "reg_img{}.png")
        whole, cropped = load("casme2", casme2), load("casme2", casme2, tree="cropped")
        assert "CASME2_RAW_selected" in str(whole.samples[0].frames.path)
        assert "cropped (1 folder)" in whole.images
        assert only(cropped).frames.numbers == tuple(range(46, 87))
        assert any("EP03_02" in text and "but in selected" in text for text in problems(cropped))

    def test_folders_of_any_depth_case_and_subject_spelling(self, casme2):
        raw = casme2 / "CASME2_RAW_selected"
        raw.rename(casme2 / "unpacked")
        (casme2 / "unpacked" / "CASME2_RAW_selected" / "sub01").rename(casme2 / "unpacked" / "1")
        clip = casme2 / "unpacked" / "1" / "EP02_01f"
        clip.rename(clip.with_name("ep02_01F"))
        assert any(s.clip == "EP02_01f" for s in load("casme2", casme2, tree="images").samples)

    def test_objective_classes_are_joined(self, casme2):
        put_xlsx(
            casme2 / "CASME2-ObjectiveClasses.xlsx",
            [["Subject", "Filename", "Objective Class"], [1, "EP02_01f", 1], [2, "EP03_02", 7]],
        )
        assert [s.objective for s in load("casme2", casme2).samples] == [1, 7]

    def test_a_slash_for_the_apex_is_no_apex_and_said(self, casme2):
        put_xlsx(casme2 / "CASME2-coding-updated.xlsx", [HEADER2, row2(1, "EP02_01f", 46, "/", 86)])
        loaded = load("casme2", casme2)
        assert only(loaded).apex is None
        assert any(
            "row 2 (sub01/EP02_01f): no apex; kept without apex" in text for text in problems(loaded)
        )

    @pytest.mark.parametrize(
        ("row", "why"),
        [
            (row2(1, "EP02_01f", 46, 59, 40), "offset 40 is not after onset 46"),
            (row2(1, "EP02_01f", 7, 59, 86), "no image of the onset 7 in EP02_01f (46 to 86)"),
            (row2(1, "EP02_01f", "x", 59, 86), "onset is 'x', no frame number"),
            (row2(1, "EP02_01f", None, 59, 86), "no onset"),
            (row2(1, "EP09", 46, 59, 86), "no image folder in the tree 'selected'"),
            (row2("abc", "EP02_01f", 46, 59, 86), "subject 'abc' is no number"),
        ],
    )
    def test_a_row_that_cannot_be_used_is_left_out_with_its_reason(self, casme2, row, why):
        good = row2(2, "EP03_02", 8, 12, 20)
        put_xlsx(casme2 / "CASME2-coding-updated.xlsx", [HEADER2, row, good])
        loaded = load("casme2", casme2)
        assert only(loaded).clip == "EP03_02"
        failed = [problem for problem in loaded.problems if problem.left_out]
        assert len(failed) == 1
        assert why in failed[0].what
        assert "CASME2-coding-updated.xlsx row 2" in failed[0].where
        assert loaded.rows == 2

    @pytest.mark.parametrize(
        ("row", "why"),
        [
            (row2(1, "EP02_01f", 46, 90, 86), "apex 90 is not between onset 46 and offset 86"),
            (row2(1, "EP02_01f", 46, 46, 86), "apex is the onset frame"),
            (row2(1, "EP02_01f", 46, "?!", 86), "no apex"),
            (row2(1, "EP02_01f", 46, 59, 86, "4+xyz"), "kept without units"),
            (row2(1, "EP02_01f", 46, 59, 86, "4", "boredom"), "kept without emotion"),
            (
                row2(1, "EP02_01f", 46, 59, 89),
                "3 frames missing between onset and offset, the first is 87",
            ),
        ],
    )
    def test_a_row_with_a_flaw_is_kept_and_said(self, casme2, row, why):
        put_xlsx(casme2 / "CASME2-coding-updated.xlsx", [HEADER2, row])
        loaded = load("casme2", casme2)
        only(loaded)
        assert any(why in text for text in problems(loaded)), problems(loaded)

    def test_a_hole_in_the_frames_is_reported(self, casme2):
        (casme2 / "CASME2_RAW_selected/CASME2_RAW_selected/sub01/EP02_01f/img70.png").unlink()
        loaded = load("casme2", casme2)
        assert len(loaded.samples) == 2
        assert any(
            "1 frame missing between onset and offset, the first is 70" in t for t in problems(loaded)
        )

    def test_two_images_of_one_number_are_reported(self, casme2):
        folder = casme2 / "CASME2_RAW_selected/CASME2_RAW_selected/sub01/EP02_01f"
        put_frames(folder, [50], "img0{}.png")
        assert any(
            "1 image passed over, e.g. img50.png" in text for text in problems(load("casme2", casme2))
        )

    def test_a_clip_counted_anew_from_one_is_followed_where_certain(self, casme2):
        put_frames(casme2 / "CASME2_RAW_selected/CASME2_RAW_selected/sub03/EP01", range(1, 12))
        put_xlsx(casme2 / "CASME2-coding-updated.xlsx", [HEADER2, row2(3, "EP01", 100, 104, 110)])
        loaded = load("casme2", casme2)
        sample = only(loaded)
        assert (sample.onset, sample.apex, sample.offset) == (1, 5, 11)
        assert any("counts from 1: all frames moved by -99" in text for text in problems(loaded))

    def test_a_clip_counted_anew_is_not_followed_where_a_frame_is_missing(self, casme2):
        put_frames(casme2 / "CASME2_RAW_selected/CASME2_RAW_selected/sub03/EP01", range(1, 11))
        put_xlsx(casme2 / "CASME2-coding-updated.xlsx", [HEADER2, row2(3, "EP01", 100, 104, 110)])
        assert load("casme2", casme2).samples == ()


def casme2_with(tmp_path, index, row, frames, rows):
    """A CASME II file in which data row `index` (from 0) is the given one, and its frames."""
    filler = row2(1, "EP00", 1, 2, 3)
    table = [filler] * rows
    table[index] = row
    put_xlsx(tmp_path / "CASME2-coding-updated.xlsx", [HEADER2, *table])
    put_frames(tmp_path / "selected" / "sub01" / "EP00", (1, 2, 3))
    put_frames(tmp_path / "selected" / f"sub{row[0]:02d}" / row[1], frames)
    return tmp_path


def of_clip(loaded, clip):
    return next(sample for sample in loaded.samples if sample.clip == clip)


class TestErrata:
    def test_offset_zero_of_ep12_01f(self, tmp_path):
        root = casme2_with(tmp_path, 60, row2(4, "EP12_01f", 71, "/", 0), range(60, 100), rows=61)
        sample = of_clip(load("casme2", root), "EP12_01f")
        assert (sample.apex, sample.offset, sample.errata) == (78, 91, ("casme2-offset-60",))

    def test_a_switch_turns_it_off(self, tmp_path):
        root = casme2_with(tmp_path, 60, row2(4, "EP12_01f", 71, "/", 0), range(60, 100), rows=61)
        loaded = load("casme2", root, switch=())
        assert not [s for s in loaded.samples if s.clip == "EP12_01f"]
        assert any("offset 0 is not after onset 71" in text for text in problems(loaded))

    def test_a_mended_row_is_left_alone(self, tmp_path):
        root = casme2_with(tmp_path, 60, row2(4, "EP12_01f", 71, 80, 95), range(60, 100), rows=61)
        sample = of_clip(load("casme2", root), "EP12_01f")
        assert (sample.apex, sample.offset, sample.errata) == (80, 95, ())

    @pytest.mark.parametrize(("index", "rows"), [(29, 30), (237, 256), (236, 255)])
    def test_missing_apexes_by_row_and_version(self, tmp_path, index, rows):
        apex = {29: 279, 237: 153, 236: 153}[index]
        row = row2(9, "EPx", apex - 9, "/", apex + 9)
        sample = of_clip(
            load("casme2", casme2_with(tmp_path, index, row, range(apex - 9, apex + 10), rows)), "EPx"
        )
        assert sample.apex == apex

    def test_an_estimate_that_does_not_fit_the_row_is_not_applied(self, tmp_path):
        root = casme2_with(tmp_path, 29, row2(9, "EPx", 10, "/", 30), range(10, 31), rows=30)
        sample = of_clip(load("casme2", root), "EPx")
        assert (sample.apex, sample.errata) == (None, ())

    def test_an_unknown_name_is_refused(self, casme2):
        with pytest.raises(MicroauError, match="no such erratum"):
            load("casme2", casme2, switch=["casme2-offset-61"])

    def test_names_are_unique_and_sets_exist(self):
        assert len(set(errata.names())) == len(errata.names())
        assert {erratum.dataset for erratum in errata.ERRATA} <= set(registry.LAYOUTS)


SAMM_HEADER = [
    "Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration",
    "Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes",
]  # fmt: skip


def samm_folder(tmp_path, rows, index=None):
    notes = [[f"note {k}"] for k in range(13)]
    if index is not None:
        filler = ["006", "006_1_1", 1, 1, 2, 3, 3, "Micro - 1/2", "4", "Other", 3, None]
        put_frames(tmp_path / "SAMM" / "006" / "006_1_1", (1, 2, 3), "006_{:05d}.png")
        rows = [filler] * index + rows
    put_xlsx(tmp_path / "SAMM_Micro_FACS_Codes_v2.xlsx", ("MICRO_ONLY", [*notes, SAMM_HEADER, *rows]))


class TestSamm:
    def test_header_below_notes_text_subjects_padded_frames(self, tmp_path):
        row = ["006", "006_1_2", 1, 5562, 5588, 5632, 71, "Micro - 1/2", "R14A or 17A", "Anger", 3, None]
        samm_folder(tmp_path, [row])
        put_frames(tmp_path / "SAMM" / "006" / "006_1_2", range(5562, 5633), "006_{:05d}.png")
        sample = only(load("samm", tmp_path))
        assert (sample.subject, sample.clip, sample.apex, sample.emotion, sample.objective) == (
            "006", "006_1_2", 5588, "anger", 3,
        )  # fmt: skip
        assert str(sample.aus) == "R14A or 17A"

    def test_padding_that_differs_is_the_same_number(self, tmp_path):
        samm_folder(tmp_path, [[6, "006_1_2", 1, 998, 1001, 1005, 8, "Micro - 1/2", "4", "Other", 3, None]])
        folder = tmp_path / "006" / "006_1_2"
        put_frames(folder, range(998, 1000), "006_0{}.png")
        put_frames(folder, range(1000, 1006), "006_{}.png")
        loaded = load("samm", tmp_path)
        assert only(loaded).frames.numbers == tuple(range(998, 1006))
        assert not loaded.problems

    @pytest.mark.parametrize(
        ("index", "row", "expected"),
        [
            (125, (1100, None, 1120), (1100, 1105, 1120)),
            (132, (4940, None, 4960), (4940, 4945, 4960)),
            (56, (5730, 5735, 5639), (5730, 5735, 5739)),
        ],
    )
    def test_errata_by_row(self, tmp_path, index, row, expected):
        onset, apex, offset = row
        coded = ["010", "010_9_1", 1, onset, apex, offset, 0, "Micro - 1/2", "12", "Happiness", 1, None]
        samm_folder(tmp_path, [coded], index)
        put_frames(tmp_path / "SAMM/010/010_9_1", range(expected[0], expected[2] + 1), "010_{:05d}.png")
        sample = of_clip(load("samm", tmp_path), "010_9_1")
        assert (sample.onset, sample.apex, sample.offset) == expected
        assert sample.errata

    def test_alternatives_are_kept_unless_asked_otherwise(self, tmp_path):
        row = ["010", "010_9_1", 1, 5, 8, 20, 0, "Micro - 1/2", "L14 or R14", "Other", 1, None]
        samm_folder(tmp_path, [row], 41)
        put_frames(tmp_path / "SAMM/010/010_9_1", range(5, 21), "010_{:05d}.png")
        assert str(of_clip(load("samm", tmp_path), "010_9_1").aus) == "L14 or R14"
        decided = load("samm", tmp_path, switch=["samm-aus-41"])
        assert str(of_clip(decided, "010_9_1").aus) == "L14"


class TestSmic:
    def test_labels_in_the_folders(self, tmp_path):
        root = tmp_path / "SMIC_all_raw"
        put_frames(root / "HS/s01/micro/negative/s01_ne_01", range(137021, 137040), "image{}.bmp")
        put_frames(root / "HS/s2/micro/surprise/s2_sur_03", range(1, 9), "image{:06d}.bmp", first=90)
        put_frames(root / "VIS/s01/micro/positive/s01_po_01", range(1, 5), "image{}.bmp")
        first, second = load("smic-hs", tmp_path).samples
        assert (first.subject, first.onset, first.apex, first.offset, first.emotion) == (
            "s01", 137021, None, 137039, "negative",
        )  # fmt: skip
        assert (second.subject, second.emotion, second.rate) == ("s02", "surprise", 100.0)
        assert not first.aus.coded
        assert only(load("smic-vis", tmp_path)).emotion == "positive"

    def test_annotation_with_several_movements_and_text_below(self, tmp_path):
        header = [
            "Subject",
            "Filename",
            None,
            "OnsetF",
            "OffsetF",
            "Onset2F",
            "Offset2F",
            "FirstF",
            "Emotion",
        ]
        rows = [
            header,
            [1, "s01_ne_01", None, 105, 120, 150, 160, 100, "negative"],
            [2, "s02_po_01", None, 3, 9, None, None, 1, "positive"],
            ["Notes: the frames were counted by hand"],
        ]
        put_xlsx(tmp_path / "SMIC-HS-E_annotation_2019.xlsx", rows)
        put_frames(tmp_path / "SMIC-HS-E/s01/s01_ne_01", range(100, 170), "image{}.png")
        put_frames(tmp_path / "SMIC-HS-E/s02/s02_po_01", range(1, 12), "image{}.png", first=400)
        loaded = load("smic", tmp_path)
        assert [(s.clip, s.onset, s.offset) for s in loaded.samples] == [
            ("s01_ne_01", 105, 120), ("s01_ne_01", 150, 160), ("s02_po_01", 3, 9),
        ]  # fmt: skip
        assert len({s.key for s in loaded.samples}) == 3
        assert not loaded.problems

    def test_a_folder_that_is_something_else(self, tmp_path):
        put_frames(tmp_path / "holiday", [1])
        with pytest.raises(MicroauError, match="no clip folder like HS/s01"):
            load("smic-hs", tmp_path)


def casme_sq_folder(tmp_path, rows):
    people = [[15, "s15", 1], [16, "s16", 2]]
    videos = [["0101", "disgust1"], ["0401", "anger1"]]
    put_xlsx(
        tmp_path / "CAS(ME)^2code_final.xlsx",
        ("CASFEcode_final", rows), ("naming rule1", people), ("naming rule2", videos),
    )  # fmt: skip


class TestCasmeSquared:
    def test_no_header_and_names_through_two_sheets(self, tmp_path):
        rows = [
            [1, "anger1_1", 10, 14, 18, "4+7", "negative", "micro-expression", "anger"],
            [1, "anger1_2", 30, 40, 0, "12", "positive", "macro-expression", "happyiness"],
            [2, "disgust1_1", 5, 6, 9, "9", "negative", "micro-expression", "disgust"],
        ]
        casme_sq_folder(tmp_path, rows)
        put_frames(tmp_path / "rawpic/s15/15_0401girlcrashing", range(1, 61))
        put_frames(tmp_path / "rawpic/s16/16_0101disgustingteeth", range(1, 20), first=300)
        loaded = load("CAS(ME)^2", tmp_path)
        assert [(s.subject, s.clip, s.kind, s.onset, s.offset) for s in loaded.samples] == [
            ("s15", "15_0401", "micro", 10, 18),
            ("s15", "15_0401", "macro", 30, None),
            ("s16", "16_0101", "micro", 5, 9),
        ]
        assert loaded.samples[1].apex == 40
        assert loaded.samples[0].frames is loaded.samples[1].frames

    @pytest.mark.parametrize(
        ("row", "why"),
        [
            ([9, "anger1_1", 1, 2, 3, "4", "x", "micro-expression", ""], "subject 9 is not in the sheet"),
            ([1, "joy7_1", 1, 2, 3, "4", "x", "micro-expression", ""], "video joy7 is not in the sheet"),
            ([1, "anger1_1", 1, 2, 3, "4", "x", "blink", ""], "neither macro nor micro"),
        ],
    )
    def test_names_that_lead_nowhere(self, tmp_path, row, why):
        good = [1, "anger1_1", 10, 14, 18, "4+7", "negative", "micro-expression", "anger"]
        casme_sq_folder(tmp_path, [good, row])
        put_frames(tmp_path / "rawpic/s15/15_0401girlcrashing", range(1, 61))
        loaded = load("casme-sq", tmp_path)
        only(loaded)
        assert any(why in text and "(left out)" in text for text in problems(loaded))


class TestSammLongVideos:
    HEADER = ("Subject", "Filename", "Inducement Code", "Onset", "Apex", "Offset", "Duration", "Type",
              "Action Units", "Notes")  # fmt: skip

    def test_types_videos_and_emotions_from_samm(self, tmp_path):
        rows = [
            [6, "006_1_1", 1, 0, 3, 9, 10, "Macro", "12", None],
            ["006", "006_1_2", 1, 20, 30, 45, 26, "Micro - 1/2", "4+7B", None],
            ["006", "006_1_3", 1, 50, 60, 79, 30, "Macro", "6+12", None],
        ]
        notes = [["note"]] * 9
        put_xlsx(
            tmp_path / "SAMM_LongVideos_V3_Release.xlsx",
            ("FACS_Movement_Only", [*notes, list(self.HEADER), *rows]),
        )
        samm = [SAMM_HEADER, ["006", "006_1_2", 1, 20, 30, 45, 26, "Micro - 1/2", "4+7B", "Anger", 3, None]]
        put_xlsx(tmp_path / "SAMM_Micro_FACS_Codes_v2.xlsx", samm)
        put_frames(tmp_path / "SAMM_longvideos" / "006_1", range(1, 101), "006_1_{:05d}.png")
        loaded = load("samm-lv", tmp_path)
        assert [(s.clip, s.kind, s.emotion) for s in loaded.samples] == [
            ("006_1", "micro", "anger"), ("006_1", "macro", ""),
        ]  # fmt: skip
        assert any("no image of the onset 0" in text for text in problems(loaded))


class TestCasmeCubed:
    HEADER = ("Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion")

    def test_clips_whose_capitals_differ(self, tmp_path):
        rows = [self.HEADER, ("spNO.1", "a", 355, 358, 364, "4+7", 3, "disgust")]
        put_xlsx(tmp_path / "annotation/cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx", ("label", rows))
        put_frames(tmp_path / "Part_A_ME_clip/frame/spNo.1_a_355", range(355, 365), "{}.png")
        put_frames(tmp_path / "Part_A_ME_clip/depth/spNo.1_a_355", range(355, 365), "{}.png")
        sample = only(load("casme3", tmp_path))
        assert "depth" not in str(sample.frames.path)
        assert (sample.subject, sample.emotion, sample.objective, sample.rate) == (
            "spNO.1",
            "disgust",
            3,
            30.0,
        )

    def test_whole_videos_hold_several_movements(self, tmp_path):
        rows = [
            self.HEADER,
            ("spNO.1", "a", 20, 23, 29, "12", 1, "happy"),
            ("spNO.1", "a", 40, 40, 60, "4", 3, "others"),
        ]
        put_xlsx(tmp_path / "cas(me)3_part_A_ME_label_JpgIndex_v1.xlsx", ("label", rows))
        put_frames(tmp_path / "part_A/spNO.1/a/color", range(1, 70), "{}.png")
        put_frames(tmp_path / "part_A/spNO.1/a/depth", range(1, 70), "{}.png")
        loaded = load("casme3", tmp_path)
        assert [(s.key, s.apex, s.emotion) for s in loaded.samples] == [
            ("spNO.1/a/20", 23, "happiness"), ("spNO.1/a/40", None, "others"),
        ]  # fmt: skip

    def test_part_c_has_no_apex(self, tmp_path):
        header = ["sub", "count", "au", "onset", "offset"]
        put_xlsx(tmp_path / "CAS(ME)3_part_C.xlsx", [header])
        put_xlsx(tmp_path / "CAS(ME)3_part_C_ME.xlsx", [header, [3, 1, "1，2", 10, 22]])
        put_frames(tmp_path / "part_C/03/1/color", range(1, 40), "{}.png")
        loaded = load("casme3-c", tmp_path)
        sample = only(loaded)
        assert (sample.subject, str(sample.aus), sample.apex) == ("03", "1+2", None)
        assert not loaded.problems


def test_casme_first_of_two_apexes(tmp_path):
    header = ["Emotion", "Subject", None, "Filename", "OnsetF", "ApexF1", "ApexF2", None, "OffsetF", "AUs"]
    rows = [header, ["tense", 1, None, "EP01_5", 20, 25, 27, None, 33, "4"]]
    put_xlsx(tmp_path / "casme.xlsx", rows)
    put_frames(tmp_path / "CASME_raw_selected/sub01/EP01_5", range(20, 34), "EP01_5-{:03d}.png")
    sample = only(load("casme", tmp_path))
    assert (sample.apex, sample.emotion, sample.rate) == (25, "tense", 60.0)


def test_casme_reads_no_label_file_of_its_successors(tmp_path):
    put_xlsx(tmp_path / "CASME2-coding-20140508.xlsx", [HEADER2])
    put_frames(tmp_path / "sub01" / "EP01", [1])
    with pytest.raises(MicroauError, match=r"no label file like casme\.xlsx"):
        load("casme", tmp_path)


def test_mmew_by_emotion_folder(tmp_path):
    header = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units",
              "Estimated Emotion", "remarks"]  # fmt: skip
    put_xlsx(
        tmp_path / "MMEW_Micro_Exp.xlsx", [header, ["S02", "S02-01-001", 1, 5, 12, "12", "happiness", None]]
    )
    put_frames(tmp_path / "Micro_Expression/happiness/S02-01-001", range(1, 13), "{}.png")
    put_frames(tmp_path / "Macro_Expression/S02/happiness", range(1, 3), "{}.png")
    sample = only(load("mmew", tmp_path))
    assert (sample.subject, sample.emotion, sample.rate) == ("S02", "happiness", 90.0)


def fourdme_folder(tmp_path, rows):
    header = ["sub_ID", "fold_name", "Onset", "Apex", "Offset", "AUs", "AU4", "AU7", "Positive", "Negative",
              "Surprise", "Repression", "Others"]  # fmt: skip
    put_xlsx(tmp_path / "4DME_Labelling_Micro_release v1.xlsx", [header, *rows])


def test_fourdme_uncertain_units_and_emotion_columns(tmp_path):
    rows = [
        [1, "1_a", 10, 14, 20, "AU4+AU7(k)", 1, 1, 0, 1, 0, 0, 0],
        [1, "1_b", 30, 34, 40, "AU12", 0, 0, 1, 0, 1, 0, 0],
    ]
    fourdme_folder(tmp_path, rows)
    put_frames(tmp_path / "gray_micro/1/1_a", range(10, 21), "{}.png")
    put_frames(tmp_path / "gray_micro/1/1_b", range(30, 41), "{}.png")
    loaded = load("4DME", tmp_path)
    first, second = loaded.samples
    assert (str(first.aus), first.emotion) == ("4+7?", "negative")
    assert second.emotion == ""
    assert any("positive+surprise" in text for text in problems(loaded))


def test_fourdme_swapped_rows(tmp_path):
    (_, a, b, length) = SWAPS["fourdme-swap-144-145"]
    rows = [[1, f"c{k}", 1, 2, 3, f"AU{1 + (k == a)}", 0, 0, 0, 1, 0, 0, 0] for k in range(length)]
    fourdme_folder(tmp_path, rows)
    for k in (0, a, b):
        put_frames(tmp_path / f"gray_micro/1/c{k}", (1, 2, 3), "{}.png", first=5 * k)
    coded = {s.clip: str(s.aus) for s in load("fourdme", tmp_path).samples}
    assert coded == {"c0": "1", f"c{a}": "1", f"c{b}": "2"}
    as_published = {s.clip: str(s.aus) for s in load("fourdme", tmp_path, switch=()).samples}
    assert as_published == {"c0": "1", f"c{a}": "2", f"c{b}": "1"}


class TestPlain:
    def test_image_folders_and_a_rate_of_their_own(self, tmp_path):
        text = "Subject,Filename,Onset,Apex,Offset,Action Units,Emotion,Type,Rate\n"
        text += "anna,visit1/clip7,3,5,9,L12,happiness,micro,120\n"
        (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
        put_frames(tmp_path / "recordings/visit1/clip7", range(1, 12), "{}.png")
        sample = only(load("plain", tmp_path))
        assert (sample.subject, sample.rate, sample.duration) == ("anna", 120.0, 0.05)

    def test_videos_in_the_layout_that_generated_clips_have(self, tmp_path):
        text = "Subject,Filename,OnsetFrame,ApexFrame,OffsetFrame,Action Units,Estimated Emotion\n"
        text += "p01,clip_0001,2,5,8,1+2,surprise\n"
        (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
        put_video(tmp_path / "clip_0001.mp4", 12)
        sample = only(load("plain", tmp_path))
        assert isinstance(sample.frames, VideoFrames)
        assert sample.frames.numbers == tuple(range(12))
        assert [round(float(p.mean()) / 20) for p in sample.pair()] == [2, 5]

    def test_no_rate_is_no_duration(self, tmp_path):
        (tmp_path / "labels.csv").write_text("Subject,Filename,Onset,Offset\na,c,1,3\n", encoding="utf-8")
        put_frames(tmp_path / "c", (1, 2, 3))
        assert np.isnan(only(load("plain", tmp_path)).duration)


class TestFrames:
    def test_unicode_paths(self, tmp_path):
        put_frames(tmp_path / "x", [1])
        folder = tmp_path / "实验 é"
        (tmp_path / "x").rename(folder)
        np.testing.assert_array_equal(FrameFolder(folder).read([1])[1], picture(1)[:, :, ::-1])

    def test_an_image_that_is_none(self, tmp_path):
        (tmp_path / "img1.jpg").write_bytes(b"no image")
        with pytest.raises(MicroauError, match=r"img1\.jpg: no readable image"):
            FrameFolder(tmp_path).read([1])

    def test_a_video_that_is_none(self, tmp_path):
        (tmp_path / "a.mp4").write_bytes(b"no video")
        with pytest.raises(MicroauError, match="no readable video"):
            VideoFrames(tmp_path / "a.mp4")


class TestEmotions:
    def test_three_classes_of_the_composite_challenge(self):
        casme2 = {"disgust": "negative", "repression": "negative", "happiness": "positive",
                  "surprise": "surprise", "sadness": None, "fear": None, "others": None}  # fmt: skip
        assert {name: emotion_class("three", "casme2", name) for name in casme2} == casme2
        for name in ("anger", "contempt", "disgust", "fear", "sadness"):
            assert emotion_class("three", "samm", name) == "negative"
        assert emotion_class("three", "smic-hs", "positive") == "positive"

    def test_published_counts_fold_into_published_class_counts(self):
        """The class maps applied to the published emotion counts give the published class counts."""
        samm = fold("three", "samm")
        assert samm == {"negative": 92, "positive": 26, "surprise": 15}
        smic = fold("three", "smic-hs")
        assert smic == {"negative": 70, "positive": 51, "surprise": 43}
        casme2 = fold("three", "casme2")
        assert (casme2["positive"], casme2["surprise"]) == (32, 25)
        assert casme2["negative"] - len({"EP12_01f", "EP12_03f"}) == 88  # the clips that MEGC leaves out
        assert sum(fold("five", "samm").values()) == 136
        assert sum(fold("seven", "casme3").values()) == 860

    def test_clips_that_the_challenge_leaves_out(self, tmp_path):
        put_xlsx(
            tmp_path / "CASME2-coding-20190701.xlsx",
            [
                HEADER2,
                row2(5, "EP12_03f", 1, 2, 3, "4", "disgust"),
                row2(5, "EP01", 1, 2, 3, "4", "disgust"),
            ],
        )
        put_frames(tmp_path / "sub05" / "EP12_03f", (1, 2, 3))
        put_frames(tmp_path / "sub05" / "EP01", (1, 2, 3))
        samples = load("casme2", tmp_path).samples
        assert [label_of(s, "three") for s in samples] == [None, "negative"]
        assert [label_of(s, "five") for s in samples] == ["disgust", "disgust"]

    def test_unknown_words_and_protocols(self):
        with pytest.raises(ValueError, match="boredom"):
            emotion_name("boredom")
        with pytest.raises(MicroauError, match="no such class protocol"):
            emotion_class("two", "samm", "anger")
        with pytest.raises(MicroauError, match="no five-class protocol is published for smic-hs"):
            emotion_class("five", "smic-hs", "negative")


def fold(protocol, dataset):
    counts = {}
    for emotion, number in find_layout(dataset).published.emotions.items():
        name = emotion_class(protocol, dataset, emotion)
        if name:
            counts[name] = counts.get(name, 0) + number
    return counts


class TestRegistry:
    @pytest.mark.parametrize("spelling", ["casme2", "CASME-II", "casme_ii", "CASME 2"])
    def test_spellings(self, spelling):
        assert find_layout(spelling).name == "casme2"

    def test_the_nearest_name_is_offered(self):
        with pytest.raises(MicroauError, match="did you mean casme2"):
            find_layout("casmee2")

    def test_published_counts_add_up(self):
        for layout in registry.LAYOUTS.values():
            published = layout.published
            if published.kinds:
                assert sum(published.kinds.values()) == published.samples
            if published.emotions:
                assert sum(published.emotions.values()) == published.samples
            if published.objective:
                assert sum(published.objective.values()) == published.samples


@pytest.fixture
def prints(casme2):
    return [fingerprint(sample) for sample in load("casme2", casme2).samples]


class TestLeakGuard:
    def test_a_clean_split_passes(self, prints):
        check_split(prints[:1], prints[1:])
        assert copies(prints) == []

    def test_a_person_on_both_sides(self, prints):
        with pytest.raises(LeakError, match="casme2/sub01 is in training"):
            check_split(prints, prints[:1])

    def test_a_copied_frame_under_another_name_and_person(self, casme2):
        folder = casme2 / "CASME2_RAW_selected/CASME2_RAW_selected"
        copied = cv2.imread(str(folder / "sub01/EP02_01f/img59.png"))
        cv2.imwrite(str(folder / "sub02/EP03_02/img12.png"), copied, [cv2.IMWRITE_PNG_COMPRESSION, 0])
        first, second = map(fingerprint, load("casme2", casme2).samples)
        with pytest.raises(LeakError, match=r"a frame of sub02/EP03_02/8 \(test\) is also one of sub01"):
            check_split([first], [second])
        assert copies([first, second]) == [(first.key, second.key)]

    def test_the_people_of_samm_are_those_of_its_long_videos(self):
        assert registry.person("samm", "006") == registry.person("samm-lv", "006")
        assert registry.person("smic-hs", "s01") == registry.person("smic-nir", "s01")
        assert registry.person("casme", "sub01") != registry.person("casme2", "sub01")
