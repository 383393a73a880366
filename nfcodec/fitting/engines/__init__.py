"""Fitting engines by name. A new engine is one module here and one line in `_ENGINES`."""

from __future__ import annotations

import importlib

from nfcodec.errors import EngineError, UsageError
from nfcodec.fields import Parameters
from nfcodec.fitting.engines.base import Engine, Objective, Rates, Stats
from nfcodec.fitting.problem import Problem

__all__ = ["Engine", "Objective", "Rates", "Stats", "create", "engine_names", "report"]

_ENGINES = {"torch": "nfcodec.fitting.engines.torch_engine"}


def engine_names() -> list[str]:
    """Names that `create` knows, besides "auto"."""
    return sorted(_ENGINES)


def create(name: str, device: str, problem: Problem, parameters: Parameters, objective: Objective, seed: int) -> Engine:
    """Make an engine; "auto" picks the fastest that is there.

    Raises:
        UsageError: no such engine.
        EngineError: the engine or the device is not available here.
    """
    if name != "auto" and name not in _ENGINES:
        raise UsageError(f"unknown engine {name!r}; known: auto, {', '.join(engine_names())}")
    try:
        module = importlib.import_module(_ENGINES["torch" if name == "auto" else name])
    except ImportError as error:
        raise EngineError(f"engine {name!r} is not installed: {error}") from error
    return module.create(device, problem, parameters, objective, seed)


def report() -> list[tuple[str, str]]:
    """For each engine, whether it can run here and on which devices."""
    lines: list[tuple[str, str]] = []
    for name, path in _ENGINES.items():
        try:
            lines.append((name, importlib.import_module(path).describe()))
        except (ImportError, OSError, RuntimeError) as error:
            lines.append((name, f"not available: {error}"))
    return lines
