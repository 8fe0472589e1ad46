"""CLIP's text transformer (Radford et al. 2021), split before its last layers.

Letters: T texts, C tokens of the longest text, E width of the tower, D width of the shared space.
A text's feature is read at its end token and no token sees those behind it, so the context is cut
after the longest text: nothing changes, and 77 places become about ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...engine.errors import MicroauError
from .library import open_clip
from .weights import OneKernel, freeze


class TextTower(OneKernel):
    """Texts -> hidden states -> features.

    clip        open_clip's CLIP, of which the text half is taken
    layers      how many of the last layers are trained
    tune_final  train the last normalisation and the projection, too
    """

    causal: Tensor

    def __init__(self, clip: Any, layers: int, *, tune_final: bool = False) -> None:
        super().__init__()
        self.token_embedding: nn.Embedding = clip.token_embedding
        self.positional_embedding: nn.Parameter = clip.positional_embedding
        self.blocks: nn.ModuleList = clip.transformer.resblocks
        self.ln_final: nn.LayerNorm = clip.ln_final
        self.text_projection: nn.Parameter = clip.text_projection
        self.register_buffer("causal", clip.attn_mask, persistent=False)  # (77, 77)
        self.split = len(self.blocks) - layers
        self.train()
        freeze(
            self, self.blocks[self.split :], *((self.ln_final, self.text_projection) if tune_final else ())
        )

    @torch.no_grad()
    def frozen(self, tokens: Tensor) -> Tensor:  # (T, C)
        """What enters the first trained layer; no gradient."""
        x: Tensor = self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]  # (T, C, E)
        for block in self.blocks[: self.split]:
            x = block(x, attn_mask=self._mask(x))
        return x  # (T, C, E)

    def tuned(self, hidden: Tensor, ends: Tensor) -> Tensor:  # (T, C, E), (T,)
        """The trained layers, read at each text's end token."""
        x = hidden
        for block in self.blocks[self.split :]:
            x = block(x, attn_mask=self._mask(x))
        last = self.ln_final(x)[torch.arange(x.shape[0], device=x.device), ends]  # (T, E)
        features: Tensor = last @ self.text_projection
        return features  # (T, D)

    def _mask(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        return self.causal[:length, :length]


def tokenize(texts: Sequence[str], context: int) -> tuple[Tensor, Tensor]:
    """CLIP's tokens of the texts (T, C), cut after the longest one, and where each text ends (T,).

    Raises MicroauError where a text has more than `context` tokens: CLIP would drop its end.
    """
    package = open_clip()
    long = 8 * context  # so long that nothing is cut off unseen
    tokens: Tensor = package.tokenize(list(texts), context_length=long)  # (T, long)
    ends = tokens.argmax(dim=1)  # the end token has the highest number
    length = int(ends.max()) + 1
    if length > context:
        worst = texts[int(ends.argmax())]
        raise MicroauError(f"a text of {length} tokens, CLIP reads {context}: {worst[:60]!r} ...")
    return tokens[:, :length], ends
