"""What a family is: a way to choose, fit and round fields. A family owns its planning, recipes and policies.

`codec` asks a family for a session with a picture, the session for plans, and has one of them fitted:

    session = family.begin(picture, context)
    session.get_ready(request)
    plan = session.plans(request)[-1]  # of the effort asked for
    solution = session.fit(plan, request)

docs/extend/field.md walks through a small family; tests/contract has what every family must pass.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from nfcodec.errors import UsageError
from nfcodec.fitting.goals import Goal
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.plans import Plan
from nfcodec.fitting.request import Request, Solution

LOSSLESS_ERROR = 0.8
"""Where the rest is coded sample by sample, the root mean squared error, in samples, that makes the smallest files."""

HIGHEST_FIT_DB = 90.0
"""How far to fit before a residual, at most."""

LOSSLESS_GAP_DB, HIGHEST_LOSSY_DB = 9.0, 94.0
"""So far over the PSNR that a lossless file is fitted to, a lossy one takes more bytes; and so it does over this PSNR,
which fits of 16-bit samples hardly reach."""

TileBytes = Callable[[int, int], Sequence[float]]
"""About how many bytes each tile of a grid of so many rows and columns takes, row by row; infinite for out of reach."""

Estimator = Callable[[Picture, Request], TileBytes]
"""Tells, without a fit, how much there is to a picture at a request's PSNR, and where."""


@dataclass(frozen=True)
class Context:
    """What a session gets besides its picture.

    Attributes:
        estimator: handed in, so that families need not import each other.
    """

    estimator: Estimator


@dataclass(frozen=True)
class LosslessPolicy:
    """Where a family leaves the rest of a picture to a residual of all samples.

    Attributes:
        fit_db: the PSNR that a file without loss is fitted to.
        from_db: a PSNR target over it is met without loss, as that takes fewer bytes; infinite for none.
    """

    fit_db: float
    from_db: float

    @classmethod
    def by_error(cls, depth: int) -> LosslessPolicy:
        """For fields that fit well down to errors of a sample of so many bits: 8 bits to 50 dB, lossless from 59 dB."""
        fit_db = min(HIGHEST_FIT_DB, 20 * math.log10(((1 << depth) - 1) / LOSSLESS_ERROR))
        return cls(fit_db, min(fit_db + LOSSLESS_GAP_DB, HIGHEST_LOSSY_DB))


@dataclass(frozen=True)
class QuickTry:
    """How a family begins where others suit the picture as well: with a file that shows whether more effort may pay.

    Attributes:
        effort: that the file takes.
        saves: the share of the file's bytes that the family saves with all of its effort, at most.
    """

    effort: int
    saves: float


class Session(ABC):
    """Fits of one picture. It may keep what serves again: a search for a size asks it for one PSNR after another.

    Attributes:
        native: the kinds of goals that `fit` reaches by itself; others are made of PSNRs by whoever asks.
    """

    native: ClassVar[frozenset[type[Goal]]]

    @abstractmethod
    def get_ready(self, request: Request) -> None:
        """Load or compile what plans and fits will need. The time that this takes counts for no plan and no limit.

        Raises EngineError where the engine or the device asked for is not available.
        """

    @abstractmethod
    def plans(self, request: Request) -> list[Plan]:
        """What could be done for a request, with the time and the memory it takes; no fit, but a probe may be made.

        One plan for each effort from 1 to the request's, as far as they differ, so that there is something to choose
        from where time is short; more where it is open which field makes the smaller file.
        """

    @abstractmethod
    def fit(self, plan: Plan, request: Request) -> Solution:
        """Fit to the request's goal, one of `native`. The result may miss it; the caller decides what that means.

        Raises FormatError where no quantizer steps suit the format's arithmetic.
        """

    @abstractmethod
    def estimated_bytes(self, request: Request) -> float | None:
        """About what a file takes for the request's goal, one of `native`, without a fit; None where fits tell better.

        Infinite for what is out of reach.
        """

    def least_bytes(self, request: Request) -> float | None:
        """What it takes at least. Where a smaller file is there already, `auto` makes none."""
        return self.estimated_bytes(request)


class Family(ABC):
    """A way to choose, fit and round fields, made without arguments.

    Attributes:
        name: of `--field NAME`, and what a file's report says.
        stands_in: whether `auto` takes the family where none that suits the picture can be fitted.
        bounds_size: whether `auto` has the family try every picture, beside those that suit it, because its files are
            never much larger than the samples.
        quick_try: what `auto` has the family do first where other families suit the picture, too; None where only the
            effort asked for tells what it can do.
        recipes: by effort, 1 .. 9: documented dataclasses of the family's own.
    """

    name: ClassVar[str]
    stands_in: ClassVar[bool]
    bounds_size: ClassVar[bool] = False
    quick_try: ClassVar[QuickTry | None] = None
    recipes: ClassVar[Mapping[int, Any]]

    def parse(self, arguments: str) -> object:
        """What `begin` takes as given, from what a user says behind the name and a colon. Raises UsageError."""
        raise UsageError(f"there is nothing to say of the field {self.name!r}, such as {arguments!r}")

    @abstractmethod
    def suits(self, picture: Picture, request: Request) -> bool:
        """Whether `auto` should take the family for the picture, with the request's goal and effort."""

    @abstractmethod
    def refuses(self, picture: Picture, engine: str, device: str, given: object | None = None) -> str | None:
        """Why the family cannot fit the picture with this engine on this device, for people; None if it can.

        Args:
            given: see `begin`.
        """

    @abstractmethod
    def lossless(self, depth: int) -> LosslessPolicy:
        """The policy for samples of so many bits."""

    @abstractmethod
    def begin(self, picture: Picture, context: Context, given: object | None = None) -> Session:
        """A session with a picture.

        Args:
            given: a field of the family's own to fit, or what `parse` made; None to choose a field.

        Raises:
            UsageError: the field does not suit the picture.
        """
