"""A field's counterpart in the numba engine, a `Program`: a pass over all pixels, and what it may do besides.

What programs have in common is here: packed networks, what outputs are compared with, and the sums of a pass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import OUTPUT_UNIT
from nfcodec.exact.field import Field, Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fitting.engines.base import Places
from nfcodec.fitting.problem import Problem
from nfcodec.kernels.arguments import Floats, Found, Packed, Wanted
from nfcodec.kernels.blocks import padded
from nfcodec.workers import Workers

TASK_ROWS = 8
"""Rows of pixels that a thread takes at a time."""


@dataclass(frozen=True)
class Map:
    """A linear map of a network: the names of its tensors, (out, in), and the factor that the field puts on them."""

    weight: str
    shape: tuple[int, int]
    bias: str | None = None
    factor: float = 1.0


class Network:
    """Packs the tensors of a network for the kernels: matrices padded to multiples of four, and their transposes.

    Args:
        untrained: tensors that stay as they are, and have no gradients.

    Attributes:
        packed: what the kernels read.
    """

    def __init__(self, maps: Sequence[Map], untrained: Parameters | None = None) -> None:
        self._maps, self._untrained = maps, untrained or {}
        shapes = [(padded(each.shape[0]), padded(each.shape[1])) for each in maps]
        ends = np.cumsum([0, *(rows * cols for rows, cols in shapes)])
        bias_ends = np.cumsum([0, *(rows for rows, _ in shapes)])
        self._shapes, w_at, b_at = shapes, ends[:-1].astype(np.uintp), bias_ends[:-1].astype(np.uintp)
        self.weights: Floats = np.zeros(int(ends[-1]), np.float32)
        self.transposed: Floats = np.zeros(int(ends[-1]), np.float32)
        self.biases: Floats = np.zeros(int(bias_ends[-1]), np.float32)
        self.packed = Packed(self.weights, self.transposed, w_at, self.biases, b_at)

    def _places(self) -> Iterator[tuple[Map, tuple[int, int], int, int]]:
        """Each map, its matrix's padded shape, and where the matrix and the bias are."""
        w_at, b_at = (map(int, places) for places in (self.packed.w_at, self.packed.b_at))
        return zip(self._maps, self._shapes, w_at, b_at, strict=True)

    def pack(self, tensors: Parameters) -> None:
        """Take over the tensors' values."""
        tensors = {**tensors, **self._untrained}
        for each, (rows, cols), at, bias_at in self._places():
            (n_out, n_in), end = each.shape, at + rows * cols
            matrix = tensors[each.weight] * np.float32(each.factor)
            self.weights[at:end].reshape(rows, cols)[:n_out, :n_in] = matrix
            self.transposed[at:end].reshape(cols, rows)[:n_in, :n_out] = matrix.T
            if each.bias is not None:
                self.biases[bias_at : bias_at + n_out] = tensors[each.bias] * np.float32(each.factor)

    def unpack(self, weights: Floats, biases: Floats, gradients: Parameters) -> None:
        """Turn gradients of the packed values into those of the tensors."""
        for each, (rows, cols), at, bias_at in self._places():
            if each.weight in self._untrained:
                continue
            (n_out, n_in), end = each.shape, at + rows * cols
            gradients[each.weight][:] = weights[at:end].reshape(rows, cols)[:n_out, :n_in] * np.float32(each.factor)
            if each.bias is not None:
                gradients[each.bias][:] = biases[bias_at : bias_at + n_out] * np.float32(each.factor)


@dataclass(frozen=True)
class Reference:
    """What the loss kernel compares outputs with."""

    targets: Floats
    samples: Floats
    value_map: Floats
    thresholds: Floats

    @classmethod
    def of(cls, problem: Problem) -> Reference:
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

    @property
    def no_outputs(self) -> Floats:
        """What a kernel gets that need not keep the field's values."""
        return np.zeros((len(self.targets), 0), np.float32)

    def wanted(self, quantum: float, *, differentiate: bool) -> Wanted:
        """What the kernels compare outputs with in one pass; see `Program.run`."""
        scale, quantum_32 = np.float32(2 / self.targets.size), np.float32(quantum)
        return Wanted(self.targets, self.samples, self.value_map, self.thresholds, scale, quantum_32, differentiate)

    def found(self, sums: Sums, task: int, outputs: Floats | None) -> Found:
        """Where the kernels leave what a task of a pass finds."""
        kept = self.no_outputs if outputs is None else outputs
        slot = min(task, len(sums.weights) - 1)  # one for all where there are no gradients
        return Found(sums.weights[slot], sums.biases[slot], sums.errors[task], kept)

    def at(self, pixels: npt.NDArray[np.int64]) -> Reference:
        """Some pixels of it, by their places in raster order."""
        return replace(self, targets=self.targets[:, pixels], samples=self.samples[:, pixels])


@dataclass(frozen=True)
class Pass:
    """The sums of one pass over the picture, and the gradients of the packed network, if asked for."""

    squared_error: float
    decoded_squared_error: float
    weights: Floats
    biases: Floats


class Sums:
    """What the tasks of a pass add up, each in a slot of its own, so that the total does not depend on threads."""

    def __init__(self, network: Network, n_slots: int, n_gradients: int | None = None) -> None:
        n_gradients = n_slots if n_gradients is None else n_gradients
        self.weights: Floats = np.zeros((n_gradients, network.weights.size), np.float32)
        self.biases: Floats = np.zeros((n_gradients, max(1, network.biases.size)), np.float32)
        self.errors: npt.NDArray[np.float64] = np.zeros((n_slots, 2))

    def total(self) -> Pass:
        """Of all slots, in their order."""
        error, decoded_error = self.errors.sum(axis=0)
        return Pass(float(error), float(decoded_error), self.weights.sum(axis=0), self.biases.sum(axis=0))


@dataclass(frozen=True)
class Example:
    """A field that needs all kernels of a program, for a picture of 8 x 8 pixels with one channel.

    Attributes:
        rate_model: see `Objective`.
    """

    field: Field
    rate_model: object | None = None


class Program(ABC):
    """One kind of field, compiled: a pass over all pixels. See also `Sampling` and `Rating`.

    Attributes:
        network: where the tensors are packed that are no tables; before each pass, by the engine.
    """

    network: Network

    @abstractmethod
    def __init__(self, field: Field, geometry: Geometry, reference: Reference, workers: Workers) -> None:
        """Raises EngineError for a field that is not of this kind."""

    @classmethod
    @abstractmethod
    def example(cls) -> Example:
        """What the kernels are compiled with."""

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
            tables: see `Tables`.
            steps: one for each table.
            gradient: of the flat tables, added to; None to only evaluate.
            quantum: gradients see the outputs' errors rounded to multiples of it; 0 for none.
            outputs: (C, H * W), becomes the field's values.
        """


class Sampling(ABC):
    """A program that can do with some of the pixels, of a field without tables."""

    @abstractmethod
    def run_sample(self, rows: Places, cols: Places) -> Pass:
        """`Program.run` with the gradient of the network, over the pixels where these rows and columns cross."""


class Rating(ABC):
    """A program that knows what the entries of its field's tables take."""

    @abstractmethod
    def rate(
        self, tables: Floats, steps: Floats, weight: float, model: object | None, gradient: Floats | None
    ) -> float:
        """The bits of all entries that have a step.

        Args:
            tables: flat, see `Tables`; steps: one for each table, 0 for none.
            weight: of a bit, in the gradient.
            model: see `Objective.rate_model`.
            gradient: of the flat tables, becomes that of the bits times `weight`; None for no gradient.
        """
