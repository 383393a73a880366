"""The cuda engine: whole blocks of steps on the device, recorded once as a CUDA graph and played again.

The host does not wait for single steps. A step that reaches the goal, or spikes, freezes the parameters on the device,
and the steps of the block after it change nothing, so the step at which a fit stops is exact. Matrix products take the
faster TF32 arithmetic for as long as it makes no difference, and 32 bits from then on.

The gradients of hash tables are sums over pixels in any order, so fits of theirs are not repeatable to the bit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence

import torch

from nfcodec.errors import EngineError
from nfcodec.exact.field import Parameters
from nfcodec.fields.ngp.cuda import FlatNgp
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.siren.cuda import FlatSiren
from nfcodec.fields.siren.field import Siren
from nfcodec.fitting.engines.base import Engine, Halt, Objective, Places, Rates, Stats
from nfcodec.fitting.engines.cuda.flat import FlatEngine, FlatField
from nfcodec.fitting.engines.self_check import check_against_reference
from nfcodec.fitting.problem import Problem

BLOCK = 32
"""Steps between looks from the host; a fit that stops inside a block wastes half of one on average."""

NO_DIFFERENCE = 0.01
"""TF32 is left when it moves the mean squared error by more than this share (0.04 dB)."""

WARM_UPS = 2
"""Passes before the recording, in which libraries and Triton prepare themselves."""

TOLERANCE = 1e-3
"""Allowed difference from the reference at the start, relative to values over 1, in 32 bits."""


def describe() -> str:
    """Version and devices, for `nfcodec doctor`. Raises EngineError where it cannot run."""
    if not torch.cuda.is_available():
        raise EngineError("no CUDA device is available to torch")
    kernels = "with Triton" if FlatNgp.available() else "without Triton, so for siren only"
    return f"torch {torch.__version__} on cuda:0 ({torch.cuda.get_device_name(0)}), {kernels}"


def create(
    device: str,
    problem: Problem,
    parameters: Parameters,
    objective: Objective,
    seed: int,
    notify: Callable[[str], object] = lambda message: None,
) -> Engine:
    """Make the engine on "auto" or "cuda". Raises EngineError."""
    if device == "cpu":
        raise EngineError("the engine 'cuda' runs on CUDA devices only")
    if not torch.cuda.is_available():
        raise EngineError("no CUDA device is available to torch")
    engine = CudaEngine(problem, parameters, objective, seed)
    check_against_reference(lambda small, start: CudaEngine(small, start, Objective(), seed), problem, TOLERANCE)
    return engine


class CudaEngine(FlatEngine):
    """Adam on the full batch in blocks of steps."""

    name = "cuda"
    block = BLOCK

    def __init__(
        self, problem: Problem, parameters: Parameters, objective: Objective, seed: int, device: str = "cuda"
    ) -> None:
        self._graph: torch.cuda.CUDAGraph | None = None
        self._fast = True
        super().__init__(problem, parameters, objective, device)
        self._at = torch.zeros(1, dtype=torch.int64, device=self._device)
        """Of the block: the step."""
        self._plan = torch.zeros(BLOCK, 2, device=self._device)
        """Rates of the block's steps, of the grid and of the network."""
        self._log = torch.zeros(BLOCK, 2, dtype=torch.float64, device=self._device)
        """Sums of the block's steps."""
        self._limits = torch.zeros(2, dtype=torch.float64, device=self._device)
        """Sums that freeze: the first at least, the second at most."""

    def _make_field(self) -> FlatField:
        spec, geometry = self._problem.spec, self._problem.geometry
        if isinstance(spec, Siren):
            return FlatSiren(spec, geometry, self._device)
        if isinstance(spec, Ngp):
            return FlatNgp(spec, geometry, self._device)
        raise EngineError(f"the engine 'cuda' has no {spec.name}")

    def set_objective(self, objective: Objective) -> None:
        super().set_objective(objective)
        self._graph = None

    def gradient(self) -> Stats:
        with arithmetic(fast=False):
            return super().gradient()

    def sampled_gradient(self, rows: Places, cols: Places) -> Stats:
        with arithmetic(fast=False):
            return super().sampled_gradient(rows, cols)

    def evaluate(self) -> Stats:
        with arithmetic(fast=False):
            return super().evaluate()

    def advance(self, rates: Sequence[Rates], halt: Halt) -> list[Stats]:
        seen = self._play(rates[:BLOCK], halt)
        if self._fast:
            fast, seen[-1] = seen[-1], self.evaluate()
            if abs(seen[-1].mse - fast.mse) > NO_DIFFERENCE * seen[-1].mse:
                self._fast, self._graph = False, None
            if not self._fast or (halt.at(fast) and not halt.at(seen[-1])):
                seen[-1] = self.gradient()  # the one at hand was not good enough
        rest = rates[len(seen) :]
        return seen + (self.advance(rest, halt) if rest and not halt.at(seen[-1]) else [])

    def _play(self, rates: Sequence[Rates], halt: Halt) -> list[Stats]:
        """Steps until one halts, all of them on the device."""
        if self._graph is None and self._device.type == "cuda":
            self._graph = self._recorded()
        plan = torch.tensor([[each.grid, each.network] for each in rates])
        limits = torch.tensor([halt.mse * self._targets.numel(), halt.squared_error], dtype=torch.float64)
        self._plan[: len(rates)].copy_(plan)
        self._limits.copy_(limits)
        self._at.zero_()
        self._frozen.zero_()
        with arithmetic(fast=self._fast):
            for _ in rates:
                self._step() if self._graph is None else self._graph.replay()
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

    def _recorded(self) -> torch.cuda.CUDAGraph:
        """The step as a graph. Warming up and recording leave parameters, gradient and Adam's state as they are."""
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


@contextlib.contextmanager
def arithmetic(*, fast: bool) -> Generator[None, None, None]:
    """Matrix products in TF32, or in 32 bits."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if fast else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
