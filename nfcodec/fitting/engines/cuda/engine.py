"""The cuda engine: whole blocks of steps on the device, recorded once as a CUDA graph and played again.

The host does not wait for single steps. A step that reaches the goal, or spikes, freezes the parameters on the device,
and the steps of the block after it change nothing, so the step at which a fit stops is exact. Matrix products take the
faster TF32 arithmetic for as long as it makes no difference, and 32 bits from then on.

The gradients of hash tables are sums over pixels in any order, so fits of theirs are not repeatable to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch

from nfcodec.errors import EngineError
from nfcodec.exact.field import Parameters
from nfcodec.fitting.engines.base import Halt, Objective, Rates, Stats
from nfcodec.fitting.engines.cuda.fields import FlatField
from nfcodec.fitting.engines.cuda.flat import FlatEngine, arithmetic
from nfcodec.fitting.engines.self_check import check_against_reference
from nfcodec.fitting.problem import Problem
from nfcodec.lazy import load

BLOCK = 32
"""Steps between looks from the host; a fit that stops inside a block wastes half of one on average."""

NO_DIFFERENCE = 0.01
"""TF32 is left when it moves the mean squared error by more than this share (0.04 dB)."""

WARM_UPS = 2
"""Passes before the recording, in which libraries and Triton prepare themselves."""

TOLERANCE = 1e-3
"""Allowed difference from the reference at the start, relative to values over 1, in 32 bits."""


@dataclass(frozen=True)
class Recording:
    """A step, and what it is a step of: the objective and the tensors made from it, which it goes on reading."""

    graph: torch.cuda.CUDAGraph
    objective: Objective
    steps: torch.Tensor | None
    targets: torch.Tensor


@final
class CudaEngine(FlatEngine[FlatField]):
    """Adam on the full batch in blocks of steps."""

    name: ClassVar[str] = "cuda"
    block: ClassVar[int] = BLOCK

    def __init__(
        self, problem: Problem, parameters: Parameters, objective: Objective, seed: int, device: str = "cuda"
    ) -> None:
        self._recording: Recording | None = None
        self._fast = True
        super().__init__(problem, parameters, objective, seed, device)
        self._at = torch.zeros(1, dtype=torch.int64, device=self._device)
        """Of the block: the step."""
        self._plan = torch.zeros(BLOCK, 2, device=self._device)
        """Rates of the block's steps, of the grid and of the network."""
        self._log = torch.zeros(BLOCK, 2, dtype=torch.float64, device=self._device)
        """Sums of the block's steps."""
        self._limits = torch.zeros(2, dtype=torch.float64, device=self._device)
        """Sums that freeze: the first at least, the second at most."""

    @classmethod
    def describe(cls) -> str:
        if not torch.cuda.is_available():
            raise EngineError("no CUDA device is available to torch")
        kernels = "with Triton" if _has_triton() else "without Triton"
        return f"torch {torch.__version__} on cuda:0 ({torch.cuda.get_device_name(0)}), {kernels}"

    def get_ready(self, notify: Callable[[str], object]) -> None:
        def make(problem: Problem, parameters: Parameters) -> CudaEngine:
            return CudaEngine(problem, parameters, Objective(), 0, self.device)

        check_against_reference(make, self._field.example, self._problem, TOLERANCE)

    def gradient(self) -> Stats:
        return self._full_gradient()

    def advance(self, rates: Sequence[Rates], halt: Halt) -> list[Stats]:
        seen = self._play(rates[:BLOCK], halt)
        if self._fast:
            fast, seen[-1] = seen[-1], self.evaluate()
            if abs(seen[-1].mse - fast.mse) > NO_DIFFERENCE * seen[-1].mse:
                self._fast, self._recording = False, None
            if not self._fast or (halt.at(fast) and not halt.at(seen[-1])):
                seen[-1] = self.gradient()  # the one at hand was not good enough
        rest = rates[len(seen) :]
        return seen + (self.advance(rest, halt) if rest and not halt.at(seen[-1]) else [])

    def _play(self, rates: Sequence[Rates], halt: Halt) -> list[Stats]:
        """Steps until one halts, all of them on the device."""
        graph = self._graph() if self._device.type == "cuda" else None
        plan = torch.tensor([[each.grid, each.network] for each in rates])
        limits = torch.tensor([halt.mse * self._targets.numel(), halt.squared_error], dtype=torch.float64)
        self._plan[: len(rates)].copy_(plan)
        self._limits.copy_(limits)
        self._at.zero_()
        self._frozen.zero_()
        with arithmetic(fast=self._fast):
            for _ in rates:
                self._step() if graph is None else graph.replay()
        self._frozen.zero_()
        seen: list[Stats] = []
        for sums in self._log[: len(rates)].cpu().numpy():  # waits for the device
            seen.append(self._stats_of(sums))
            if halt.at(seen[-1]):
                break
        return seen

    def _step(self) -> None:
        """One step of the block, with nothing that the host would have to know."""
        plan = self._plan.index_select(0, self._at)[0]
        for name, rate in self._rates.items():
            rate.copy_(plan[0 if name == "grid" else 1])
        self._take_step()
        self._pass(differentiate=True)
        self._log.index_copy_(0, self._at, self._sums[None])
        goes_on = (self._sums[0] < self._limits[0]) & (self._sums[1] > self._limits[1])  # false for what is no number
        self._frozen.copy_(torch.where(goes_on, self._frozen, torch.ones_like(self._frozen)))
        self._at += 1

    def _graph(self) -> torch.cuda.CUDAGraph:
        """The step as a graph, recorded again where the objective has been set since."""
        kept = self._recording
        if (
            kept is None
            or kept.objective is not self._objective
            or kept.steps is not self._steps
            or (kept.targets is not self._targets)
        ):
            kept = Recording(self._recorded(), self._objective, self._steps, self._targets)
            self._recording = kept
        return kept.graph

    def _recorded(self) -> torch.cuda.CUDAGraph:
        """A recording of the step. Warming up and recording leave parameters, gradient and Adam's state as they are."""
        gradient = self._gradient.clone()
        stream, graph = torch.cuda.Stream(self._device), torch.cuda.CUDAGraph()
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream), arithmetic(fast=self._fast):
            self._frozen.fill_(1)
            for _ in range(WARM_UPS):
                self._at.zero_()
                self._step()
                self._gradient.copy_(gradient)
            self._at.zero_()
            with torch.cuda.graph(graph, stream=stream):
                self._step()
        torch.cuda.current_stream(self._device).wait_stream(stream)
        self._gradient.copy_(gradient)
        self._frozen.zero_()
        return graph


def _has_triton() -> bool:
    try:
        load("triton:jit")
    except (ImportError, OSError, RuntimeError):
        return False
    return True
