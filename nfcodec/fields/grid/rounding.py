"""The quantizer steps of a field's networks: where a coarser step would cost more in error and bits than it saves."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.field import FloatArray, Parameters
from nfcodec.fields.grid.normalised import Normalised
from nfcodec.fields.grid.payload import LATENTS
from nfcodec.fields.grid.program import Program
from nfcodec.fitting.problem import Weights, quantized

ONE = Step(128, -7)
"""The step of latents."""

FIRST_BITS = 7
"""The search begins with so many bits for the largest parameter of a tensor, and goes by FACTOR from there."""

FACTOR, MOST_TRIES = 2**0.5, 12

Tried = tuple[float, Quantized, FloatArray]
"""Of a step: what it costs in error and bits, the tensor on it, and the values that the program takes for that."""


def rounded(
    program: Program, latents: FloatArray, networks: Parameters, rate_weight: float, normalised: Normalised
) -> Weights:
    """The weights of a file: latents as they are, networks on steps that suit them, one tensor after the other.

    Args:
        latents: (n_entries,), integers.
        networks: real, as the program takes them.
        rate_weight: lambda, of bits a pixel, beside the normalised error.
    """
    program.see(latents)
    price = rate_weight / program.n_pixels
    weights: dict[str, Quantized] = {LATENTS: as_entries(latents)}
    now = dict(networks)
    for name, real in networks.items():
        factor = normalised.factor(name)

        def tried(
            step: float, name: str = name, real: FloatArray = real, factor: tuple[float, float] = factor
        ) -> Tried:
            found = quantized(real * np.float32(factor[0]) + np.float32(factor[1]), step)
            values = ((found.singles - np.float32(factor[1])) / np.float32(factor[0])).astype(np.float32)
            measured = program.measure({**now, name: values})
            cost = measured.error + price * (measured.bits + parameter_bits(found))
            return cost, found, values

        largest = float(np.abs(real * factor[0] + factor[1]).max(initial=0.0)) or 1.0
        _, weights[name], now[name] = _cheapest(tried, largest / 2**FIRST_BITS)
    return weights


def as_entries(latents: FloatArray) -> Quantized:
    """The tensor of a file for latents, (n_entries,), integers."""
    return Quantized(latents.astype(np.int32)[:, None], ONE)


def parameter_bits(found: Quantized) -> float:
    """About what a tensor's symbols take: those of a Laplace distribution of their mean magnitude."""
    if not found.symbols.size:
        return 0.0
    mean = float(np.abs(found.symbols).mean()) + 0.1
    return found.symbols.size * math.log2(2 * math.e * mean + 1)


def _cheapest(tried: Callable[[float], Tried], step: float) -> Tried:
    """The best of steps around one, as long as they get better: finer ones first, then coarser ones."""
    best, best_step = tried(step), step
    for factor in (1 / FACTOR, FACTOR):
        at = best_step
        for _ in range(MOST_TRIES):
            at *= factor
            other = tried(at)
            if other[0] >= best[0]:
                break
            best, best_step = other, at
    return best


def as_networks(weights: Weights, normalised: Normalised) -> Parameters:
    """The networks of a file as the program takes them."""
    found: dict[str, FloatArray] = {}
    for name, weight in weights.items():
        if name != LATENTS:
            factor, offset = normalised.factor(name)
            found[name] = ((weight.singles - np.float32(offset)) / np.float32(factor)).astype(np.float32)
    return found
