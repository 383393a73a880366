"""The numba engine: compiled, multithreaded loops for the CPU; exact full-batch gradients and Adam.

Results depend on the seed and not on the number of threads: every sum has one order. Memory beyond the parameters, the
optimiser's state and the picture is bounded by chunks of rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from functools import cache, cached_property

import numba
import numpy as np

from nfcodec.errors import EngineError
from nfcodec.fields import OUTPUT_BITS, DenseLevel, FieldSpec, Geometry, HashLevel, Ngp, Parameters, Siren, WaveletLevel
from nfcodec.fitting.engines.base import GRID_ADAM, Adam, Engine, Objective, Places, Rates, Stats
from nfcodec.fitting.engines.kernels import quantizer, wavelet
from nfcodec.fitting.engines.kernels.jit import U
from nfcodec.fitting.engines.numba_fields import Floats, NgpProgram, Pass, Picture, Program, SirenProgram
from nfcodec.fitting.engines.numba_wavelet import WaveletProgram
from nfcodec.fitting.problem import Problem
from nfcodec.transforms import Chain
from nfcodec.workers import Workers, n_threads

ELEMENTS = 1 << 16
"""Elements that a thread takes at a time in elementwise work."""

SMALL_FLOATS = 1 << 18
"""A picture with fewer numbers a layer is fitted on one thread: waiting for others would take longer."""

SILENCE_S = 1.0
"""Getting the kernels ready may take this long before the listener is told; longer means that they are compiled."""


def describe() -> str:
    """Version and threads, for `nfcodec doctor`."""
    return f"numba {numba.__version__} on cpu, threads: {n_threads()}"


def create(
    device: str,
    problem: Problem,
    parameters: Parameters,
    objective: Objective,
    seed: int,
    notify: Callable[[str], object] = lambda message: None,
) -> Engine:
    """Make the engine on "auto" or "cpu".

    Args:
        notify: told when the kernels have to be compiled first, as after installation.

    Raises:
        EngineError: another device or field, or the kernels cannot be compiled here.
    """
    if device not in ("auto", "cpu"):
        raise EngineError(f"the numba engine runs on the cpu, not on {device}")
    engine = NumbaEngine(problem, parameters, objective, seed)
    with ThreadPoolExecutor(1) as pool:
        ready = pool.submit(_get_ready, engine.program)
        try:
            ready.result(SILENCE_S)
        except TimeoutError:
            notify("compiling the numba kernels, once after installation")
            ready.result()
    return engine


def _program(problem: Problem, picture: Picture, workers: Workers) -> Program:
    """The compiled counterpart of a problem's field. Raises EngineError."""
    spec, geometry = problem.spec, problem.geometry
    if isinstance(spec, Siren):
        return SirenProgram(spec, geometry, picture, workers)
    if isinstance(spec, Ngp) and isinstance(spec.levels[0], WaveletLevel) and spec.skip and not spec.shipped:
        return WaveletProgram(spec, geometry, picture, workers)
    if isinstance(spec, Ngp) and not isinstance(spec.levels[0], WaveletLevel):
        return NgpProgram(spec, geometry, picture, workers)
    raise EngineError(f"the numba engine has no counterpart of this {type(spec).__name__}")


_LEVELS = (HashLevel(2.5, 4, 16, 1), HashLevel(40.5, 42, 8, 1), DenseLevel(1, 1), DenseLevel(0, 1))
_TINY: dict[type[Program], FieldSpec] = {
    SirenProgram: Siren(4, 1),
    NgpProgram: Ngp(_LEVELS, hidden=(4,), bias=True, skip=True),
    WaveletProgram: Ngp((WaveletLevel(2, 1),), hidden=(4,), bias=True, skip=True),
}
"""A field that needs all kernels of each program."""


