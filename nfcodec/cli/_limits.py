"""The options that raise or lower limits, on every verb that reads: numbers with units that people write."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from nfcodec.errors import LimitError, NfcError
from nfcodec.limits import DEFAULT_LIMITS, Limits

Function = TypeVar("Function", bound=Callable[..., Any])

_COUNTS = {"": 1.0, "k": 1e3, "M": 1e6, "MP": 1e6, "G": 1e9}
_BYTES = {"": 1.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SECONDS = {"": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0}

_RAISED_BY = {
    "limit.pixels": "--max-pixels",
    "limit.dimension": "--max-pixels",
    "limit.memory_bytes": "--max-memory",
    "limit.work": "--max-work",
}
"""The option that raises a limit, by the code of the error."""


PAGES = "image.pages"


class Quantity(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]
    """A number greater than 0, with a unit or without; `inf` for no limit.

    Args:
        units: what each stands for; "" is a bare number.
    """

    def __init__(self, name: str, units: Mapping[str, float]) -> None:
        self.name, self._units = name, units
        self._factors = {unit.lower(): factor for unit, factor in units.items()}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        parts = re.fullmatch(r"(inf|[\d.]+(?:[eE][-+]?\d+)?)\s*([a-zA-Z]*)", str(value).strip())
        try:
            found = float(parts[1]) * self._factors[parts[2].lower()] if parts else math.nan
        except (ValueError, KeyError):
            found = math.nan
        if not found > 0:
            examples = ", ".join(unit for unit in self._units if unit)
            self.fail(f"{value!r} is no {self.name}: a number greater than 0, with {examples} or without, or inf")
        return found


def limit_options(function: Function) -> Function:
    """Add --max-pixels, --max-memory and --max-work, and hand over what they amount to as `limits`."""

    @functools.wraps(function)
    def limited(
        *args: Any, max_pixels: float | None, max_memory: float | None, max_work: float | None, **options: Any
    ) -> Any:
        return function(*args, limits=limits_of(max_pixels, max_memory, max_work), **options)

    for option in (
        click.option("--max-work", type=Quantity("time", _SECONDS), metavar="TIME",
                     help="Refuse an .nfc file whose decoding may keep a core busy for longer.  [default: 10min]"),
        click.option("--max-memory", type=Quantity("size", _BYTES), metavar="SIZE",
                     help="Refuse an .nfc file whose decoding may take more memory.  [default: 8GB]"),
        click.option("--max-pixels", type=Quantity("number", _COUNTS), metavar="N",
                     help="Refuse larger pictures.  [default: 89M]"),
    ):  # fmt: skip
        limited = option(limited)
    return limited  # pyright: ignore[reportReturnType]


def limits_of(max_pixels: float | None, max_memory: float | None, max_work: float | None) -> Limits:
    """The default limits, but for what is given; whoever asks for more pixels may have them in one row."""
    default = DEFAULT_LIMITS
    pixels = default.max_pixels if max_pixels is None else max_pixels
    return Limits(
        max_pixels=pixels,
        max_dimension=max(default.max_dimension, pixels) if max_pixels is not None else default.max_dimension,
        max_memory_bytes=default.max_memory_bytes if max_memory is None else max_memory,
        max_work=default.max_work if max_work is None else max_work,
    )


def message_of(error: NfcError) -> str:
    """What an error says, with the option that helps: one that raises a limit, or chooses a page."""
    if error.code == PAGES:
        return f"{error} (--frame N)"
    option = _RAISED_BY.get(error.code) if isinstance(error, LimitError) else None
    return f"{error}; {option} raises it" if option else str(error)
