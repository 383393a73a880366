"""Tables as the numba engine holds them: what the field sees of their entries, and Adam's steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from nfcodec.exact.field import Parameters, Tensor
from nfcodec.fitting.engines.base import Objective
from nfcodec.kernels import quantizer
from nfcodec.kernels.arguments import AdamStep, Floats, Softening
from nfcodec.kernels.jit import U
from nfcodec.lazy import kept
from nfcodec.workers import Workers

ELEMENTS = 1 << 16
"""Elements that a thread takes at a time in elementwise work."""

NONE: Floats = np.zeros(0, np.float32)
"""Stands for an array that is not there."""


class Tables:
    """All tables in one flat array, one after the other, those on the lattice a plane of features after the other.

    Attributes:
        values: the parameters; gradient: of the last pass, with respect to what the field sees.
        softened: what the field sees where that is not the values themselves.
        slope: derivatives of it with respect to the values; NONE for 1.
    """

    def __init__(self, tensors: Sequence[Tensor], workers: Workers) -> None:
        self._tensors, self._workers = tensors, workers
        ends = np.cumsum([0, *(tensor.size for tensor in tensors)])
        self._slices = [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]
        self.values: Floats = np.zeros(int(ends[-1]), np.float32)
        self.gradient: Floats = np.zeros_like(self.values)
        self.slope = NONE

    @kept
    def softened(self) -> Floats:
        return np.zeros_like(self.values)

    @kept
    def _slopes(self) -> Floats:
        return np.zeros_like(self.values)

    def fill(self, parameters: Parameters) -> None:
        for tensor, used in zip(self._tensors, self._slices, strict=True):
            table = parameters[tensor.name]
            self.values[used] = (np.moveaxis(table, 2, 0) if tensor.is_spatial else table).reshape(-1)

    def by_name(self, flat: Floats) -> Parameters:
        """Copies of the parts of a flat array, in the tensors' shapes."""
        tensors: Parameters = {}
        for tensor, used in zip(self._tensors, self._slices, strict=True):
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
        """The quantizer step of each table; 0 for none."""
        return np.array([objective.steps.get(tensor.name, 0.0) for tensor in self._tensors], np.float32)

    def seen_steps(self, objective: Objective) -> Floats:
        """The step that the field sees each table rounded to; 0 for none."""
        return np.zeros(len(self._tensors), np.float32) if objective.real else self.steps(objective)

    def harden(self, objective: Objective) -> None:
        """Set what the field sees: values, rounded if they have a step."""
        steps = self.seen_steps(objective)
        self._in_pieces(lambda level, start, stop: self._harden(start, stop, steps[level]))

    def _harden(self, start: int, stop: int, step: np.float32) -> None:
        quantizer.harden(self.values, self.softened, U(start), U(stop), step)

    def soften(self, objective: Objective, key: int) -> None:
        """The same through soft rounding with noise, and its slope.

        Args:
            key: of the noise, 32 bits.
        """
        steps, softness = self.steps(objective), np.float32(objective.softness)
        self.slope = self._slopes

        def soften(level: int, start: int, stop: int) -> None:
            if steps[level] != 0:
                how = Softening(steps[level], softness, np.uint32(key))
                quantizer.soften(self.values, self.softened, self.slope, U(start), U(stop), how)
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

    def adam(self, moments: tuple[Floats, Floats], how: AdamStep) -> None:
        """A step of Adam with these moments, which it updates."""

        def step(worker: int, i: int) -> None:
            start, stop = U(i * ELEMENTS), U(min(self.values.size, (i + 1) * ELEMENTS))
            quantizer.adam(self.values, self.gradient, self.slope, moments, start, stop, how)

        self._workers.run(-(-self.values.size // ELEMENTS), step)
