"""The same weights under the names of the transformers library, as `openai/clip-vit-base-patch32` has them.

Many people have that folder already. Its `model.safetensors` holds query, key and value apart and the
projections turned round; otherwise only the names differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

MARK = "text_model.final_layer_norm.weight"
"""A name by which such a file is known."""
TURNED = {"visual_projection.weight": "visual.proj", "text_projection.weight": "text_projection"}
PLAIN = {
    "logit_scale": "logit_scale",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
}
NORMS = {
    "text_model.final_layer_norm": "ln_final",
    "vision_model.pre_layrnorm": "visual.ln_pre",  # spelt so
    "vision_model.post_layernorm": "visual.ln_post",
}
PARTS = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
LAYER = re.compile(r"(text|vision)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")


def to_open_clip(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of open_clip's CLIP; what is not known keeps its name and is refused on loading."""
    ours: dict[str, Tensor] = {}
    for name, tensor in theirs.items():
        if name.endswith("embeddings.position_ids"):
            continue  # 0, 1, 2, ...
        if name in TURNED:
            ours[TURNED[name]] = tensor.T.contiguous()
        elif layer := LAYER.fullmatch(name):
            _layer(ours, theirs, layer)
        else:
            ours[_plain(name)] = tensor
    return ours


def _plain(name: str) -> str:
    owner, _, kind = name.rpartition(".")
    return f"{NORMS[owner]}.{kind}" if owner in NORMS else PLAIN.get(name, name)


def _layer(ours: dict[str, Tensor], theirs: Mapping[str, Tensor], layer: re.Match[str]) -> None:
    tower, number, part, kind = layer.groups()
    block = f"{'visual.' if tower == 'vision' else ''}transformer.resblocks.{number}"
    if part in PARTS:
        ours[f"{block}.{PARTS[part]}.{kind}"] = theirs[layer.string]
    elif part == "self_attn.q_proj":  # stands for all three
        start = layer.string.removesuffix(f"q_proj.{kind}")
        three = [theirs[f"{start}{letter}_proj.{kind}"] for letter in "qkv"]
        ours[f"{block}.attn.in_proj_{kind}"] = torch.cat(three)
    elif part not in ("self_attn.k_proj", "self_attn.v_proj"):
        ours[layer.string] = theirs[layer.string]
