"""Where CLIP's weights come from, what is refused, and open_clip beside a torch without CUDA."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_paper import SIZES

from microau.engine.errors import MicroauError
from microau.training.towers import ClipSizes, clip_model
from microau.training.towers.weights import weights_file


@pytest.fixture(scope="module")
def published() -> torch.nn.Module:
    """A model that somebody else has trained."""
    torch.manual_seed(11)
    return clip_model(SIZES, "random")


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_a_local_safetensors_file_fills_both_towers(published, tmp_path):
    path = tmp_path / "open_clip_model.safetensors"
    save_file({name: value.contiguous() for name, value in published.state_dict().items()}, path)
    torch.manual_seed(12)
    assert same(clip_model(SIZES, str(path)), published)
    assert not same(clip_model(SIZES, "random"), published)


def test_a_pickle_of_tensors_is_read_in_the_restricted_way(published, tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(published.state_dict(), path)
    assert same(clip_model(SIZES, str(path)), published)


class Harm:
    """A pickle that leaves a file when it is opened without restriction."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    path, mark = tmp_path / "weights.pt", tmp_path / "harm"
    torch.save({"state_dict": Harm(mark)}, path)
    with pytest.raises(
        MicroauError, match=r"not opened.*restricted way only: convert it to safetensors"
    ) as error:
        clip_model(SIZES, str(path))
    assert not mark.exists()
    assert "\n" not in str(error.value)
    pickle.loads(pickle.dumps(Harm(mark)))  # the harm is real
    assert mark.exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of making such a file
def test_a_torchscript_archive_is_refused(tmp_path):
    path = tmp_path / "ViT-B-32.pt"
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    with pytest.raises(MicroauError, match="convert it to safetensors"):
        clip_model(SIZES, str(path))


def test_weights_of_other_sizes_are_refused(published, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"visual.proj": torch.zeros(3, 3)}, path)
    with pytest.raises(MicroauError, match="not the weights of a CLIP of the sizes asked for"):
        clip_model(SIZES, str(path))
    path.write_bytes(b"no tensors here")
    with pytest.raises(MicroauError, match="not opened"):
        clip_model(SIZES, str(path))


def test_an_unknown_name_says_which_there_are():
    with pytest.raises(MicroauError, match=r"openia.*no such file.*openai.*random"):
        clip_model(SIZES, "openia")


def test_published_weights_belong_to_their_own_sizes():
    with pytest.raises(MicroauError, match="'openai' belong to ViT-B-32 with quick_gelu=True"):
        weights_file(SIZES, "openai")
    with pytest.raises(MicroauError, match="quick_gelu=False"):
        weights_file(ClipSizes(), "laion2b_s34b_b79k")


def test_without_network_the_way_out_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        MicroauError, match=r"'openai' could not be fetched .* or 'random' for none$"
    ) as error:
        weights_file(ClipSizes(), "openai")
    assert "\n" not in str(error.value)


def test_missing_operators_are_declared_only_where_the_plain_import_fails(tmp_path):
    """Two torchvisions that stand in for the real one: a whole one, and one built for another torch."""
    broken = "import torch\ntorch.library.register_fake('torchvision::nms')(lambda *a: a[0])\n"
    for name, body in (("whole", ""), ("broken", broken)):
        package = tmp_path / name / "torchvision"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f"{body}kind = {name!r}\n")
    code = (
        "import sys\n"
        "from microau.training.towers import library\n"
        f"for name in ('whole', 'broken'):\n"
        f"    sys.path.insert(0, {str(tmp_path)!r} + '/' + name)\n"
        "    sys.modules.pop('torchvision', None)\n"
        "    library.import_torchvision()\n"
        "    print(sys.modules['torchvision'].kind, len(library._declared))\n"
    )
    # a process of its own: operators cannot be taken back
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split("\n")[:2] == ["whole 0", "broken 1"]