@cache
def _get_ready(program: type[Program]) -> None:
    """Load or compile all kernels that a program needs, by taking a step on a picture of 64 pixels."""
    tiny = _TINY[program]
    samples = np.zeros((8, 8, 1), np.uint8)
    value_map = Chain.prepare([], samples, 0).value_map(8, 1, OUTPUT_BITS)
    problem = Problem(tiny, Geometry(8, 8, 1), samples.reshape(-1, 1), value_map)
    steps = {tensor.name: 1.0 for tensor in tiny.layout(problem.geometry)}
    try:
        priors: tuple[Floats, Floats] = (np.zeros((8, 8, 1), np.float32), np.ones((8, 8, 1), np.float32))
        objective = Objective(steps, 1.0, 0.3, priors=priors)
        engine = NumbaEngine(problem, tiny.initial(problem.geometry, 0), objective, 0)
        engine.gradient()
        engine.update(Rates(0.0, 0.0))
        engine.evaluate()
    except Exception as error:  # numba, LLVM and the cache fail in many ways, and another engine can do the work
        raise EngineError(f"the numba kernels cannot be compiled: {error}") from error


def _by_plane(locations: Floats, scales: Floats) -> tuple[Floats, Floats]:
    """Locations and one over scales, flat, a plane of features after the other."""
    planes = (np.moveaxis(locations, 2, 0), 1 / np.moveaxis(scales, 2, 0))
    return planes[0].astype(np.float32).reshape(-1), planes[1].astype(np.float32).reshape(-1)


def _halved(values: Floats) -> Floats:
    return values.astype(np.float16).astype(np.float32)


NONE: Floats = np.zeros(0, np.float32)
"""Stands for an array that is not there."""


