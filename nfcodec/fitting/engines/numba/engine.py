"""The numba engine: compiled, multithreaded loops for the CPU; exact full-batch gradients and Adam.

Results depend on the seed and not on the number of threads: every sum has one order. Memory beyond the parameters, the
optimiser's state and the picture is bounded by chunks of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import ClassVar, final

import numba
import numpy as np

from nfcodec.errors import EngineError
from nfcodec.exact.arithmetic import OUTPUT_BITS
from nfcodec.exact.field import Parameters, Role
from nfcodec.exact.geometry import Geometry
from nfcodec.fitting.engines.base import Engine, Halt, Objective, Places, Rates, Stats, adam_of, one_by_one
from nfcodec.fitting.engines.numba.program import Pass, Program, Rating, Reference, Sampling
from nfcodec.fitting.engines.numba.tables import NONE, Tables
from nfcodec.fitting.engines.registry import counterpart
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.starts import uniform_start
from nfcodec.kernels import quantizer
from nfcodec.kernels.arguments import AdamStep, Floats
from nfcodec.kernels.jit import U, compilation_told
from nfcodec.transforms import Chain
from nfcodec.workers import Workers, n_threads

SMALL_FLOATS = 1 << 18
"""A picture with fewer numbers a layer is fitted on one thread: waiting for others would take longer."""


@cache
def _compile(program: type[Program]) -> None:
    """Load or compile all kernels that a program needs, by taking a step on a picture of 64 pixels."""
    samples = np.zeros((8, 8, 1), np.uint8)
    value_map = Chain.prepare([], samples, 0).value_map(8, 1, OUTPUT_BITS)
    try:
        example = program.example()
        problem = Problem(example.field, Geometry(8, 8, 1), samples.reshape(-1, 1), value_map)
        layout = example.field.layout(problem.geometry)
        rate_weight = 1.0 if issubclass(program, Rating) else 0.0
        objective = Objective({tensor.name: 1.0 for tensor in layout}, rate_weight, 0.3, rate_model=example.rate_model)
        engine = NumbaEngine(problem, uniform_start(layout, 0), objective, 0)
        engine.gradient()
        engine.update(Rates(0.0, 0.0))
        engine.evaluate()
    except Exception as error:  # numba, LLVM and the cache fail in many ways, and another engine can do the work
        raise EngineError(f"the numba kernels cannot be compiled: {error}") from error


def _halved(values: Floats) -> Floats:
    return values.astype(np.float16).astype(np.float32)


@final
class NumbaEngine(Engine):
    """Adam on the full batch. A field's counterpart is a `Program`."""

    name: ClassVar[str] = "numba"
    block: ClassVar[int] = 1

    def __init__(
        self, problem: Problem, parameters: Parameters, objective: Objective, seed: int, device: str = "cpu"
    ) -> None:
        self.device = "cpu"
        self._problem, self._objective, self._seed = problem, Objective(), seed
        self._reference = Reference.of(problem)
        self._layout = problem.field.layout(problem.geometry)
        self._others = [tensor for tensor in self._layout if tensor.role is not Role.TABLE]
        widest = max([1, *(max(tensor.shape) for tensor in self._others)])
        self._workers = Workers(1 if problem.geometry.n_pixels * widest < SMALL_FLOATS else n_threads())
        program: type[Program] = counterpart(problem.field, self.name)
        self._program = program(problem.field, problem.geometry, self._reference, self._workers)
        self.set_objective(objective)
        self._tables = Tables([tensor for tensor in self._layout if tensor.role is Role.TABLE], self._workers)
        self._network: Parameters = {tensor.name: np.zeros(tensor.shape, np.float32) for tensor in self._others}
        self._network_gradient = {name: np.zeros_like(value) for name, value in self._network.items()}
        self._passes = 0
        self.adam = adam_of(self._layout)
        self.restore(parameters)

    @classmethod
    def describe(cls) -> str:
        return f"numba {numba.__version__} on cpu, threads: {n_threads()}"

    def get_ready(self, notify: Callable[[str], object]) -> None:
        with compilation_told(
            lambda: notify("compiling the numba kernels of this kind of field, once after installation")
        ):
            _compile(type(self._program))

    def restore(self, parameters: Parameters) -> None:
        self._tables.fill(parameters)
        for name, value in self._network.items():
            value[:] = parameters[name]
        self._moments = {
            name: (np.zeros_like(value), np.zeros_like(value))
            for name, value in {"": self._tables.values, **self._network}.items()
        }
        self._updates = 0

    def parameters(self) -> Parameters:
        return self._in_order(self._tables.by_name(self._tables.values), self._network)

    def gradients(self) -> Parameters:
        return self._in_order(self._tables.gradients(), self._network_gradient)

    def _in_order(self, tables: Parameters, network: Parameters) -> Parameters:
        """Tables, and copies of the network's tensors, in the layout's order."""
        tensors: Parameters = {**tables, **{name: value.copy() for name, value in network.items()}}
        return {tensor.name: tensors[tensor.name] for tensor in self._layout}

    def set_objective(self, objective: Objective) -> None:
        if objective.rate_weight > 0 and not isinstance(self._program, Rating):
            raise EngineError(f"a {type(self._problem.field).__name__} has no rate in the engine {self.name!r}")
        if objective.targets is not self._objective.targets:
            self._reference.targets[:] = self._problem.targets.T if objective.targets is None else objective.targets.T
        self._objective = objective

    def evaluate(self) -> Stats:
        self._pack_network()
        bits = 0.0
        if self._objective.rate_weight > 0:
            self._tables.harden(self._objective)
            bits = self._rate(None)
        return self._stats(self._program.run(self._seen_tables(), self._tables.seen_steps(self._objective), None), bits)

    def outputs(self) -> Floats:
        self._pack_network()
        outputs: Floats = np.empty(self._problem.targets.shape[::-1], np.float32)
        self._program.run(self._seen_tables(), self._tables.seen_steps(self._objective), None, outputs=outputs)
        return np.array(outputs.T, np.float32, order="C")

    def gradient(self) -> Stats:
        self._pack_network()
        self._passes += 1
        objective, tables = self._objective, self._tables
        seen, steps, bits = self._seen_tables(), tables.seen_steps(objective), 0.0
        tables.slope = NONE
        softens = objective.softness > 0 and not objective.real
        if softens or objective.rate_weight > 0:
            if softens:
                tables.soften(objective, (self._seed * 0x9E3779B1 + self._passes * 0x85EBCA77) & 0xFFFFFFFF)
            else:
                tables.harden(objective)
            bits = self._rate(tables.gradient)
            seen, steps = tables.softened, np.zeros_like(steps)
        else:
            tables.gradient.fill(0)
        result = self._program.run(seen, steps, tables.gradient, objective.error_quantum)
        self._program.network.unpack(result.weights, result.biases, self._network_gradient)
        return self._stats(result, bits)

    def _rate(self, gradient: Floats | None) -> float:
        """Bits of what the field sees of the tables; the gradient, if asked for, becomes theirs, weighted."""
        objective = self._objective
        if objective.rate_weight > 0 and isinstance(self._program, Rating):
            weight, steps = objective.rate_weight / self._reference.n_pixels, self._tables.steps(objective)
            return self._program.rate(self._tables.softened, steps, weight, objective.rate_model, gradient)
        if gradient is not None:
            gradient.fill(0)
        return 0.0

    def sampled_gradient(self, rows: Places, cols: Places) -> Stats:
        if not isinstance(self._program, Sampling):
            field = type(self._problem.field).__name__
            raise EngineError(f"the engine {self.name!r} has no gradients of some pixels of a {field}")
        self._pack_network()
        result, share = self._program.run_sample(rows, cols), len(rows) * len(cols) / self._reference.n_pixels
        self._program.network.unpack(result.weights, result.biases, self._network_gradient)
        mse = result.squared_error / (share * self._problem.samples.size)
        return Stats(mse, 0.0, result.decoded_squared_error / share)

    def advance(self, rates: Sequence[Rates], halt: Halt) -> list[Stats]:
        return one_by_one(self, rates, halt)

    def update(self, rates: Rates) -> None:
        self._updates += 1
        beta_1, beta_2, n = self.adam.beta_1, self.adam.beta_2, self._updates
        constants = [np.float32(x) for x in (beta_1, beta_2, 1 - beta_1**n, 1 - beta_2**n, self.adam.eps)]
        of_tables, how = (AdamStep(*map(np.float32, (rate, *constants))) for rate in (rates.grid, rates.network))
        self._tables.adam(self._moments[""], of_tables)
        for name, value in self._network.items():
            mean, square = (moment.reshape(-1) for moment in self._moments[name])
            gradient = self._network_gradient[name].reshape(-1)
            quantizer.adam(value.reshape(-1), gradient, NONE, (mean, square), U(0), U(value.size), how)

    def _stats(self, result: Pass, bits: float) -> Stats:
        mse = result.squared_error / self._problem.samples.size
        return Stats(mse, bits / self._problem.geometry.n_pixels, result.decoded_squared_error)

    def _pack_network(self) -> None:
        """Hand the network's tensors to the kernels, rounded to their steps."""
        seen: Parameters = {}
        for tensor in self._others:
            value, step = self._network[tensor.name], self._objective.steps.get(tensor.name)
            if step is not None:
                step /= tensor.unit
                value = (np.round(value / np.float32(step)) * np.float32(step)).astype(np.float32)
            seen[tensor.name] = _halved(value) if self._objective.half else value
        self._program.network.pack(seen)

    def _seen_tables(self) -> Floats:
        """The tables, rounded if parameters have 16 bits."""
        return _halved(self._tables.values) if self._objective.half else self._tables.values
