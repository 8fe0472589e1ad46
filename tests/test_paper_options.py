"""Settings of the paper's model: nonsense is refused, and every row of its tables is one of them."""

import json
from collections import defaultdict

import pytest

from microau.engine.errors import MicroauError
from microau.training.paper import FIGURES, ROWS, ClipSizes, PaperOptions, rows
from microau.training.paper.rows import DATASETS

OWN = [row for row in ROWS if row.settings is not None]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pooling": "sum"}, "pooling must be one of pta, mean, max, got 'sum'"),
        ({"form": "hinge"}, "form must be one of softmax, sum, sigmoid"),
        ({"trainable_layers": 13}, "trainable_layers must be 0 to 12, got 13"),
        ({"contrast": "none"}, "alpha 0.6 weights no loss: contrast is none; set alpha to 0"),
        ({"fusion": "add"}, "beta 1 weights no loss: only GDA has dependency weights"),
        ({"branches": "lsi"}, "set beta to 0"),
        ({"alpha": -1.0}, "must not be negative"),
        ({"picture": 0.0}, "picture must be positive"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, words):
    with pytest.raises(MicroauError, match=words):
        PaperOptions(**settings)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(MicroauError, match="image \\(224\\) must be a multiple of patch \\(30\\)"):
        ClipSizes(patch=30)
    with pytest.raises(MicroauError, match="multiple of its heads"):
        ClipSizes(text_heads=7)


def test_options_survive_json():
    options = PaperOptions(alpha=0.2, sizes=ClipSizes(visual_layers=3, text_layers=3), form="sigmoid")
    assert PaperOptions.from_json(json.loads(json.dumps(options.to_json()))) == options
    assert PaperOptions.from_json({"alpha": 0.2}) == PaperOptions(alpha=0.2)
    with pytest.raises(MicroauError, match="alhpa: no setting of the paper's model; there are alpha, beta"):
        PaperOptions.from_json({"alhpa": 0.2})
    with pytest.raises(MicroauError, match="dept: no size of CLIP"):
        PaperOptions.from_json({"sizes": {"dept": 3}})


def test_the_tables_are_whole():
    counts = {"II": 3, "III": 2, "IV": 5, "V": 5, "VI": 3, "VII": 3, "VIII": 4, "IX": 9, "X": 8}
    assert {table: len(rows(table)) for table in counts} == counts
    assert len(ROWS) == sum(counts.values())
    assert all(row.task == ("emotion" if row.table == "X" else "units") for row in ROWS)


def test_rows_of_one_setting_print_one_figure():
    """The same model stands in several tables: a reading of the rows is right only if the figures agree."""
    figures = defaultdict(set)
    for row in OWN:
        for dataset in DATASETS:
            figures[row.task, dataset, repr(row.options(dataset))].add(row.printed(dataset).f1)
    assert all(len(values) == 1 for values in figures.values())
    assert len(figures) < 2 * len(OWN)  # some settings do stand in several tables


def test_rows_keep_what_no_table_varies():
    base = PaperOptions(
        pretrained="random", sizes=ClipSizes(visual_layers=3, text_layers=3), form="sigmoid"
    )
    for row in OWN:
        options = row.options("samm", base)
        assert (options.pretrained, options.sizes, options.form) == ("random", base.sizes, "sigmoid")


def test_loss_weights_are_those_of_the_data_set():
    full = next(row for row in rows("II") if row.name == "LSI and GSD")
    assert (full.options("casme2").alpha, full.options("casme2").beta) == (0.6, 1.0)
    assert (full.options("samm").alpha, full.options("samm").beta) == (1.0, 0.6)


def test_other_methods_have_no_setting():
    with pytest.raises(ValueError, match="AU-LLM: another method"):
        next(row for row in ROWS if row.name == "AU-LLM").options("casme2")


def test_figures_name_models_that_can_be_built():
    for _, models in FIGURES.values():
        for settings in models.values():
            PaperOptions(**settings)
