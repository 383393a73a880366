# pyright: basic
"""Choosing symbols whose parities a convolutional code gives: candidates by parities, and the best path (Viterbi)."""

from __future__ import annotations

import numpy as np

from nfcodec.fitting.engines.kernels.jit import F, exact_order

CANDIDATES, BELOW = 4, 1
"""How many symbols of each feature are tried, and how many of them lie below the wanted value's integer part."""


@exact_order
def decoded(value, thresholds, starts, low, scale):
    """How many thresholds a value is not below, given how many are not above the start of each part of their range."""
    part = int(min(max((value - low) * scale, 0.0), len(starts) - 1.0))
    sample = starts[part]
    while sample < len(thresholds) and thresholds[sample] <= value:
        sample += 1
    return sample


@exact_order
def nearest(wanted, samples, columns, origin, thresholds, starts, scales, joint, alone, lows, price, least, chosen):
    """Of each point and each of the eight parities, the symbols of least error + price * cost.

    Args:
        wanted: (n, 3), the point in symbols, real; samples: (n, 3), what should be decoded.
        columns, origin: outputs are origin + columns @ symbols; (3, 3) and (3,).
        thresholds, starts, scales: of `decoded`, for each output; outputs below the first threshold are 0.
        joint, alone: (s, s', s'') and (3, n); costs of combinations of symbols from `lows` on, and of each by itself,
            which add up. A `joint` of one combination stands for all.
        least, chosen: (n, 8) to fill, by parities: the first symbol's counts 4, the last one's 1. Chosen is how far the
            symbols are above their first candidates, as the digits of a number.
    """
    values = np.empty((3, CANDIDATES, 3))
    symbols = np.empty((3, CANDIDATES), np.int64)
    many = 1 if joint.size > 1 else 0
    for i in range(len(wanted)):
        for j in range(3):
            first = int(np.floor(wanted[i, j])) - BELOW
            for c in range(CANDIDATES):
                symbols[j, c] = first + c
                for o in range(3):
                    values[j, c, o] = columns[o, j] * (first + c) + (origin[o] if j == 0 else 0.0)
        least[i, :] = F(np.inf)
        for a in range(CANDIDATES):
            for b in range(CANDIDATES):
                for c in range(CANDIDATES):
                    error = 0.0
                    for o in range(3):
                        value = values[0, a, o] + values[1, b, o] + values[2, c, o]
                        sample = decoded(value, thresholds[o], starts[o], thresholds[o, 0], scales[o])
                        error += (sample - samples[i, o]) ** 2
                    x, y, z = symbols[0, a] - lows[0], symbols[1, b] - lows[1], symbols[2, c] - lows[2]
                    bits = joint[many * x, many * y, many * z] + alone[0, x] + alone[1, y] + alone[2, z]
                    cost = F(error + price * bits)
                    parities = (x & 1) << 2 | (y & 1) << 1 | z & 1  # lows are even
                    if cost < least[i, parities]:
                        least[i, parities] = cost
                        chosen[i, parities] = (a * CANDIDATES + b) * CANDIDATES + c


@exact_order
def cheapest_path(costs, parities, path, totals, back):
    """The path from state 0 whose parities cost least, by number of the parities.

    Args:
        costs: (T, 8); path: (T,) to fill with the number of the parities at each step.
        parities: (S, 2), that two moves into each state give: from the states 2 s mod S and that plus one.
        totals: (2, S), and back: (T, S), scratch.
    """
    n_states = len(parities)
    mask = n_states - 1
    totals[0, :] = F(1e30)
    totals[0, 0] = F(0)
    old, new = 0, 1
    for i in range(len(costs)):
        lowest = F(np.inf)
        for s in range(n_states):
            before = 2 * s & mask
            even = totals[old, before] + costs[i, parities[s, 0]]
            odd = totals[old, before | 1] + costs[i, parities[s, 1]]
            back[i, s] = odd < even
            totals[new, s] = min(even, odd)
            lowest = min(lowest, totals[new, s])
        for s in range(n_states):
            totals[new, s] -= lowest
        old, new = new, old
    s = int(np.argmin(totals[old]))
    for i in range(len(costs) - 1, -1, -1):
        path[i] = parities[s, back[i, s]]
        s = (2 * s & mask) | back[i, s]
