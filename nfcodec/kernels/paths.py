"""Paths through a convolutional code, for whoever looks for symbols whose parities it gives.

See nfcodec.coding.convolutional.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nfcodec.coding.convolutional import CODES, MEMORY
from nfcodec.kernels import compiled
from nfcodec.lazy import load

MODULE = "nfcodec.kernels.viterbi"


class Kernels(NamedTuple):
    """The compiled loops and their constants; see `kernels.viterbi`."""

    CANDIDATES: int
    BELOW: int
    nearest: Any
    cheapest_path: Any
    round_columns: Any


def kernels() -> Kernels:
    """The compiled loops, imported when needed. Raises ImportError where they cannot be compiled."""
    return Kernels(*(load(f"{MODULE}:{name}") for name in Kernels._fields))


@cache
def has_kernels() -> bool:
    """Whether the loops can be compiled here."""
    return compiled(f"{MODULE}:nearest") is not None


@cache
def moves(code: int) -> npt.NDArray[np.uint8]:
    """The numbers of the parities that two moves into each state give; a state is the last bits, newest first."""
    numbers = np.empty((1 << MEMORY, 2), np.uint8)
    for state, oldest in itertools.product(range(1 << MEMORY), range(2)):
        bits = state << 1 | oldest
        parities = [(bits & generator).bit_count() & 1 for generator in CODES[code]]
        numbers[state, oldest] = parities[0] << 2 | parities[1] << 1 | parities[2]
    return numbers
