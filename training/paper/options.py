"""Every choice of Micro-AU CLIP (Wei et al., arXiv 2603.16302) that the paper varies or leaves open.

The defaults are the full model as published for CASME II; where the paper is silent the default is
this project's reading, and says so. A row of the paper's tables is one `PaperOptions` (`rows.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args, get_type_hints

from ...engine.errors import MicroauError
from ..losses import ContrastiveForm
from ..towers import ClipSizes

Text = Literal["tuned", "fixed"]
Tokens = Literal["projected", "plain"]
Pooling = Literal["pta", "mean", "max"]
Branches = Literal["both", "lsi", "gsd"]
Fusion = Literal["gda", "cat", "add"]
Shared = Literal["unit", "shared"]
Dependency = Literal["flat", "row"]
Contrast = Literal["miaucl", "local", "global", "none"]
Emotion = Literal["best", "list"]


@dataclass(frozen=True, slots=True)
class PaperOptions:
    """Settings of the model and its losses; combinations that mean nothing are refused."""

    pretrained: str = "openai"
    """Weights of both towers: a tag of open_clip, a file, or 'random' (`towers/weights.py`)."""
    sizes: ClipSizes = field(default_factory=ClipSizes)
    trainable_layers: int = 3
    """Last layers of each tower that are trained; the paper's 3."""
    tune_final: bool = False
    """Train the towers' last normalisations and projections, too. Open; the paper says 'layers'."""
    text: Text = "tuned"
    """fixed: the text tower stays as it is (Table III)."""
    picture: float = 2.0
    """Value of the flow image that becomes white, its negative black, in the picture that CLIP is given.
    Open; at 2.0 a motion of 1 % of the outer-eye-corner distance is a contrast of 12 %."""

    branches: Branches = "both"
    """lsi: no dependency between units. gsd: no landmarks; each unit starts from its own linear map of
    CLIP's image feature (ours: the paper does not say what GSD is given without LSI). Table II."""
    tokens: Tokens = "projected"
    """Patch tokens after CLIP's last normalisation and projection, so that they live in the text space,
    or plain: before the projection, which then follows the final feature. Open."""
    pooling: Pooling = "pta"
    """Of a unit's tokens: patch token attention (Eq 2-3), their mean, their largest. Table VI."""
    pta: Shared = "unit"
    """One MLP of Eq 2 per unit, or one for all. Open."""
    pta_width: int = 128
    """Hidden width of that MLP. Open."""
    fusion: Fusion = "gda"
    """What becomes F_G: global dependency attention (Eq 4-6), an MLP of the units side by side (Cat+MLP),
    an MLP of their sum (Add+MLP). Table VII."""
    dependency: Dependency = "flat"
    """FC of Eq 5: the flattened A to N weights, or each row of A to its own. Open."""
    heads: Shared = "unit"
    """One MLP of Eq 7 per unit, or one for all. Open."""
    head_width: int = 256
    """Hidden width of that MLP, and of the MLPs of Cat and Add. Open."""

    contrast: Contrast = "miaucl"
    """miaucl: Eq 9-11. local: the same with a diagonal label matrix. global: CLIP's loss between the mean
    over the units and one text about all of them. none: no text. Table VIII."""
    form: ContrastiveForm = "softmax"
    """How a row with several ones enters the cross-entropy: softmax, sum or sigmoid (`losses.contrastive`).
    Open. With softmax, the reading here, miaucl and local are one loss; with the others they differ."""
    symmetric: bool = True
    """Mean of both directions, image to text and text to image, as CLIP does. Open."""
    scale: float = 0.0
    """Where the logit scale starts; 0: where CLIP's weights have it (100 in OpenAI's). Open. Eq 9 to 11
    print none, which is 1 and not learned; a large one is content with sentences that hardly differ."""
    learn_scale: bool = True
    alpha: float = 0.6
    """Weight of the contrastive loss (Eq 12): 0.6 CASME II, 1.0 SAMM, both chosen on the test subjects."""
    beta: float = 1.0
    """Weight of the GD loss (Eq 8): 1.0 CASME II, 0.6 SAMM, likewise."""
    gd_normalised: bool = False
    """Compare W_d, which sums to 1, with labels that do so too, instead of 0/1 as printed."""
    emotion: Emotion = "best"
    """Eq 13 with several label texts a class, of which the most alike counts, or one list a class."""

    def __post_init__(self) -> None:
        self._require_known()
        most = min(self.sizes.visual_layers, self.sizes.text_layers)
        if not 0 <= self.trainable_layers <= most:
            raise MicroauError(f"trainable_layers must be 0 to {most}, got {self.trainable_layers}")
        if self.alpha < 0 or self.beta < 0 or self.scale < 0 or self.picture <= 0:
            raise MicroauError("alpha, beta and scale must not be negative, picture must be positive")
        if self.contrast == "none" and self.alpha:
            raise MicroauError(f"alpha {self.alpha:g} weights no loss: contrast is none; set alpha to 0")
        if self.beta and not self.has_dependency:
            raise MicroauError(
                f"beta {self.beta:g} weights no loss: only GDA has dependency weights"
                f" (branches {self.branches}, fusion {self.fusion}); set beta to 0"
            )

    @property
    def has_dependency(self) -> bool:
        """Whether there are dependency weights W_d, on which the GD loss acts."""
        return self.branches != "lsi" and self.fusion == "gda"

    @property
    def trains_text(self) -> bool:
        """Whether the text tower learns: it must be asked, and a loss must reach it."""
        return self.text == "tuned" and self.contrast != "none"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> PaperOptions:
        """What `to_json` wrote, or a part of it; MicroauError for a name that is no setting."""
        settings = dict(record)
        _refuse_unknown(settings, cls, "setting of the paper's model")
        if "sizes" in settings:
            _refuse_unknown(settings["sizes"], ClipSizes, "size of CLIP")
            settings["sizes"] = ClipSizes(**settings["sizes"])
        return cls(**settings)

    def _require_known(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            known, value = get_args(hint), getattr(self, name)
            if known and value not in known:
                raise MicroauError(f"{name} must be one of {', '.join(known)}, got {value!r}")


def _refuse_unknown(record: Mapping[str, Any], kind: type, what: str) -> None:
    known = {entry.name for entry in fields(kind)}
    if odd := sorted(set(record) - known):
        raise MicroauError(f"{', '.join(odd)}: no {what}; there are {', '.join(sorted(known))}")
