"""The tinycudann engine: Instant-NGP in tiny-cuda-nn's fused 16-bit kernels, on CUDA.

The kernels compute in 16 bits and the fit's parameters are kept in 32, as Instant-NGP does it. What comes out ends in
the same exact encoder as with every engine, so files do not depend on it.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, final

import torch

from nfcodec.errors import EngineError
from nfcodec.exact.field import Parameters
from nfcodec.fitting.engines.base import Halt, Objective, Rates, Stats, one_by_one
from nfcodec.fitting.engines.cuda.fields import FlatField
from nfcodec.fitting.engines.cuda.flat import FlatEngine
from nfcodec.fitting.engines.self_check import check_against_reference
from nfcodec.fitting.problem import Problem
from nfcodec.lazy import load

TOLERANCE, GRADIENT_TOLERANCE = 2e-2, 0.1
"""Allowed differences from the reference; 16 bits bring about 2e-3 to outputs, and sums over pixels in 16 bits more."""

MAX_BACKOFFS = 12


class Binding:
    """tiny-cuda-nn's Python module.

    Attributes:
        model: makes an encoding with a network behind it.
        fuses: whether encoding and network may be compiled into one kernel at run time, as from version 2 on.

    Raises:
        EngineError: the import fails, which it does in many ways: not installed, no device, built for another version.
    """

    def __init__(self) -> None:
        try:
            self.model: Callable[..., Any] = load("tinycudann:NetworkWithInputEncoding")
        except (ImportError, OSError, RuntimeError) as error:
            reason = str(error).strip().splitlines()
            message = reason[-1] if reason else type(error).__name__
            raise EngineError(f"tinycudann cannot be imported: {message}") from error
        self.fuses = bool(_offered("supports_jit_fusion", lambda: False)())
        self.free_temporary_memory = _offered("free_temporary_memory", lambda: None)


def _offered(name: str, otherwise: Callable[[], Any]) -> Callable[[], Any]:
    """A function of the module that not all of its versions have."""
    try:
        return load(f"tinycudann:{name}")
    except ImportError:
        return otherwise


class TcnnModel(FlatField):
    """A field's counterpart in this engine.

    Attributes:
        scale: that derivatives by outputs are multiplied with on their way through 16-bit numbers; 0 until the first.
    """

    scale: float

    @property
    @abstractmethod
    def jit_fusion(self) -> bool:
        """Whether the kernels are fused at run time; a failed attempt, in the first pass, turns it off."""


@final
class TcnnEngine(FlatEngine[TcnnModel]):
    """Adam on the full batch, 32-bit parameters, 16-bit arithmetic."""

    name: ClassVar[str] = "tinycudann"
    block: ClassVar[int] = 1

    @classmethod
    def describe(cls) -> str:
        binding = Binding()
        if not torch.cuda.is_available():
            raise EngineError("no CUDA device is available to torch")
        fused = "with" if binding.fuses else "without"
        return f"tinycudann on cuda:0 ({torch.cuda.get_device_name(0)}), {fused} JIT fusion"

    def get_ready(self, notify: Callable[[str], object]) -> None:
        def make(problem: Problem, parameters: Parameters) -> TcnnEngine:
            return TcnnEngine(problem, parameters, Objective(), 0, self.device)

        check_against_reference(make, self._field.example, self._problem, TOLERANCE, GRADIENT_TOLERANCE)
        self.evaluate()
        if Binding().fuses and not self._field.jit_fusion:
            notify("tinycudann could not fuse its kernels for this field and takes the slower ones")

    def gradient(self) -> Stats:
        for _ in range(MAX_BACKOFFS):
            stats = self._full_gradient()
            if bool(torch.isfinite(self._gradient).all()) or not math.isfinite(stats.mse):
                return stats
            self._field.scale /= 8
        raise EngineError("tinycudann's 16-bit gradients are not finite at any scale")

    def advance(self, rates: Sequence[Rates], halt: Halt) -> list[Stats]:
        return one_by_one(self, rates, halt)
