"""Fields for the numba engine: passes over all pixels, forward and, if wanted, backward, cut into tasks for threads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nfcodec.fields import DenseLevel, Geometry, GridLevel, HashLevel, Ngp, Parameters, Siren
from nfcodec.fitting.engines.base import Places
from nfcodec.fitting.engines.kernels import grids
from nfcodec.fitting.engines.kernels.blocks import padded
from nfcodec.fitting.engines.kernels.jit import BLOCK, U
from nfcodec.fitting.engines.kernels.ngp import ngp_rows
from nfcodec.fitting.engines.kernels.siren import siren_pixels
from nfcodec.fitting.problem import OUTPUT_UNIT, Problem
from nfcodec.workers import Workers

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.uintp]

CHUNK_FLOATS = 1 << 21
"""Bound on the encoding gradients that one chunk of rows holds; they should stay in a shared cache."""

TASK_ROWS = 8
"""Rows of pixels that a thread takes at a time."""

SIREN_TASKS = 32
SIREN_GRADIENT_FLOATS = 1 << 26
"""Bounds on the partial sums of a SIREN's gradient, one set a task."""


@dataclass(frozen=True)
class Map:
    """A linear map of a network: the names of its tensors, (out, in), and the factor that the field puts on them."""

    weight: str
    shape: tuple[int, int]
    bias: str | None = None
    factor: float = 1.0


class Network:
    """Packs the tensors of a network for the kernels: matrices padded to multiples of four, and their transposes."""

    def __init__(self, maps: Sequence[Map]) -> None:
        self._maps = maps
        shapes = [(padded(each.shape[0]), padded(each.shape[1])) for each in maps]
        ends = np.cumsum([0, *(rows * cols for rows, cols in shapes)])
        bias_ends = np.cumsum([0, *(rows for rows, _ in shapes)])
        self._shapes, self.w_at, self.b_at = shapes, ends[:-1].astype(np.uintp), bias_ends[:-1].astype(np.uintp)
        self.weights: Floats = np.zeros(int(ends[-1]), np.float32)
        self.transposed: Floats = np.zeros(int(ends[-1]), np.float32)
        self.biases: Floats = np.zeros(int(bias_ends[-1]), np.float32)

    def pack(self, tensors: Parameters) -> None:
        """Take over the tensors' values."""
        for each, (rows, cols), at, bias_at in zip(self._maps, self._shapes, self.w_at, self.b_at, strict=True):
            (n_out, n_in), end = each.shape, int(at) + rows * cols
            matrix = tensors[each.weight] * np.float32(each.factor)
            self.weights[at:end].reshape(rows, cols)[:n_out, :n_in] = matrix
            self.transposed[at:end].reshape(cols, rows)[:n_in, :n_out] = matrix.T
            if each.bias is not None:
                self.biases[bias_at : int(bias_at) + n_out] = tensors[each.bias] * np.float32(each.factor)

    def unpack(self, weights: Floats, biases: Floats, gradients: Parameters) -> None:
        """Turn gradients of the packed values into those of the tensors."""
        for each, (rows, cols), at, bias_at in zip(self._maps, self._shapes, self.w_at, self.b_at, strict=True):
            (n_out, n_in), end = each.shape, int(at) + rows * cols
            gradients[each.weight][:] = weights[at:end].reshape(rows, cols)[:n_out, :n_in] * np.float32(each.factor)
            if each.bias is not None:
                gradients[each.bias][:] = biases[bias_at : int(bias_at) + n_out] * np.float32(each.factor)


@dataclass(frozen=True)
class Picture:
    """What the loss kernel compares outputs with."""

    targets: Floats
    samples: Floats
    value_map: Floats
    thresholds: Floats

    @classmethod
    def of(cls, problem: Problem) -> Picture:
        thresholds = problem.value_map.thresholds
        spacing = (thresholds[:, -1] - thresholds[:, 0]) / (problem.peak - 1)
        is_affine = bool(np.all(np.abs(np.diff(thresholds, axis=1) - spacing[:, None]) <= 1)) and bool(np.all(spacing))
        density = 1 / (spacing * OUTPUT_UNIT) if is_affine else np.zeros(len(spacing))
        columns = [
            np.full(len(spacing), problem.value_map.sign), thresholds[:, 0] * OUTPUT_UNIT, density,
            np.full(len(spacing), problem.peak),
        ]  # fmt: skip
        return cls(
            np.ascontiguousarray(problem.targets.T, np.float32),
            np.ascontiguousarray(problem.samples.T, np.float32),
            np.stack(columns, 1).astype(np.float32),
            (thresholds * OUTPUT_UNIT).astype(np.float32),
        )

    @property
    def n_pixels(self) -> int:
        return self.targets.shape[1]

    def at(self, pixels: npt.NDArray[np.int64]) -> Picture:
        """Some pixels of it, by their places in raster order."""
        return replace(self, targets=self.targets[:, pixels], samples=self.samples[:, pixels])


