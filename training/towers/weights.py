"""Build CLIP in open_clip's own modules and fill it: published weights, a local file, or chance.

The weights of OpenAI are fetched by open_clip (Hugging Face hub, safetensors) and kept in that hub's
cache. On a machine without network the same file is given by its path. A pickle can run any code when
it is opened: `.pt` and `.bin` files are read by torch's restricted reader alone, and what that reader
refuses is refused here.
"""

from __future__ import annotations

import pickle
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ...engine.errors import MicroauError
from .library import open_clip
from .renaming import MARK, to_open_clip

ARCHITECTURE = "ViT-B-32"
RANDOM = "random"
"""Name of no weights at all."""
PICKLES = (".pt", ".pth", ".bin")


@dataclass(frozen=True, slots=True)
class ClipSizes:
    """Sizes of both towers; the defaults are those of ViT-B/32 (Radford et al. 2021)."""

    image: int = 224
    """S, pixels."""
    patch: int = 32
    """Pixels; the token grid has image / patch rows and columns."""
    width: int = 512
    """D, of the space that images and texts share."""
    visual_width: int = 768
    visual_layers: int = 12
    visual_heads: int = 12
    text_width: int = 512
    text_layers: int = 12
    text_heads: int = 8
    context: int = 77
    """Most tokens of a text."""
    words: int = 49408
    """Entries of CLIP's vocabulary; the tokenizer decides it."""
    quick_gelu: bool = True
    """OpenAI's activation; most weights that were trained with open_clip (LAION) have plain GELU."""

    def __post_init__(self) -> None:
        if self.image % self.patch:
            raise MicroauError(f"image ({self.image}) must be a multiple of patch ({self.patch})")
        if self.visual_width % self.visual_heads or self.text_width % self.text_heads:
            raise MicroauError("the width of a tower must be a multiple of its heads")

    def arguments(self) -> dict[str, Any]:
        """For `open_clip.CLIP`."""
        return {
            "embed_dim": self.width,
            "quick_gelu": self.quick_gelu,
            "vision_cfg": {
                "image_size": self.image,
                "patch_size": self.patch,
                "width": self.visual_width,
                "layers": self.visual_layers,
                "head_width": self.visual_width // self.visual_heads,
            },
            "text_cfg": {
                "context_length": self.context,
                "vocab_size": self.words,
                "width": self.text_width,
                "layers": self.text_layers,
                "heads": self.text_heads,
            },
        }


def clip_model(sizes: ClipSizes, pretrained: str) -> Any:
    """open_clip's CLIP with both towers, filled.

    pretrained  'openai' or another tag of open_clip for ViT-B-32; the path of a file, of open_clip or (as
                safetensors) of transformers; 'random': as torch's generator has it
    """
    package = open_clip()
    source = None if pretrained == RANDOM else weights_file(sizes, pretrained)
    model = package.CLIP(**sizes.arguments())
    if source is not None:
        _fill(model, source)
    return model


def weights_file(sizes: ClipSizes, pretrained: str) -> Path:
    """The file behind a tag of open_clip (fetched where it is not there yet) or behind a path."""
    package = open_clip()
    published = package.get_pretrained_cfg(ARCHITECTURE, pretrained)
    if not published:
        return _local_file(pretrained, package.list_pretrained_tags_by_model(ARCHITECTURE))
    if asdict(sizes) != asdict(ClipSizes(quick_gelu=bool(published.get("quick_gelu")))):
        raise MicroauError(
            f"the weights {pretrained!r} belong to {ARCHITECTURE} with"
            f" quick_gelu={bool(published.get('quick_gelu'))}; give these sizes, or pretrained='random'"
        )
    try:
        return Path(package.download_pretrained(published))
    except OSError as error:
        raise MicroauError(
            f"the weights {pretrained!r} could not be fetched ({_first_line(error)}). Without network give"
            " the file: pretrained='open_clip_model.safetensors', or 'random' for none"
        ) from None


def _local_file(pretrained: str, tags: list[str]) -> Path:
    path = Path(pretrained)
    if not path.is_file():
        raise MicroauError(
            f"pretrained {pretrained!r}: no such file, and no weights of {ARCHITECTURE} by that name; there"
            f" are {', '.join(tags)}, and random"
        )
    return path


def _fill(model: nn.Module, path: Path) -> None:
    """Every tensor of the file, each to its place."""
    package = open_clip()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*TorchScript archive")  # refused below, in one line
            if path.suffix == ".safetensors" and MARK in (tensors := load_file(path)):
                model.load_state_dict(to_open_clip(tensors))
            else:
                package.load_checkpoint(model, str(path), strict=True, weights_only=True)
    except (SafetensorError, pickle.UnpicklingError) as error:
        raise MicroauError(f"{path}: not opened: {_first_line(error)}. {_advice(path)}") from None
    except (RuntimeError, KeyError, AttributeError, StopIteration) as error:
        raise MicroauError(
            f"{path}: these are not the weights of a CLIP of the sizes asked for"
            f" ({_first_line(error)}). {_advice(path)}"
        ) from None


def _advice(path: Path) -> str:
    if path.suffix in PICKLES:
        return "A pickle is read in torch's restricted way only: convert it to safetensors"
    return "Give the safetensors file of ViT-B-32 that open_clip or transformers has"


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:160] if lines else type(error).__name__


def freeze(model: nn.Module, *but: nn.Module | nn.Parameter) -> None:
    """No gradient for any parameter but those of `but`."""
    model.requires_grad_(False)
    for part in but:
        part.requires_grad_(True)


class OneKernel(nn.Module):
    """A tower that rounds alike in training and in evaluation.

    torch's attention takes another kernel in evaluation mode, so what was kept in one mode would not be
    what is computed in the other. Nothing in the towers (no dropout, no batch statistics) knows the mode.
    """

    def train(self, mode: bool = True) -> Self:
        """The towers stay in training mode, whatever is asked."""
        return super().train(True)
