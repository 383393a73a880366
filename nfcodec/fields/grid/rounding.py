"""The quantizer steps of a field's networks: where a coarser step would cost more in error and bits than it saves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from nfcodec.coding.matrices import matrix_bits
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import Quantized, Step, widened
from nfcodec.exact.field import FloatArray, Parameters
from nfcodec.fields.grid.curvature import Compensation, Curvature, curvatures
from nfcodec.fields.grid.normalised import Normalised
from nfcodec.fields.grid.payload import LATENTS
from nfcodec.fields.grid.program import Program
from nfcodec.fields.grid.synthesis import UNIT_STEP
from nfcodec.fitting.problem import Weights, quantized
from nfcodec.workers import single_threaded_blas

FIRST_BITS = 7
"""The search begins with so many bits for the largest parameter of a tensor, and goes by FACTOR from there."""

FACTOR, MOST_TRIES = 2**0.5, 16

ALL_ZERO = 4.0
"""A step of so many times the largest parameter makes a tensor 0."""


@dataclass(frozen=True)
class _Tried:
    """A tensor on a step.

    Attributes:
        cost: in error and bits.
        moved: where other tensors go with it, as the program takes them: biases of its neurons, and offsets.
    """

    cost: float
    found: Quantized
    moved: Parameters


def rounded(
    program: Program, latents: FloatArray, networks: Parameters, rate_weight: float, normalised: Normalised
) -> Weights:
    """The weights of a file: latents as they are, networks on steps that suit them, one tensor after the other.

    They are gone through twice: at first each weight goes to the nearest multiple of the step, which shows what the
    networks of a file see; then, from the beginning, weights that are not rounded yet make up for those that are
    (`curvature`). Offsets, which come last, make up for what the rounding of the others does to the mean of each
    channel.

    Args:
        latents: (n_entries,), integers.
        networks: real, as the program takes them.
        rate_weight: lambda, of bits a pixel, beside the normalised error.
    """
    with single_threaded_blas():  # else what makes up for what would depend on the number of threads
        plain = _Rounding(program, latents, networks, rate_weight, normalised)
        plain.go_through([])
        better = _Rounding(program, latents, {**networks, "offset": plain.now["offset"]}, rate_weight, normalised)
        try:
            better.go_through(curvatures(program.field, program.geometry, plain.weights, networks), plain.steps)
        except FormatError:  # the exact decoder would not take these weights, or none make up for each other
            return plain.weights
        return min(better, plain, key=_Rounding.cost).weights


class _Rounding:
    """Tensors that get their steps.

    Attributes:
        weights: of a file, as far as there are any.
        steps: of these.
        now: all tensors as the program takes them: those that are rounded as these, the others real.
    """

    def __init__(
        self, program: Program, latents: FloatArray, networks: Parameters, rate_weight: float, normalised: Normalised
    ) -> None:
        program.see(latents)
        self._program, self._normalised, self._price = program, normalised, rate_weight / program.n_pixels
        self.weights: dict[str, Quantized] = {LATENTS: as_entries(latents)}
        self.now = dict(networks)
        self.steps: dict[str, float] = {}
        self._picture = np.empty_like(normalised.targets)

    def go_through(self, curvatures: Sequence[Curvature], steps: Mapping[str, float] = MappingProxyType({})) -> None:
        """All tensors once, from these steps on; those that have a curvature make up for each other."""
        for name in self.now:
            inner = self._inner(name)
            compensation = next((each.behind(self.now, name) for each in curvatures if name in each.names), None)

            def tried(
                step: float,
                name: str = name,
                inner: FloatArray = inner,
                compensation: Compensation | None = compensation,
            ) -> _Tried:
                if compensation is None:
                    return self._judged(name, quantized(inner, step), {})
                nearest = Step.nearest(step)
                symbols, moved = compensation.rounded(self.now, nearest.value)
                return self._judged(name, Quantized(symbols, nearest), moved)

            largest = float(np.abs(inner).max(initial=0.0)) or 1.0
            first = steps.get(name, largest / 2**FIRST_BITS)
            best, self.steps[name] = _cheapest(tried, first, ALL_ZERO * largest)
            self.weights[name] = best.found
            self.now.update({**best.moved, name: as_network(name, best.found, self._normalised)})

    def _inner(self, name: str) -> FloatArray:
        """A tensor as a file holds it, before rounding."""
        factor, offset = self._normalised.factor(name)
        return self.now[name] * np.float32(factor) + np.float32(offset)

    def cost(self) -> float:
        """In error and bits, once all are rounded."""
        measured = self._program.measure(self.now)
        n_bits = measured.bits + sum(parameter_bits(self.weights[name]) for name in self.now)
        return measured.error + self._price * n_bits

    def _judged(self, name: str, found: Quantized, moved: Parameters) -> _Tried:
        values = as_network(name, found, self._normalised)
        measured = self._program.measure({**self.now, **moved, name: values}, self._picture)
        error = measured.error
        if name != "offset":
            shift, gained = self._normalised.best_shift(self._picture)
            error -= gained
            moved = {**moved, "offset": self.now["offset"] + shift}
        return _Tried(error + self._price * (measured.bits + parameter_bits(found)), found, moved)


def as_entries(latents: FloatArray) -> Quantized:
    """The tensor of a file for latents, (n_entries,), integers."""
    return Quantized(latents.astype(np.int32)[:, None], UNIT_STEP)


def parameter_bits(found: Quantized) -> float:
    """What a tensor's symbols take in a file."""
    symbols = widened(found.symbols)
    return matrix_bits(symbols if symbols.ndim == 2 else symbols[:, None])


def _cheapest(tried: Callable[[float], _Tried], step: float, all_zero: float) -> tuple[_Tried, float]:
    """The best of steps around one, as long as they get better: finer ones first, then coarser ones; or all zero."""
    best, best_step = tried(step), step
    for factor in (1 / FACTOR, FACTOR):
        at = best_step
        for _ in range(MOST_TRIES):
            at *= factor
            other = tried(at)
            if other.cost >= best.cost:
                break
            best, best_step = other, at
    other = tried(all_zero)
    return (other, all_zero) if other.cost < best.cost else (best, best_step)


def as_networks(weights: Weights, normalised: Normalised) -> Parameters:
    """The networks of a file as the program takes them."""
    return {name: as_network(name, weight, normalised) for name, weight in weights.items() if name != LATENTS}


def as_network(name: str, weight: Quantized, normalised: Normalised) -> FloatArray:
    """One tensor of them."""
    factor, offset = normalised.factor(name)
    return ((weight.singles - np.float32(offset)) / np.float32(factor)).astype(np.float32)
