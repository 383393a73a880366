"""Fitting engines by name. A new engine is one module here and one line in `_ENGINES`."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import sys
from collections.abc import Callable

from nfcodec.errors import EngineError, UsageError
from nfcodec.fields import Parameters
from nfcodec.fitting.engines.base import Adam, Engine, Objective, Rates, Stats
from nfcodec.fitting.problem import Problem

__all__ = ["Adam", "Engine", "Objective", "Rates", "Stats", "create", "engine_names", "report"]

_ENGINES = {
    "numba": "nfcodec.fitting.engines.numba_engine",
    "torch": "nfcodec.fitting.engines.torch_engine",
    "tinycudann": "nfcodec.fitting.engines.tcnn_engine",
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
    choices = [name] if name != "auto" else ["torch"] if device == "cuda" else _preferred(device)
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


def _preferred(device: str) -> list[str]:
    return ["torch", "numba"] if device == "auto" and _has_cuda_device() else ["numba", "torch"]


def _has_cuda_device() -> bool:
    """Ask the CUDA driver, which takes no time where there is none; torch would take a second to import."""
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
