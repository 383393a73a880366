"""What `encode` is asked for: a quality or a size, a field, a transform, and how hard to try."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from nfcodec import arguments
from nfcodec.errors import UsageError
from nfcodec.exact.field import Field
from nfcodec.fitting.engines import engine_names
from nfcodec.fitting.goals import Goal, Lossless, Psnr, Size
from nfcodec.limits import MAX_EFFORT, MAX_PSNR_DB
from nfcodec.transforms import parse_chain
from nfcodec.transforms.orders import MAX_SEED

DEFAULT_PSNR_DB = 40.0
LARGEST_BYTES = 1 << 50
"""No file is larger."""

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class EncodeOptions:
    """What `encode` is asked for.

    Numbers may be numpy's scalars; the attributes are Python's own numbers. Raises UsageError for what is of another
    type or out of its range, with the name of the argument as `nfcodec.encode` has it, and for an unknown transform.

    Attributes:
        psnr_db: the decoded samples reach at least this PSNR, in dB over all colour samples at the source's depth;
            over 0, up to 150. 40 by default. At most one of it and the last three attributes may be given.
        field: "auto", the name of a family, which sizes a field from the picture, the chain and the target, or a field.
        transform: a chain such as "none", "rpp" or "standardize+rpp".
        seed: 0 .. 2^64 - 1, of rpp, and of initial weights and noise where gradient steps are taken.
        effort: 1 (fast) .. 9 (small).
        device: "auto", "cpu" or "cuda"; engine: "auto" or an engine's name.
        max_steps: bound on gradient steps; time_limit_s: bound on the seconds spent fitting.
        best_effort: return the best file even if the target is not reached.
        size_bytes: the best PSNR in a file of at most so many bytes.
        bpp: the same in bits a pixel, 8 * bytes / pixels.
        lossless: decode to the very samples.
    """

    psnr_db: float | None = None
    field: str | Field = "auto"
    transform: str = "none"
    seed: int = 0
    effort: int = 5
    device: str = "auto"
    engine: str = "auto"
    max_steps: int | None = None
    time_limit_s: float | None = None
    best_effort: bool = False
    size_bytes: int | None = None
    bpp: float | None = None
    lossless: bool = False

    def __post_init__(self) -> None:
        for name, value in self._checked():
            object.__setattr__(self, name, value)
        if sum((self.psnr_db is not None, self.size_bytes is not None, self.bpp is not None, self.lossless)) > 1:
            raise UsageError("psnr, size, bpp and lossless exclude each other: give one of them at most")

    def _checked(self) -> Iterator[tuple[str, object]]:
        """What attributes become: Python's own numbers. Messages have the names that `nfcodec.encode` gives them."""
        if self.psnr_db is not None:
            allowed = f"a number over 0 and at most {MAX_PSNR_DB:g} (dB)"
            yield "psnr_db", arguments.number("psnr", self.psnr_db, MAX_PSNR_DB, allowed)
        if self.size_bytes is not None:
            yield "size_bytes", arguments.whole("size", self.size_bytes, 1)
        if self.bpp is not None:
            yield "bpp", arguments.number("bpp", self.bpp, sys.float_info.max, "a finite number over 0")
        yield "lossless", arguments.flag("lossless", self.lossless)
        if not isinstance(self.field, Field):
            arguments.text("field", self.field, "the name of a field, such as 'auto', or a field from nfcodec.fields")
        parse_chain(self.transform)
        yield "seed", arguments.whole("seed", self.seed, 0, MAX_SEED)
        yield "effort", arguments.whole("effort", self.effort, 1, MAX_EFFORT)
        if self.max_steps is not None:
            yield "max_steps", arguments.whole("max_steps", self.max_steps, 0)
        if self.time_limit_s is not None:
            yield (
                "time_limit_s",
                arguments.number("time_limit_s", self.time_limit_s, math.inf, "a number of seconds over 0"),
            )
        arguments.one_of("engine", self.engine, ("auto", *engine_names()))
        arguments.one_of("device", self.device, DEVICES)
        yield "best_effort", arguments.flag("best_effort", self.best_effort)

    def goal(self, n_pixels: int) -> Goal:
        """What a picture of so many pixels is to reach."""
        if self.lossless:
            return Lossless()
        if self.bpp is not None:
            return Size(math.floor(min(self.bpp * n_pixels / 8, LARGEST_BYTES)))
        if self.size_bytes is not None:
            return Size(min(self.size_bytes, LARGEST_BYTES))
        return Psnr(DEFAULT_PSNR_DB if self.psnr_db is None else self.psnr_db)
