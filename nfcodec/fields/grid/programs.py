"""The engines that fit grids: which one a request means, and the program of each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nfcodec.errors import EngineError
from nfcodec.fields.grid.program import Program
from nfcodec.fitting.engines import registry
from nfcodec.lazy import load

PROGRAMS: Mapping[str, str] = MappingProxyType(
    {"numba": "nfcodec.fields.grid.numba:GridProgram", "torch": "nfcodec.fields.grid.torch_program:TorchProgram"}
)
"""Classes derived from `Program`, by the names of engines; imported when they are asked for."""


def engine_for(engine: str, device: str) -> str:
    """The engine that a request means: "auto" is numba, and torch where a CUDA device is asked for. Nothing is loaded.

    Raises:
        EngineError: it cannot fit grids on this device, or it or the device is missing; the message is for people.
    """
    on_gpu = device.startswith("cuda")
    name = engine if engine != "auto" else "torch" if on_gpu else "numba"
    if name not in PROGRAMS:
        raise EngineError(f"the engine {name!r} cannot fit the field of grids; engines that can: {', '.join(PROGRAMS)}")
    if on_gpu and name != "torch":
        raise EngineError(f"the engine {name!r} runs on the CPU only")
    if lack := registry.missing(name):
        raise EngineError(f"the engine {name!r} is not available: {lack}")
    if on_gpu and not registry.has_cuda_device():
        raise EngineError(f"there is no CUDA device to fit the field of grids on, and {device!r} asks for one")
    return name


def runs_on_gpu(engine: str, device: str) -> bool:
    """Whether a request that is not refused is fitted on a CUDA device."""
    is_torch = engine_for(engine, device) == "torch"
    return is_torch and (device.startswith("cuda") or (device == "auto" and registry.has_cuda_device()))


def load_program(engine: str, device: str) -> type[Program]:
    """The program of the engine that a request means, for a device that is there. Raises EngineError."""
    name = engine_for(engine, device)
    try:
        program = load(PROGRAMS[name])
    except registry.BROKEN as error:
        raise EngineError(f"the engine {name!r} cannot be imported: {error}") from error
    program.require(device)
    return program
