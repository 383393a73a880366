"""How NumPy treats errors of floating-point numbers: as this package needs it, whatever the program around it has set.

A program may have asked NumPy to raise FloatingPointError (`np.seterr(all="raise")`), also for numbers that are merely
too small. So every function that computes begins with its own setting, for as long as it lasts and on its thread alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])


def as_numpy_does(function: Function) -> Function:
    """A function that warns as NumPy does by default: of all but numbers that are too small."""
    return _under(function, divide="warn", over="warn", under="ignore", invalid="warn")


def silently(function: Function) -> Function:
    """A function that says nothing, as one that reads what others wrote: it checks its results, and warns nobody."""
    return _under(function, divide="ignore", over="ignore", under="ignore", invalid="ignore")


def _under(function: Any, **settings: Any) -> Any:
    @functools.wraps(function)
    def with_settings(*args: Any, **kwargs: Any) -> Any:
        with np.errstate(**settings):
            return function(*args, **kwargs)

    return with_settings