class NumbaEngine(Engine):
    """Adam on the full batch."""

    name = "numba"
    device = "cpu"

    def __init__(self, problem: Problem, parameters: Parameters, objective: Objective, seed: int) -> None:
        self._problem, self._objective, self._seed = problem, Objective(), seed
        self._priors: tuple[Floats, Floats] | None = None
        self._picture = Picture.of(problem)
        self.set_objective(objective)
        self._layout = problem.spec.layout(problem.geometry)
        self._levels = [tensor for tensor in self._layout if tensor.name.startswith("level")]
        self._others = [tensor for tensor in self._layout if not tensor.name.startswith("level")]
        ends = np.cumsum([0, *(tensor.size for tensor in self._levels)])
        self._slices = [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]
        widest = max([1, *(max(tensor.shape) for tensor in self._others)])
        self._workers = Workers(1 if problem.geometry.n_pixels * widest < SMALL_FLOATS else n_threads())
        self._program = _program(problem, self._picture, self._workers)
        self._tables: Floats = np.zeros(int(ends[-1]), np.float32)
        self._network: Parameters = {tensor.name: np.zeros(tensor.shape, np.float32) for tensor in self._others}
        self._table_gradient: Floats = np.zeros_like(self._tables)
        self._network_gradient = {name: np.zeros_like(value) for name, value in self._network.items()}
        self._slope = NONE
        self._passes = 0
        self.adam = GRID_ADAM if self._levels else Adam()
        self.restore(parameters)

    @property
    def program(self) -> type[Program]:
        """What this engine compiles."""
        return type(self._program)

    def restore(self, parameters: Parameters) -> None:
        for tensor, used in zip(self._levels, self._slices, strict=True):
            table = parameters[tensor.name]
            self._tables[used] = (np.moveaxis(table, 2, 0) if tensor.is_spatial else table).reshape(-1)
        for name, value in self._network.items():
            value[:] = parameters[name]
        self._moments = {
            name: (np.zeros_like(value), np.zeros_like(value))
            for name, value in {"": self._tables, **self._network}.items()
        }
        self._updates = 0

    def parameters(self) -> Parameters:
        return self._by_name(self._tables, self._network)

    def gradients(self) -> Parameters:
        tables = self._table_gradient * self._slope if self._slope.size else self._table_gradient
        return self._by_name(tables, self._network_gradient)

    def _by_name(self, tables: Floats, network: Parameters) -> Parameters:
        """Copies of flat tables and network tensors, in the layout's shapes and order."""
        tensors: Parameters = {name: value.copy() for name, value in network.items()}
        for tensor, used in zip(self._levels, self._slices, strict=True):
            flat = tables[used]
            if not tensor.is_spatial:
                tensors[tensor.name] = flat.reshape(tensor.shape).copy()
            else:
                rows, cols, features = tensor.shape
                tensors[tensor.name] = np.ascontiguousarray(np.moveaxis(flat.reshape(features, rows, cols), 0, 2))
        return {tensor.name: tensors[tensor.name] for tensor in self._layout}

    def set_objective(self, objective: Objective) -> None:
        if objective.priors is not self._objective.priors or self._priors is None:
            self._priors = None if objective.priors is None else _by_plane(*objective.priors)
        if objective.targets is not self._objective.targets:
            self._picture.targets[:] = self._problem.targets.T if objective.targets is None else objective.targets.T
        self._objective = objective

    def evaluate(self) -> Stats:
        self._pack_network()
        bits = 0.0
        if self._objective.rate_weight > 0:
            self._elementwise(self._harden)
            bits = self._rate(None)
        return self._stats(self._program.run(self._seen_tables(), self._steps(), None), bits)

    def outputs(self) -> Floats:
        self._pack_network()
        outputs: Floats = np.empty(self._problem.targets.shape[::-1], np.float32)
        self._program.run(self._seen_tables(), self._steps(), None, outputs=outputs)
        return np.array(outputs.T, np.float32, order="C")

    def gradient(self) -> Stats:
        self._pack_network()
        self._passes += 1
        objective, steps, tables, bits = self._objective, self._steps(), self._seen_tables(), 0.0
        self._slope = self._slopes if objective.softness > 0 else NONE
        if objective.softness > 0 or objective.rate_weight > 0:
            self._elementwise(self._soften if objective.softness > 0 else self._harden)
            bits, tables = self._rate(self._table_gradient), self._softened
            steps = np.zeros_like(steps)
        else:
            self._table_gradient.fill(0)
        result = self._program.run(tables, steps, self._table_gradient, objective.error_quantum)
        self._program.network.unpack(result.weights, result.biases, self._network_gradient)
        return self._stats(result, bits)

    def sampled_gradient(self, rows: Places, cols: Places) -> Stats:
        if not isinstance(self._program, SirenProgram):
            return self.gradient()
        self._pack_network()
        result, share = self._program.run_sample(rows, cols), len(rows) * len(cols) / self._picture.n_pixels
        self._program.network.unpack(result.weights, result.biases, self._network_gradient)
        mse = result.squared_error / (share * self._problem.samples.size)
        return Stats(mse, 0.0, result.decoded_squared_error / share)

    def update(self, rates: Rates) -> None:
        self._updates += 1
        betas, eps = (self.adam.beta_1, self.adam.beta_2), np.float32(self.adam.eps)
        settings = [np.float32(x) for x in (*betas, *(1 - beta**self._updates for beta in betas))]
        mean, square = self._moments[""]
        n = self._tables.size

        def tables(worker: int, i: int) -> None:
            quantizer.adam(
                self._tables, self._table_gradient, self._slope, mean, square, U(i * ELEMENTS),
                U(min(n, (i + 1) * ELEMENTS)), np.float32(rates.grid), *settings, eps,
            )  # fmt: skip

        self._workers.run(-(-n // ELEMENTS), tables)
        for name, value in self._network.items():
            quantizer.adam(
                value.reshape(-1), self._network_gradient[name].reshape(-1), NONE,
                *(moment.reshape(-1) for moment in self._moments[name]), U(0), U(value.size),
                np.float32(rates.network), *settings, eps,
            )  # fmt: skip

    def _stats(self, result: Pass, bits: float) -> Stats:
        mse = result.squared_error / self._problem.samples.size
        return Stats(mse, bits / self._problem.geometry.n_pixels, result.decoded_squared_error)

    def _steps(self) -> Floats:
        """The quantizer step of each level; 0 for none."""
        return np.array([self._objective.steps.get(tensor.name, 0.0) for tensor in self._levels], np.float32)

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
        return _halved(self._tables) if self._objective.half else self._tables

    @cached_property
    def _softened(self) -> Floats:
        """The tables as the field sees them where that is not what they are."""
        return np.zeros_like(self._tables)

    @cached_property
    def _slopes(self) -> Floats:
        """Derivatives of what the field sees with respect to the tables."""
        return np.zeros_like(self._tables)

    def _elementwise(self, task: Callable[[int, int, int], object]) -> None:
        """Call task(level, first, last + 1) over all tables, in pieces."""
        pieces = [
            (level, at, min(at + ELEMENTS, used.stop))
            for level, used in enumerate(self._slices)
            for at in range(used.start, used.stop, ELEMENTS)
        ]
        self._workers.run(len(pieces), lambda worker, i: task(*pieces[i]))

    def _harden(self, level: int, start: int, stop: int) -> None:
        """What the field sees of a table: its entries, rounded if they have a step."""
        quantizer.harden(self._tables, self._softened, U(start), U(stop), self._steps()[level])

    def _soften(self, level: int, start: int, stop: int) -> None:
        """The same through soft rounding with noise, for dense tables."""
        tensor, step = self._levels[level], self._steps()[level]
        if not tensor.is_spatial or step == 0:
            self._harden(level, start, stop)
            self._slope[start:stop] = 1
            return
        key = np.uint32((self._seed * 0x9E3779B1 + self._passes * 0x85EBCA77) & 0xFFFFFFFF)
        softness = np.float32(self._objective.softness)
        quantizer.soften(self._tables, self._softened, self._slope, U(start), U(stop), step, softness, key)

    def _rate(self, gradient: Floats | None) -> float:
        """Bits of what the field sees of its tables; sets the gradient of all tables to the rate's."""
        if self._levels and self._levels[0].wavelet_levels is not None:
            return self._rate_of_priors(gradient)
        return self._rate_of_neighbours(gradient)

    def _rate_of_priors(self, gradient: Floats | None) -> float:
        """Bits of a wavelet level under the distributions that the objective states."""
        if self._objective.rate_weight == 0 or self._priors is None:
            if gradient is not None:
                gradient.fill(0)
            return 0.0
        n, (locations, sharpness) = self._tables.size, self._priors
        weight, step = np.float32(self._objective.rate_weight / self._problem.geometry.n_pixels), self._steps()[0]
        bits = np.zeros(-(-n // ELEMENTS))

        def rate(worker: int, i: int) -> None:
            bits[i] = wavelet.laplace_rate(
                self._softened, NONE if gradient is None else gradient, locations, sharpness, U(i * ELEMENTS),
                U(min(n, (i + 1) * ELEMENTS)), step, weight,
            )  # fmt: skip

        self._workers.run(len(bits), rate)
        return float(bits.sum())

    def _rate_of_neighbours(self, gradient: Floats | None) -> float:
        """Bits of what the field sees of the dense tables; sets the gradient of all tables to the rate's."""
        planes: list[tuple[int, int, int, int]] = []  # level, place of the plane, first and last row
        for level, (tensor, used) in enumerate(zip(self._levels, self._slices, strict=True)):
            if (
                tensor.log2_stride is None
                or tensor.name not in self._objective.steps
                or self._objective.rate_weight == 0
            ):
                if gradient is not None:
                    gradient[used] = 0
                continue
            n_rows, n_cols, features = tensor.shape
            rows = max(1, ELEMENTS // n_cols)
            places = range(used.start, used.stop, n_rows * n_cols)
            planes += [
                (level, at, y, min(y + rows, n_rows)) for at in places[:features] for y in range(0, n_rows, rows)
            ]
        weight, steps = np.float32(self._objective.rate_weight / self._problem.geometry.n_pixels), self._steps()
        bits = np.zeros(len(planes))

        def rate(worker: int, i: int) -> None:
            level, at, y0, y1 = planes[i]
            n_rows, n_cols, _ = self._levels[level].shape
            bits[i] = quantizer.rate(
                self._softened, NONE if gradient is None else gradient, U(at), U(n_rows), U(n_cols), U(y0), U(y1),
                steps[level], weight, np.empty(n_cols + 2, np.float32), np.empty(n_cols, np.float32),
            )  # fmt: skip

        self._workers.run(len(planes), rate)
        return float(bits.sum())
