"""The engines that fit grids: which one a request means, and the program of each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nfcodec.errors import EngineError
from nfcodec.fields.grid.program import Program
from nfcodec.fitting.engines.registry import BROKEN, missing
from nfcodec.lazy import load

PROGRAMS: Mapping[str, str] = MappingProxyType({"numba": "nfcodec.fields.grid.numba:GridProgram"})
"""Classes derived from `Program`, by the names of engines; imported when they are asked for."""


def engine_for(engine: str, device: str) -> str:
    """The engine that a request means; nothing is loaded.

    Raises:
        EngineError: it cannot fit grids on this device, or it lacks something; the message is for people.
    """
    name = "numba" if engine == "auto" else engine
    if name not in PROGRAMS or device not in ("auto", "cpu"):
        raise EngineError(f"the engine {engine!r} on the device {device!r} cannot fit the field of grids")
    if lack := missing(name):
        raise EngineError(f"the engine {name!r} is not available: {lack}")
    return name


def load_program(engine: str, device: str) -> type[Program]:
    """The class of the program of the engine that a request means, and its kernels. Raises EngineError."""
    name = engine_for(engine, device)
    try:
        return load(PROGRAMS[name])
    except BROKEN as error:
        raise EngineError(f"the engine {name!r} cannot be imported: {error}") from error
