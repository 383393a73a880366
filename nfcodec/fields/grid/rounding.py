"""The quantizer steps of a field's networks: where a coarser step would cost more in error and bits than it saves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nfcodec.coding.matrices import matrix_bits
from nfcodec.exact.arithmetic import Quantized, Step, widened
from nfcodec.exact.field import FloatArray, Parameters
from nfcodec.fields.grid.normalised import Normalised
from nfcodec.fields.grid.payload import LATENTS
from nfcodec.fields.grid.program import Program
from nfcodec.fitting.problem import Weights, quantized

ONE = Step(128, -7)
"""The step of latents."""

FIRST_BITS = 7
"""The search begins with so many bits for the largest parameter of a tensor, and goes by FACTOR from there."""

FACTOR, MOST_TRIES = 2**0.5, 16

ALL_ZERO = 4.0
"""A step of so many times the largest parameter makes a tensor 0."""

ROUNDS = 2
"""How often all tensors are gone through: in the second round the others are as a file holds them."""

Tried = tuple[float, Quantized, FloatArray, FloatArray]
"""Of a step: what it costs in error and bits, the tensor on it, the values that the program takes for that, and what
offsets would gain from being moved by, (C,)."""


def rounded(
    program: Program, latents: FloatArray, networks: Parameters, rate_weight: float, normalised: Normalised
) -> Weights:
    """The weights of a file: latents as they are, networks on steps that suit them, one tensor after the other.

    Offsets, which come last, make up for what the rounding of the others does to the mean of each channel.

    Args:
        latents: (n_entries,), integers.
        networks: real, as the program takes them.
        rate_weight: lambda, of bits a pixel, beside the normalised error.
    """
    program.see(latents)
    price = rate_weight / program.n_pixels
    weights: dict[str, Quantized] = {LATENTS: as_entries(latents)}
    real, now = dict(networks), dict(networks)
    steps: dict[str, float] = {}
    picture = np.empty_like(normalised.targets)
    for _ in range(ROUNDS):
        for name in networks:
            factor = normalised.factor(name)
            inner = real[name] * np.float32(factor[0]) + np.float32(factor[1])

            def tried(
                step: float, name: str = name, inner: FloatArray = inner, factor: tuple[float, float] = factor
            ) -> Tried:
                found = quantized(inner, step)
                values = as_network(name, found, normalised)
                measured = program.measure({**now, name: values}, picture)
                error, shift = measured.error, np.zeros(len(picture), np.float32)
                if name != "offset":
                    shift = (normalised.targets - picture).mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
                    error -= float(np.square(shift, dtype=np.float64).mean())
                return error + price * (measured.bits + parameter_bits(found)), found, values, shift

            largest = float(np.abs(inner).max(initial=0.0)) or 1.0
            first = steps.get(name, largest / 2**FIRST_BITS)
            (_, weights[name], now[name], shift), steps[name] = _cheapest(tried, first, ALL_ZERO * largest)
            if name != "offset":
                real["offset"] = now["offset"] = now["offset"] + shift
    return weights


def as_entries(latents: FloatArray) -> Quantized:
    """The tensor of a file for latents, (n_entries,), integers."""
    return Quantized(latents.astype(np.int32)[:, None], ONE)


def parameter_bits(found: Quantized) -> float:
    """What a tensor's symbols take in a file."""
    symbols = widened(found.symbols)
    return matrix_bits(symbols if symbols.ndim == 2 else symbols[:, None])


def _cheapest(tried: Callable[[float], Tried], step: float, all_zero: float) -> tuple[Tried, float]:
    """The best of steps around one, as long as they get better: finer ones first, then coarser ones; or all zero."""
    best, best_step = tried(step), step
    for factor in (1 / FACTOR, FACTOR):
        at = best_step
        for _ in range(MOST_TRIES):
            at *= factor
            other = tried(at)
            if other[0] >= best[0]:
                break
            best, best_step = other, at
    other = tried(all_zero)
    return (other, all_zero) if other[0] < best[0] else (best, best_step)


def as_networks(weights: Weights, normalised: Normalised) -> Parameters:
    """The networks of a file as the program takes them."""
    return {name: as_network(name, weight, normalised) for name, weight in weights.items() if name != LATENTS}


def as_network(name: str, weight: Quantized, normalised: Normalised) -> FloatArray:
    """One tensor of them."""
    factor, offset = normalised.factor(name)
    return ((weight.singles - np.float32(offset)) / np.float32(factor)).astype(np.float32)
