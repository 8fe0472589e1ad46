"""`microau-data`: what it says of a folder, and what it says where there is nothing to read."""

import subprocess
import sys

import pytest
from dataset_folders import HEADER2, put_frames, put_xlsx, row2

from microau.training.cli_data import main


@pytest.fixture
def folder(tmp_path):
    rows = [
        row2(1, "EP02_01f", 46, 59, 86, "L12", "happiness"),
        row2(2, "EP03_02", 8, "/", 20, "4?+R14B or 17", "disgust"),
        row2(2, "EP03_99", 1, 2, 3, "4", "others"),
        row2(2, "EP03_02", 8, 12, 20, "4+xy", "disgust"),
    ]
    put_xlsx(tmp_path / "CASME2-coding-20140508.xlsx", [HEADER2, *rows])
    put_frames(tmp_path / "CASME2_RAW_selected/sub01/EP02_01f", range(46, 87))
    put_frames(tmp_path / "CASME2_RAW_selected/sub02/EP03_02", [*range(8, 15), *range(17, 21)], first=300)
    return tmp_path


def page(capsys, *arguments):
    status = main(list(map(str, arguments)))
    printed = capsys.readouterr()
    return status, printed.out.splitlines(), printed.err


def test_counts_versions_and_gaps(folder, capsys):
    status, lines, _ = page(capsys, "check", "casme2", folder)
    assert status == 0
    assert f"CASME II in {folder}" in lines
    assert "  labels      CASME2-coding-20140508.xlsx, 4 rows" in lines
    assert "  pictures    selected (2 folders)" in lines
    assert "  rows        4, of which 3 can be used" in lines
    assert "  samples            3   published 255 (-252)" in lines
    assert "  disgust            2   published 63 (-61)" in lines
    assert "  AU12               1   published 34 (-33)" in lines
    assert "  sub02              2" in lines
    assert "  2 samples with missing frames, 1 without a usable apex" in lines


def test_side_intensity_doubt_and_alternatives_are_counted(folder, capsys):
    _, lines, _ = page(capsys, "check", "casme2", folder)
    told = "  of 4 units: 2 one-sided, 1 with intensity, 1 uncertain, 2 alternatives; 1 sample not coded"
    assert told in lines


def test_every_row_that_fails_is_there_with_its_reason(folder, capsys):
    _, lines, _ = page(capsys, "check", "casme2", folder)
    text = "\n".join(lines)
    lost = text[text.index("Left out: 1 row") : text.index("To look at")]
    assert "row 4 (sub02/EP03_99): no image folder in the tree 'selected'" in lost
    assert "row 3 (sub02/EP03_02): no apex; kept without apex" in text
    assert "row 5 (sub02/EP03_02): action units '4+xy': 'XY' is not understood; kept without units" in text
    assert "2 frames missing between onset and offset, the first is 15" in text


def test_a_complete_copy_has_no_difference_to_tell(tmp_path, capsys):
    rows = [row2(1 + k % 26, f"EP{k}", 1, 2, 3, "4", "others") for k in range(255)]
    put_xlsx(tmp_path / "CASME2-coding-20140508.xlsx", [HEADER2, *rows])
    for row in rows:
        put_frames(tmp_path / f"sub{row[0]:02d}" / row[1], (1, 2, 3))
    _, lines, _ = page(capsys, "check", "casme2", tmp_path)
    assert "  samples          255   published 255" in lines
    assert "  subjects          26   published 26" in lines
    assert lines[-1] == "No row failed."


def test_errata_can_be_switched_off(folder, capsys):
    assert page(capsys, "check", "casme2", folder, "--errata")[0] == 0
    status, _, told = page(capsys, "check", "casme2", folder, "--errata", "no-such")
    assert status == 2
    assert "no such erratum" in told


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("casme2", "no such folder"),
        ("samm", "no label file like SAMM_Micro_FACS_Codes_v2.xlsx"),
        ("casmee2", "did you mean casme2"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(folder, capsys, name, told):
    where = folder / "nowhere" if told == "no such folder" else folder
    status, lines, error = page(capsys, "check", name, where)
    assert (status, lines) == (2, [])
    assert told in error
    assert error.count("\n") == 1
    assert error.startswith("microau-data: ")


def test_a_label_file_that_is_none(tmp_path, capsys):
    (tmp_path / "CASME2-coding-20140508.xlsx").write_text("not an Excel file", encoding="utf-8")
    put_frames(tmp_path / "sub01/EP1", [1])
    status, _, error = page(capsys, "check", "casme2", tmp_path)
    assert status == 2
    assert "no readable Excel file" in error


def test_a_label_file_with_other_columns(tmp_path, capsys):
    put_xlsx(tmp_path / "CASME2-coding-20140508.xlsx", [["a", "b"], [1, 2]])
    put_frames(tmp_path / "sub01/EP1", [1])
    status, _, error = page(capsys, "check", "casme2", tmp_path)
    assert status == 2
    assert "no sheet with the columns subject, filename, onsetframe, offsetframe" in error


def test_labels_without_any_picture(tmp_path, capsys):
    put_xlsx(tmp_path / "CASME2-coding-20140508.xlsx", [HEADER2, row2(1, "EP1", 1, 2, 3)])
    status, _, error = page(capsys, "check", "casme2", tmp_path)
    assert status == 2
    assert "none of the 1 rows of CASME II has an image folder" in error


def test_a_tree_that_is_not_there(folder, capsys):
    status, _, error = page(capsys, "check", "casme2", folder, "--images", "cropped")
    assert status == 2
    assert "of the tree 'cropped'" in error


def test_pictures_are_opened_and_compared(folder, capsys):
    _, lines, _ = page(capsys, "check", "casme2", folder, "--pictures")
    assert lines[-1] == "Pictures: those of 3 samples can be read; no two people share one."
    raw = folder / "CASME2_RAW_selected"
    (raw / "sub01/EP02_01f/img59.png").write_bytes(b"no picture")
    (raw / "sub02/EP03_02/img12.png").write_bytes((raw / "sub01/EP02_01f/img46.png").read_bytes())
    _, lines, _ = page(capsys, "check", "casme2", folder, "--pictures")
    assert any(
        line.strip().startswith("sub01/EP02_01f/46: ") and "no readable image" in line for line in lines
    )
    (raw / "sub01/EP02_01f/img59.png").write_bytes((raw / "sub01/EP02_01f/img60.png").read_bytes())
    _, lines, _ = page(capsys, "check", "casme2", folder, "--pictures")
    assert "  sub01/EP02_01f/46: shares a picture with sub02/EP03_02/8" in lines


def test_nothing_here_needs_torch():
    modules = "microau.training.cli_data, microau.training.evaluation.cli, microau.training.metrics"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_lists(capsys):
    _, lines, _ = page(capsys, "list")
    assert any(line.startswith("casme2") and "200 fps" in line for line in lines)
    _, lines, _ = page(capsys, "errata", "samm")
    assert all(line.startswith("samm-") for line in lines)
    assert any("5739" in line for line in lines)
