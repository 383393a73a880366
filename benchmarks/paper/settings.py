"""What the paper leaves open of its fits, mostly of Instant-NGP: settings that engines and keys of records see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from benchmarks.paper.losses import RoundedLoss, slopes_of
from benchmarks.paper.pyramids import instant_ngp
from benchmarks.plain.losses import LOSSES
from nfcodec.fields import Ngp, Siren
from nfcodec.fitting import TABLE_BOUND, Adam, Objective

PAPER_PIXELS = 2**18

QUANTUM = 2.0**-7
"""The gradient of a mean over the paper's 2^18 pixels meets an output in 16 bits unscaled: 2 error / 2^18 becomes a
multiple of 2^-24, the smallest such number, and so the error one of 2^-7."""


@dataclass(frozen=True)
class Precision:
    """What has 16 bits, as in tiny-cuda-nn; all else has 32.

    Attributes:
        parameters: as the forward pass sees them; steps are added to a copy in 32 bits.
        outputs: of the field, as the loss and the PSNR see them.
        gradients: of the loss with respect to the outputs, at the paper's number of pixels.
    """

    parameters: bool = False
    outputs: bool = False
    gradients: bool = False


PRECISIONS = {
    "fp32": Precision(),
    "fp16": Precision(parameters=True),
    "fp16-loss": Precision(parameters=True, gradients=True),
    "fp16-outputs": Precision(parameters=True, outputs=True),
    "fp16-all": Precision(parameters=True, outputs=True, gradients=True),
}

ADAMS = ("field", "usual")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """They are fields of the jobs that fit, so they are in records, and in keys where they differ from the default.

    Attributes:
        precision: a key of `PRECISIONS`.
        adam: "field" for the constants that suit the field, "usual" for betas 0.9 and 0.999 and an eps of 1e-8 at the
            paper's 2^18 pixels (gradients of the mean are larger with fewer pixels, and eps with them).
        loss: a key of `benchmarks.plain.losses.LOSSES`.
        growth: of Instant-NGP's levels, each over the one before; 0 for the image default, by which the finest has as
            many vertices a side as half the picture.
        table: log2 of the most entries of a level of Instant-NGP; 24 is the largest table, which has no collisions.
        entries: those of Instant-NGP begin at random between this and its negative.
        optimiser: what takes the steps; another one than "adam" is for fits in plain PyTorch (`benchmarks/plain`).
    """

    precision: str
    adam: str = "field"
    loss: str = "l2"
    growth: float = 0.0
    table: int = 24
    entries: float = TABLE_BOUND
    optimiser: str = "adam"

    def field_of(self, name: str, side: int, width: int) -> Siren | Ngp:
        """ "siren" with this width, or "ngp", for a square of this side."""
        return Siren(width) if name == "siren" else instant_ngp(side, self.growth, self.table)

    @property
    def is_usual(self) -> bool:
        """Whether this is the L2 loss in 32 bits, with the field's own Adam."""
        return (self.precision, self.adam, self.optimiser, self.loss) == ("fp32", "field", "adam", "l2")

    def constants(self, side: int) -> Adam | None:
        """Of Adam, for a square of this side; None for those that suit the field."""
        return Adam(eps=1e-8 * PAPER_PIXELS / side**2) if self.adam == "usual" else None

    @property
    def objective(self) -> Objective:
        """What engines do themselves: parameters in 16 bits, and the squared error with its gradient in 16 bits."""
        precision = PRECISIONS[self.precision]
        engine_rounds = precision.gradients and self.rounded_loss is None
        return Objective(half=precision.parameters, error_quantum=QUANTUM if engine_rounds else 0.0)

    @property
    def rounded_loss(self) -> RoundedLoss | None:
        """What is minimised, where an engine cannot do that itself: other losses, and outputs in 16 bits; else None."""
        precision = PRECISIONS[self.precision]
        if self.loss == "l2" and not precision.outputs:
            return None
        slopes = slopes_of(LOSSES[self.loss])
        return RoundedLoss(slopes, half=precision.outputs, quantum=QUANTUM if precision.gradients else 0.0)


def unusual(row: Mapping[str, Any]) -> list[str]:
    """What a record has of settings that are not at their defaults, for people."""
    defaults = {field.name: field.default for field in fields(Settings) if field.default is not MISSING}
    return [f"{name} {row[name]}" for name, value in defaults.items() if name in row and row[name] != value]
