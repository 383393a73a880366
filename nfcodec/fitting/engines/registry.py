"""Engines by name: which of them can fit a field on a device, and the making of one."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import sys
from collections.abc import Callable, Sequence
from typing import Any

from nfcodec.errors import EngineError, UsageError
from nfcodec.exact.field import Field, Parameters
from nfcodec.fitting.engines.base import Engine, Objective
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Request
from nfcodec.lazy import load

ENGINES: dict[str, str] = {
    "cuda": "nfcodec.fitting.engines.cuda.engine:CudaEngine",
    "numba": "nfcodec.fitting.engines.numba.engine:NumbaEngine",
    "tinycudann": "nfcodec.fitting.engines.tinycudann:TcnnEngine",
    "torch": "nfcodec.fitting.engines.torch:TorchEngine",
}

RUN_ON: dict[str, Sequence[str]] = {"cuda": ("cuda", "tinycudann", "torch"), "cpu": ("numba", "torch")}
"""What runs on a kind of device, the fastest first. The 16 bits of tiny-cuda-nn do not reach every target."""

BROKEN = (ImportError, OSError, RuntimeError, EngineError)
"""What comes of libraries that are missing, damaged, or built for another machine."""

PACKAGES: dict[str, Sequence[str]] = {
    "cuda": ("torch",),
    "numba": ("numba",),
    "tinycudann": ("torch", "tinycudann"),
    "torch": ("torch",),
}
"""What must be installed for an engine; "auto" passes over those that lack something."""

SOURCES = {
    "numba": "pip install numba",
    "tinycudann": "conda install -c conda-forge tiny-cuda-nn",
    "torch": "pip install 'nfcodec[torch]'",
}
"""How to get a package."""


def engine_names() -> list[str]:
    """Names that `create` knows, besides "auto"."""
    return sorted(ENGINES)


def create(
    name: str,
    device: str,
    problem: Problem,
    parameters: Parameters,
    objective: Objective,
    seed: int,
    notify: Callable[[str], object] = lambda message: None,
) -> Engine:
    """Make an engine; "auto" picks the fastest that is there and has a counterpart of the field.

    Args:
        notify: told what the user may want to know, such as why the first choice was not taken.

    Raises:
        UsageError: no such engine.
        EngineError: the engine or the device is not available here, or the engine cannot fit the field.
    """
    candidates = _candidates(name, device, problem.field)
    lacking = {each: lack for each in candidates if (lack := missing(each)) is not None}
    choices = [each for each in candidates if each not in lacking]
    if not choices:
        raise EngineError(_not_available(candidates[0]))
    if candidates[0] in lacking:
        notify(f"engine {candidates[0]!r} steps aside: {lacking[candidates[0]]}")
    for choice in choices:
        try:
            engine_class: type[Engine] = load(ENGINES[choice])
            engine = engine_class(problem, parameters, objective, seed, device)
            engine.get_ready(notify)
            return engine
        except BROKEN as error:
            failure = error if isinstance(error, EngineError) else EngineError(f"{choice} cannot be imported: {error}")
            if choice == choices[-1]:
                rest = candidates[candidates.index(choice) + 1 :]
                raise EngineError("; ".join([str(failure), *map(_not_available, rest)])) from error
            notify(f"engine {choice!r} steps aside: {failure}")
    raise AssertionError("there is always a choice")


def for_request(request: Request, problem: Problem, parameters: Parameters, objective: Objective) -> Engine:
    """`create` with the engine, device and seed that a request names; its listener is told what there is to know."""
    return create(request.engine, request.device, problem, parameters, objective, request.seed, request.note)


def _candidates(name: str, device: str, field: Field) -> list[str]:
    """Engines to try, one after the other; at least one. Raises UsageError or EngineError."""
    if name == "auto":
        found = [choice for choice in _preferred(device) if choice in field.counterparts]
        if not found:
            raise EngineError(f"no engine on {device!r} can fit a {type(field).__name__}; {_which_can(field)}")
        return found
    if name not in ENGINES:
        raise UsageError(f"unknown engine {name!r}; known: auto, {', '.join(engine_names())}")
    if name not in field.counterparts:
        raise EngineError(f"the engine {name!r} cannot fit a {type(field).__name__}; {_which_can(field)}")
    if not _runs_on(name, device):
        only = "the CPU" if name in RUN_ON["cpu"] else "CUDA devices"
        raise EngineError(f"the engine {name!r} runs on {only} only")
    return [name]


def missing(name: str) -> str | None:
    """What an engine lacks to be tried here, and how to get it, for people; None if nothing. No engine is imported."""
    absent = [package for package in PACKAGES.get(name, ()) if importlib.util.find_spec(package) is None]
    return ", ".join(f"{package} is not installed ({SOURCES[package]})" for package in absent) or None


def check_installed(name: str, device: str) -> None:
    """Raise EngineError if an engine is asked for, by its name or by its device, and what it needs is not installed."""
    asked = RUN_ON.get(device, ()) if name == "auto" else [name]
    if asked and all(missing(each) for each in asked):
        raise EngineError(_not_available(asked[0]))


def _not_available(name: str) -> str:
    return f"the engine {name!r} is not available: {missing(name)}"


def _preferred(device: str) -> Sequence[str]:
    """Engines that run on a device, "auto", "cpu", "cuda" or "cuda:1", the fastest first."""
    if device != "auto":
        return RUN_ON.get(device.partition(":")[0], ())
    return list(dict.fromkeys([*(RUN_ON["cuda"] if has_cuda_device() else ()), *RUN_ON["cpu"]]))


def _runs_on(name: str, device: str) -> bool:
    return device == "auto" or name in RUN_ON.get(device.partition(":")[0], ())


def _which_can(field: Field | type[Field]) -> str:
    able = sorted(field.counterparts)
    return f"engines that can: {', '.join(able)}" if able else "no engine can"


def usable(field: Field | type[Field], name: str, device: str) -> bool:
    """Whether the engine asked for may be one that fits a field on the device asked for; no engine is imported.

    Args:
        name: of an engine, or "auto" for any.
        device: "auto" for any, "cpu" or "cuda".
    """
    return any(_runs_on(each, device) for each in field.counterparts if name in ("auto", each))


def counterpart(field: Field, name: str) -> Any:
    """What computes a field in an engine, as the engine's module describes it. Raises EngineError or ImportError."""
    if name not in field.counterparts:
        raise EngineError(f"the engine {name!r} cannot fit a {type(field).__name__}; {_which_can(field)}")
    return load(field.counterparts[name])


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
    for name, path in ENGINES.items():
        try:
            lack = missing(name)
            status: str = f"not available: {lack}" if lack else load(path).describe()
        except BROKEN as error:
            status = f"not available: {error}"
        lines.append((name, status))
    return lines