@dataclass(frozen=True)
class Pass:
    """The sums of one pass over the picture, and the gradients of the packed network, if asked for."""

    squared_error: float
    decoded_squared_error: float
    weights: Floats
    biases: Floats


class Program(ABC):
    """One kind of field, compiled: a pass over all pixels."""

    network: Network

    @abstractmethod
    def run(
        self,
        tables: Floats,
        steps: Floats,
        gradient: Floats | None,
        quantum: float = 0.0,
        outputs: Floats | None = None,
    ) -> Pass:
        """Evaluate with the packed network and flat tables, whose entries are rounded to `steps` (0: not) as read.

        Args:
            gradient: of the flat tables, added to; None to only evaluate.
            quantum: gradients see the outputs' errors rounded to multiples of it; 0 for none.
            outputs: (C, H * W), becomes the field's values.
        """


def ngp_maps(spec: Ngp, widths: Sequence[int]) -> list[Map]:
    """The linear maps of an `ngp` network whose layers have these widths, inputs first and outputs last."""
    bias = [f"bias{i}" for i in range(len(spec.hidden))] + ["bias_out"]
    maps = [
        Map(f"weight{i}", (widths[i + 1], widths[i]), bias[i] if spec.bias else None)
        for i in range(len(spec.hidden) + 1 if spec.hidden else 0)
    ]
    skip = Map("skip", (widths[-1], widths[0]), None if spec.hidden or not spec.bias else bias[0])
    return [*maps, skip] if spec.skip else maps


def ngp_places(spec: Ngp, network: Network) -> tuple[Indices, Indices]:
    """Where the kernels find each matrix and each bias."""
    w_at, b_at = network.w_at, network.b_at
    return (w_at, b_at) if spec.hidden else (np.append(w_at, w_at), b_at)


