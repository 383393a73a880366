"""Paths through a convolutional code, for whoever looks for symbols whose parities it gives (see `coding.trellis`)."""

from __future__ import annotations

import importlib
import itertools
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.coding.convolutional import CODES, MEMORY


def kernels() -> Any:
    """The compiled loops, imported when needed: loading the compiler takes time, and other fits do without it.

    Raises ImportError.
    """
    return importlib.import_module("nfcodec.fitting.kernels.viterbi")


@cache
def has_kernels() -> bool:
    """Whether the loops can be compiled here."""
    try:
        kernels()
    except ImportError:
        return False
    return True


@cache
def moves(code: int) -> npt.NDArray[np.uint8]:
    """The numbers of the parities that two moves into each state give; a state is the last bits, newest first."""
    numbers = np.empty((1 << MEMORY, 2), np.uint8)
    for state, oldest in itertools.product(range(1 << MEMORY), range(2)):
        bits = state << 1 | oldest
        parities = [(bits & generator).bit_count() & 1 for generator in CODES[code]]
        numbers[state, oldest] = parities[0] << 2 | parities[1] << 1 | parities[2]
    return numbers
