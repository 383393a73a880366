"""Fitting engines by name. A new engine is one module here and one line in `_ENGINES`."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.util
import sys
from collections.abc import Callable

from nfcodec.errors import EngineError, UsageError
from nfcodec.exact.field import Parameters
from nfcodec.fields.ngp.levels import HashLevel
from nfcodec.fitting.engines.base import Adam, Engine, Halt, Objective, Rates, Stats
from nfcodec.fitting.problem import Problem

__all__ = [
    "Adam",
    "Engine",
    "Halt",
    "Objective",
    "Rates",
    "Stats",
    "create",
    "engine_names",
    "fits_wavelets",
    "has_cuda_device",
    "report",
]

_ENGINES = {
    "cuda": "nfcodec.fitting.engines.cuda.engine",
    "numba": "nfcodec.fitting.engines.numba.engine",
    "torch": "nfcodec.fitting.engines.torch",
    "tinycudann": "nfcodec.fitting.engines.tinycudann",
}


def engine_names() -> list[str]:
    """Names that `create` knows, besides "auto"."""
    return sorted(_ENGINES)


def create(
    name: str,
    device: str,
    problem: Problem,
    parameters: Parameters,
    objective: Objective,
    seed: int,
    notify: Callable[[str], object] = lambda message: None,
) -> Engine:
    """Make an engine; "auto" picks the fastest that is there.

    Args:
        notify: told what the user may want to know, such as why the first choice was not taken.

    Raises:
        UsageError: no such engine.
        EngineError: the engine or the device is not available here.
    """
    if name != "auto" and name not in _ENGINES:
        raise UsageError(f"unknown engine {name!r}; known: auto, {', '.join(engine_names())}")
    choices = [name] if name != "auto" else _preferred(device, problem)
    for choice in choices:
        try:
            module = importlib.import_module(_ENGINES[choice])
            return module.create(device, problem, parameters, objective, seed, notify)
        except (ImportError, EngineError) as error:
            failure = error if isinstance(error, EngineError) else EngineError(f"{choice} cannot be imported: {error}")
            if choice == choices[-1]:
                raise failure from error
            notify(f"engine {choice!r} steps aside: {failure}")
    raise AssertionError("there is always a choice")


def _preferred(device: str, problem: Problem) -> list[str]:
    """Engines to try, the fastest first; those with their own CUDA kernels have no rate model for dense levels."""
    if device == "cpu" or (device == "auto" and not has_cuda_device()):
        return ["numba", "torch"]
    levels = getattr(problem.spec, "levels", ())
    own = ["cuda"] if all(isinstance(level, HashLevel) for level in levels) else []
    if own and levels and importlib.util.find_spec("tinycudann"):
        own = ["cuda", "tinycudann"]  # whose 16 bits do not reach every target
    return [*own, "torch"] if device == "cuda" else [*own, "torch", "numba"]


def fits_wavelets(name: str, device: str) -> bool:
    """Whether the engine asked for, by name and device, can be one that fits wavelet levels."""
    return name in ("auto", "numba") and device in ("auto", "cpu")


def has_cuda_device() -> bool:
    """Whether there is one; by the driver, which takes no time where there is none. Importing torch takes a second."""
    count = ctypes.c_int(0)
    with contextlib.suppress(OSError, AttributeError):
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value > 0
    return False


def report() -> list[tuple[str, str]]:
    """For each engine, whether it can run here and on which devices."""
    lines: list[tuple[str, str]] = []
    for name, path in _ENGINES.items():
        try:
            lines.append((name, importlib.import_module(path).describe()))
        except (ImportError, OSError, RuntimeError, EngineError) as error:
            lines.append((name, f"not available: {error}"))
    return lines