class NgpProgram(Program):
    """Encoding and network row by row, then the transposed interpolation level by level, chunk after chunk."""

    def __init__(self, spec: Ngp, geometry: Geometry, picture: Picture, workers: Workers) -> None:
        self._geometry, self._picture, self._workers = geometry, picture, workers
        self._levels, self._axes = _level_rows(spec, geometry), _hash_axes(spec, geometry)
        self._n_hidden, self._has_skip = len(spec.hidden), spec.skip
        widths = [spec.encoding_size, *spec.hidden, geometry.channels]
        self.network = Network(ngp_maps(spec, widths))
        self._sizes = np.array([padded(width) for width in widths], np.uintp)
        self._at = ngp_places(spec, self.network)
        n_features = sum(level.features for level in spec.levels)
        row_floats = max(1, n_features * geometry.width)
        self._chunk_rows = max(TASK_ROWS, CHUNK_FLOATS // row_floats // TASK_ROWS * TASK_ROWS)
        chunk_pixels = min(self._chunk_rows, geometry.height) * geometry.width
        self._d_encoding: Floats = np.zeros((n_features, chunk_pixels), np.float32)
        longest = max([_row_floats(level, geometry) for level in spec.levels])
        scratch = BLOCK * int(2 * self._sizes.sum() + 2 * self._sizes.max())
        self._scratch = [np.zeros(scratch, np.float32) for _ in range(workers.n)]
        self._rows = [np.zeros((2 * n_features, longest), np.float32) for _ in range(workers.n)]
        self._cells = [np.zeros(len(spec.levels), np.uintp) for _ in range(workers.n)]
        self._scatters = [
            (i, f)
            for i, level in enumerate(spec.levels)
            for f in range(level.features if isinstance(level, DenseLevel) else 1)
        ]

    def run(
        self,
        tables: Floats,
        steps: Floats,
        gradient: Floats | None,
        quantum: float = 0.0,
        outputs: Floats | None = None,
    ) -> Pass:
        geometry, picture, network = self._geometry, self._picture, self.network
        n_slots = -(-min(self._chunk_rows, geometry.height) // TASK_ROWS)
        weights = np.zeros((n_slots, network.weights.size), np.float32)
        biases = np.zeros((n_slots, max(1, network.biases.size)), np.float32)
        sums = np.zeros((n_slots, 2))
        scale = np.float32(2 / picture.targets.size)
        w_at, b_at = self._at
        kept = _nothing(picture) if outputs is None else outputs

        for chunk in range(0, geometry.height, self._chunk_rows):
            end = min(chunk + self._chunk_rows, geometry.height)

            def rows(worker: int, slot: int, chunk: int = chunk, end: int = end) -> None:
                first = chunk + slot * TASK_ROWS
                ngp_rows(
                    U(first), U(min(first + TASK_ROWS, end)), U(chunk), U(geometry.width), self._levels, tables, steps,
                    *self._axes, self._sizes, U(self._n_hidden), self._has_skip, network.weights, network.transposed,
                    w_at, network.biases, b_at, picture.targets, picture.samples, scale, np.float32(quantum),
                    picture.value_map, picture.thresholds, gradient is not None, self._d_encoding, weights[slot],
                    biases[slot], sums[slot], kept, self._scratch[worker], self._rows[worker], self._cells[worker],
                )  # fmt: skip

            def scatter(worker: int, i: int, chunk: int = chunk, end: int = end) -> None:
                assert gradient is not None
                level, f = self._scatters[i]
                row = self._levels[level]
                if row[grids.IS_HASH]:
                    axes = [axis[level] for axis in self._axes]
                    flat, n = self._d_encoding.reshape(-1), U(self._d_encoding.shape[1])
                    grids.hash_scatter(
                        self._levels, U(level), flat, n, U(chunk), U(end), *axes, gradient, self._rows[worker][0]
                    )
                else:
                    d, (below, above) = self._d_encoding[int(row[grids.FIRST]) + f], self._rows[worker][:2]
                    grids.dense_scatter(
                        self._levels, U(level), U(f), d, U(chunk), U(end), U(geometry.width), gradient, below, above
                    )

            self._workers.run(-(-(end - chunk) // TASK_ROWS), rows)
            if gradient is not None:
                self._workers.run(len(self._scatters), scatter)
        total = sums.sum(axis=0)
        return Pass(float(total[0]), float(total[1]), weights.sum(axis=0), biases.sum(axis=0))


class SirenProgram(Program):
    """Ranges of pixels, each with its own partial sums of the gradient."""

    def __init__(self, spec: Siren, geometry: Geometry, picture: Picture, workers: Workers) -> None:
        self._picture, self._workers = picture, workers
        self._n_cols = geometry.width
        self._n_layers, self._width = 1 + spec.hidden_layers, padded(spec.width)
        self._n_out = padded(geometry.channels)
        fan_in = [2] + [spec.width] * spec.hidden_layers
        maps = [
            Map(f"weight{i}", (spec.width, n), f"bias{i}", spec.omega_0) for i, n in enumerate(fan_in)
        ]  # fmt: skip
        self.network = Network([*maps, Map("weight_out", (geometry.channels, spec.width), "bias_out")])
        self._xs, self._ys = (
            np.linspace(-1, 1, n, dtype=np.float32) if n > 1 else np.zeros(1, np.float32)
            for n in (geometry.width, geometry.height)
        )
        scratch = BLOCK * (4 + 2 * self._n_out + 2 * self._width * (self._n_layers + 1))
        self._scratch = [np.zeros(scratch, np.float32) for _ in range(workers.n)]

    def run(
        self,
        tables: Floats,
        steps: Floats,
        gradient: Floats | None,
        quantum: float = 0.0,
        outputs: Floats | None = None,
    ) -> Pass:
        return self._run(self._picture, self._xs, self._ys, gradient is not None, quantum, outputs)

    def run_sample(self, rows: Places, cols: Places) -> Pass:
        """The same with the gradient of the network, over the pixels where these rows and columns cross."""
        picture = self._picture.at((rows[:, None] * self._n_cols + cols).reshape(-1))
        return self._run(picture, self._xs[cols], self._ys[rows], True)

    def _run(
        self,
        picture: Picture,
        xs: Floats,
        ys: Floats,
        differentiate: bool,
        quantum: float = 0.0,
        outputs: Floats | None = None,
    ) -> Pass:
        """A pass over a lattice with these coordinates."""
        network, blocks = self.network, -(-picture.n_pixels // BLOCK)
        n_tasks = max(1, min(SIREN_TASKS, SIREN_GRADIENT_FLOATS // network.weights.size, blocks))
        task_pixels = -(-blocks // n_tasks) * BLOCK
        n_tasks = -(-picture.n_pixels // task_pixels)
        n_sums = n_tasks if differentiate else 1
        weights = np.zeros((n_sums, network.weights.size), np.float32)
        biases = np.zeros((n_sums, network.biases.size), np.float32)
        sums = np.zeros((n_tasks, 2))
        scale = np.float32(2 / picture.targets.size)
        kept = _nothing(picture) if outputs is None else outputs

        def pixels(worker: int, i: int) -> None:
            first, slot = i * task_pixels, i if differentiate else 0
            siren_pixels(
                U(first), U(min(first + task_pixels, picture.n_pixels)), xs, ys, U(self._width),
                U(self._n_layers), network.weights, network.transposed, network.w_at, network.biases, network.b_at,
                U(self._n_out), picture.targets, picture.samples, scale, np.float32(quantum), picture.value_map,
                picture.thresholds, differentiate, weights[slot], biases[slot], sums[i], kept, self._scratch[worker],
            )  # fmt: skip

        self._workers.run(n_tasks, pixels)
        total = sums.sum(axis=0)
        return Pass(float(total[0]), float(total[1]), weights.sum(axis=0), biases.sum(axis=0))


def _nothing(picture: Picture) -> Floats:
    return np.zeros((len(picture.targets), 0), np.float32)


def _level_rows(spec: Ngp, geometry: Geometry) -> Indices:
    """The description of levels that the grid kernels read."""
    rows = np.zeros((len(spec.levels), grids.N_COLUMNS), np.uintp)
    offset = first = 0
    for row, level in zip(rows, spec.levels, strict=True):
        row[grids.OFFSET], row[grids.FEATURES], row[grids.FIRST] = offset, level.features, first
        if isinstance(level, HashLevel):
            in_rows, x = level.resolution**2 <= level.size, level.axis(geometry.width)
            row[grids.IS_HASH], row[grids.COLS] = 1, level.size
            row[grids.ROWS] = level.resolution if in_rows else 0
            row[grids.MASK] = 0 if level.size & (level.size - 1) else level.size - 1
            row[grids.IS_FINE] = int(x.high[-1] - x.low[0]) + 1 > geometry.width + 2
        elif isinstance(level, DenseLevel):
            row[grids.LOG2_STRIDE] = level.log2_stride
            row[grids.ROWS], row[grids.COLS], _ = level.shape(geometry)
        offset, first = offset + int(np.prod(level.shape(geometry))), first + level.features
    return rows


def _hash_axes(spec: Ngp, geometry: Geometry) -> tuple[Indices, Floats, Indices, Floats]:
    """Cells and fractions of the hash levels along y and along x, a row a level."""
    axes: list[npt.NDArray[np.uintp] | Floats] = []
    for n in (geometry.height, geometry.width):
        cells, fractions = np.zeros((len(spec.levels), n), np.uintp), np.zeros((len(spec.levels), n), np.float32)
        for i, level in enumerate(spec.levels):
            if isinstance(level, HashLevel):
                axis = level.axis(n)
                cells[i], fractions[i] = axis.low, axis.fraction / (1 << axis.bits)
        axes += [cells, fractions]
    return tuple(axes)  # pyright: ignore[reportReturnType]


def _row_floats(level: GridLevel, geometry: Geometry) -> int:
    """Scratch that a row of pixels needs in a level."""
    if isinstance(level, DenseLevel):
        return (level.shape(geometry)[1] + 1) << level.log2_stride
    return geometry.width + 4
