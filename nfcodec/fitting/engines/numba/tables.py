"""Grid levels as the numba engine holds them: what the field sees of their entries, their bits, and Adam's steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from nfcodec.exact.field import Parameters, TensorSpec
from nfcodec.fields.wavelet import numba_kernels as wavelet
from nfcodec.fitting.engines.base import Objective
from nfcodec.fitting.engines.numba.program import Floats
from nfcodec.fitting.kernels import quantizer
from nfcodec.fitting.kernels.jit import U
from nfcodec.workers import Workers

ELEMENTS = 1 << 16
"""Elements that a thread takes at a time in elementwise work."""

NONE: Floats = np.zeros(0, np.float32)
"""Stands for an array that is not there."""

Priors = tuple[Floats, Floats]
"""Locations and one over scales, flat, a plane of features after the other."""


def by_plane(locations: Floats, scales: Floats) -> Priors:
    """The priors of an objective as the kernels want them."""
    planes = (np.moveaxis(locations, 2, 0), 1 / np.moveaxis(scales, 2, 0))
    return planes[0].astype(np.float32).reshape(-1), planes[1].astype(np.float32).reshape(-1)


class Tables:
    """All grid levels in one flat array, level after level, those on the lattice a plane of features after the other.

    Attributes:
        values: the parameters; gradient: of the last pass, with respect to what the field sees.
        softened: what the field sees where that is not the values themselves.
        slope: derivatives of it with respect to the values; NONE for 1.
    """

    def __init__(self, levels: Sequence[TensorSpec], n_pixels: int, workers: Workers) -> None:
        self._levels, self._n_pixels, self._workers = levels, n_pixels, workers
        ends = np.cumsum([0, *(tensor.size for tensor in levels)])
        self._slices = [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]
        self.values: Floats = np.zeros(int(ends[-1]), np.float32)
        self.gradient: Floats = np.zeros_like(self.values)
        self.slope = NONE

    @cached_property
    def softened(self) -> Floats:
        return np.zeros_like(self.values)

    @cached_property
    def _slopes(self) -> Floats:
        return np.zeros_like(self.values)

    def fill(self, parameters: Parameters) -> None:
        for tensor, used in zip(self._levels, self._slices, strict=True):
            table = parameters[tensor.name]
            self.values[used] = (np.moveaxis(table, 2, 0) if tensor.is_spatial else table).reshape(-1)

    def by_name(self, flat: Floats) -> Parameters:
        """Copies of the parts of a flat array, in the levels' shapes."""
        tensors: Parameters = {}
        for tensor, used in zip(self._levels, self._slices, strict=True):
            part = flat[used]
            if not tensor.is_spatial:
                tensors[tensor.name] = part.reshape(tensor.shape).copy()
            else:
                rows, cols, features = tensor.shape
                tensors[tensor.name] = np.ascontiguousarray(np.moveaxis(part.reshape(features, rows, cols), 0, 2))
        return tensors

    def gradients(self) -> Parameters:
        """With respect to the values."""
        return self.by_name(self.gradient * self.slope if self.slope.size else self.gradient)

    def steps(self, objective: Objective) -> Floats:
        """The quantizer step of each level; 0 for none."""
        return np.array([objective.steps.get(tensor.name, 0.0) for tensor in self._levels], np.float32)

    def harden(self, objective: Objective) -> None:
        """Set what the field sees: values, rounded if they have a step."""
        steps = self.steps(objective)
        self._in_pieces(lambda level, start, stop: self._harden(start, stop, steps[level]))

    def _harden(self, start: int, stop: int, step: np.float32) -> None:
        quantizer.harden(self.values, self.softened, U(start), U(stop), step)

    def soften(self, objective: Objective, key: int) -> None:
        """The same through soft rounding with noise, for tables on the lattice, and its slope.

        Args:
            key: of the noise, 32 bits.
        """
        steps, softness = self.steps(objective), np.float32(objective.softness)
        self.slope = self._slopes

        def soften(level: int, start: int, stop: int) -> None:
            if self._levels[level].is_spatial and steps[level] != 0:
                arrays = self.values, self.softened, self.slope
                quantizer.soften(*arrays, U(start), U(stop), steps[level], softness, np.uint32(key))
            else:
                self._harden(start, stop, steps[level])
                self.slope[start:stop] = 1

        self._in_pieces(soften)

    def _in_pieces(self, task: Callable[[int, int, int], object]) -> None:
        """Call task(level, first, last + 1) over all tables."""
        pieces = [
            (level, at, min(at + ELEMENTS, used.stop))
            for level, used in enumerate(self._slices)
            for at in range(used.start, used.stop, ELEMENTS)
        ]
        self._workers.run(len(pieces), lambda worker, i: task(*pieces[i]))

    def rate(self, objective: Objective, priors: Priors | None, gradient: Floats | None) -> float:
        """Bits of `softened`; sets the gradient of all tables, if asked for, to the rate's."""
        if self._levels and self._levels[0].wavelet_levels is not None:
            return self._rate_of_priors(objective, priors, gradient)
        return self._rate_of_neighbours(objective, gradient)

    def _rate_of_priors(self, objective: Objective, priors: Priors | None, gradient: Floats | None) -> float:
        """Bits of a wavelet level under the distributions that the objective states."""
        if objective.rate_weight == 0 or priors is None:
            if gradient is not None:
                gradient.fill(0)
            return 0.0
        n, (locations, sharpness) = self.values.size, priors
        weight, step = np.float32(objective.rate_weight / self._n_pixels), self.steps(objective)[0]
        bits = np.zeros(-(-n // ELEMENTS))

        def rate(worker: int, i: int) -> None:
            bits[i] = wavelet.laplace_rate(
                self.softened, NONE if gradient is None else gradient, locations, sharpness, U(i * ELEMENTS),
                U(min(n, (i + 1) * ELEMENTS)), step, weight,
            )  # fmt: skip

        self._workers.run(len(bits), rate)
        return float(bits.sum())

    def _rate_of_neighbours(self, objective: Objective, gradient: Floats | None) -> float:
        """Bits of dense levels, by the magnitudes around each entry."""
        planes: list[tuple[int, int, int, int]] = []  # level, place of the plane, first and last row
        for level, (tensor, used) in enumerate(zip(self._levels, self._slices, strict=True)):
            if tensor.log2_stride is None or tensor.name not in objective.steps or objective.rate_weight == 0:
                if gradient is not None:
                    gradient[used] = 0
                continue
            n_rows, n_cols, features = tensor.shape
            rows = max(1, ELEMENTS // n_cols)
            places = range(used.start, used.stop, n_rows * n_cols)
            planes += [
                (level, at, y, min(y + rows, n_rows)) for at in places[:features] for y in range(0, n_rows, rows)
            ]
        weight, steps = np.float32(objective.rate_weight / self._n_pixels), self.steps(objective)
        bits = np.zeros(len(planes))

        def rate(worker: int, i: int) -> None:
            level, at, y0, y1 = planes[i]
            n_rows, n_cols, _ = self._levels[level].shape
            bits[i] = quantizer.rate(
                self.softened, NONE if gradient is None else gradient, U(at), U(n_rows), U(n_cols), U(y0), U(y1),
                steps[level], weight, np.empty(n_cols + 2, np.float32), np.empty(n_cols, np.float32),
            )  # fmt: skip

        self._workers.run(len(planes), rate)
        return float(bits.sum())

    def adam(self, mean: Floats, square: Floats, rate: np.float32, *settings: np.float32) -> None:
        """A step of Adam with these moments, which it updates."""

        def step(worker: int, i: int) -> None:
            start, stop = U(i * ELEMENTS), U(min(self.values.size, (i + 1) * ELEMENTS))
            quantizer.adam(self.values, self.gradient, self.slope, mean, square, start, stop, rate, *settings)

        self._workers.run(-(-self.values.size // ELEMENTS), step)
