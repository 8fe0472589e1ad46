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
from microau.training.towers.library import open_clip
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


def test_a_file_of_transformers_gives_what_transformers_gives(tmp_path):
    """Its own model, drawn at random and saved by itself, against ours from that file."""
    open_clip()  # mends torchvision, which transformers wants too
    clip = pytest.importorskip("transformers.models.clip", reason="transformers is not installed")
    text = {"hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2}
    text |= {"vocab_size": 49408, "bos_token_id": 49406, "eos_token_id": 49407}
    vision = {"hidden_size": 24, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 2}
    vision |= {"image_size": 56, "patch_size": 8}
    torch.manual_seed(5)
    theirs = clip.CLIPModel(
        clip.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    ).eval()
    for parameter in theirs.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.05)
    path = tmp_path / "model.safetensors"
    save_file({name: value.contiguous() for name, value in theirs.state_dict().items()}, path)
    ours = clip_model(SIZES, str(path)).eval()
    image, words = (
        torch.randn(2, 3, 56, 56),
        open_clip().tokenize(["The chin is rising", "The chin is not rising"]),
    )
    with torch.no_grad():
        said = theirs(input_ids=words, pixel_values=image)
        torch.testing.assert_close(
            ours.encode_image(image, normalize=True), said.image_embeds, atol=1e-5, rtol=1e-4
        )
        torch.testing.assert_close(
            ours.encode_text(words, normalize=True), said.text_embeds, atol=1e-5, rtol=1e-4
        )
    assert torch.equal(ours.logit_scale, theirs.logit_scale)


def test_names_of_transformers_reach_every_place(published, tmp_path):
    """The way back by hand, without that library: nothing is left out, nothing is left over."""
    state = published.state_dict()
    theirs = {}
    for name, tensor in state.items():
        tower = "vision_model" if name.startswith("visual.") else "text_model"
        short = name.removeprefix("visual.")
        if short.startswith("transformer.resblocks."):
            number, part = short.removeprefix("transformer.resblocks.").split(".", 1)
            start = f"{tower}.encoder.layers.{number}."
            if "in_proj" in part:
                kind = part.rpartition("_")[2]
                for letter, third in zip("qkv", tensor.chunk(3), strict=True):
                    theirs[f"{start}self_attn.{letter}_proj.{kind}"] = third.clone()
                continue
            for ours, other in (
                ("attn.out", "self_attn.out"),
                ("ln_", "layer_norm"),
                ("c_fc", "fc1"),
                ("c_proj", "fc2"),
            ):
                part = part.replace(ours, other)
            theirs[start + part] = tensor
    flat = {
        "logit_scale": "logit_scale",
        "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
        "positional_embedding": "text_model.embeddings.position_embedding.weight",
        "visual.class_embedding": "vision_model.embeddings.class_embedding",
        "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
        "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    } | {
        f"{ours}.{kind}": f"{other}.{kind}" for kind in ("weight", "bias") for ours, other in (
            ("ln_final", "text_model.final_layer_norm"), ("visual.ln_pre", "vision_model.pre_layrnorm"),
            ("visual.ln_post", "vision_model.post_layernorm"))
    }  # fmt: skip
    theirs |= {other: state[ours] for ours, other in flat.items()}
    theirs["text_projection.weight"] = state["text_projection"].T
    theirs["visual_projection.weight"] = state["visual.proj"].T
    path = tmp_path / "model.safetensors"
    save_file({name: value.contiguous() for name, value in theirs.items()}, path)
    assert same(clip_model(SIZES, str(path)), published)
    del theirs["text_model.encoder.layers.0.mlp.fc1.bias"]
    save_file({name: value.contiguous() for name, value in theirs.items()}, path)
    with pytest.raises(MicroauError, match="not the weights of a CLIP"):
        clip_model(SIZES, str(path))


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
