# pyright: basic
"""Choosing symbols whose parities a convolutional code gives: candidates by parities, and the best path (Viterbi).

For tables, where each point has errors and bits, and for matrices, where errors go from column to column.
"""

from __future__ import annotations

import numpy as np

from nfcodec.kernels.jit import F, exact_order

CANDIDATES, BELOW = 4, 1
"""How many symbols of each feature are tried, and how many of them lie below the wanted value's integer part."""

UNREACHED = F(1e30)


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
def costs_of_states(costs, parities, start, totals, back):
    """What it costs to get from a state to each other: the row of `totals` that tells, and an amount to add to it.

    Args: see `cheapest_path`.
    """
    n_states = len(parities)
    mask = n_states - 1
    totals[0, :] = UNREACHED
    totals[0, start] = F(0)
    old, new, taken = 0, 1, 0.0
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
        taken += lowest
        old, new = new, old
    return old, taken


@exact_order
def trace(parities, back, s, path):
    """Fill in the path that ends in state s."""
    mask = len(parities) - 1
    for i in range(len(path) - 1, -1, -1):
        path[i] = parities[s, back[i, s]]
        s = (2 * s & mask) | back[i, s]


@exact_order
def cheapest_path(costs, parities, path, totals, back):
    """The path from state 0 whose parities cost least, by number of the parities.

    Args:
        costs: (T, 8); path: (T,) to fill with the number of the parities at each step.
        parities: (S, 2), that two moves into each state give: from the states 2 s mod S and that plus one.
        totals: (2, S), and back: (T, S), scratch.
    """
    last, _ = costs_of_states(costs, parities, 0, totals, back)
    trace(parities, back, int(np.argmin(totals[last])), path)


@exact_order
def nearest_by_parities(wanted, costs, symbols):
    """Squared errors (T, 8) of the parities of threes of n wanted values, and symbols (n, 2) nearest to each."""
    costs[:, :] = F(0)
    for i in range(len(wanted)):
        for parity in range(2):
            symbol = 2 * int(np.round((wanted[i] - parity) / 2)) + parity
            symbols[i, parity] = symbol
            error = F((symbol - wanted[i]) ** 2)
            bit = 4 >> i % 3
            for number in range(8):
                if (number & bit != 0) == (parity == 1):
                    costs[i // 3, number] += error


@exact_order
def round_columns(layer, steps, spread, parities, n_survivors, out):
    """Round the columns of a layer one after the other to symbols whose parities have a path.

    Columns not yet rounded take over what they can of the error. So many ways of rounding survive each column: those
    with the least error so far that leave the path in different states, or had different errors before.

    Args:
        layer: (Q, R), columns in order; steps: (Q,), of their symbols.
        spread: (Q, Q), upper triangular: the factor U of the inverse of the inputs' moments, U^T U.
        parities: see `cheapest_path`.
        out: (Q, R) to fill with symbols.
    """
    n_columns, n_rows = layer.shape
    n_steps, n_states = (n_rows + 2) // 3, len(parities)
    left, left_new = np.empty((2, n_survivors, n_columns, n_rows))
    chosen = np.empty((n_survivors, n_columns, n_rows), np.int64)
    chosen_new = np.empty_like(chosen)
    errors, errors_new = np.zeros((2, n_survivors))
    states, states_new = np.zeros((2, n_survivors), np.int64)
    symbols = np.empty((n_survivors, n_rows, 2), np.int64)
    costs, totals = np.empty((n_steps, 8), np.float32), np.empty((2, n_states), np.float32)
    back, path = np.empty((n_survivors, n_steps, n_states), np.uint8), np.empty(n_steps, np.int64)
    ends = np.empty((n_survivors, n_states))
    left[0], n = layer, 1
    for q in range(n_columns):
        weight = (steps[q] / spread[q, q]) ** 2
        for m in range(n):
            nearest_by_parities(left[m, q] / steps[q], costs, symbols[m])
            last, taken = costs_of_states(costs, parities, states[m], totals, back[m])
            for s in range(n_states):
                ends[m, s] = np.inf
                if totals[last, s] < UNREACHED / 2:
                    ends[m, s] = errors[m] + weight * (totals[last, s] + taken)
        n_new = 0
        while n_new < (n_survivors if q + 1 < n_columns else 1):
            m, s = np.argmin(ends[:n]) // n_states, np.argmin(ends[:n]) % n_states
            if ends[m, s] == np.inf:
                break
            errors_new[n_new], states_new[n_new], ends[m, s] = ends[m, s], s, np.inf
            trace(parities, back[m], s, path)
            left_new[n_new, q + 1 :], chosen_new[n_new, :q] = left[m, q + 1 :], chosen[m, :q]
            for i in range(n_rows):
                symbol = symbols[m, i, path[i // 3] >> (2 - i % 3) & 1]
                chosen_new[n_new, q, i] = symbol
                error = (left[m, q, i] - symbol * steps[q]) / spread[q, q]
                for k in range(q + 1, n_columns):
                    left_new[n_new, k, i] -= error * spread[q, k]
            n_new += 1
        left, left_new, chosen, chosen_new, n = left_new, left, chosen_new, chosen, n_new
        errors, errors_new, states, states_new = errors_new, errors, states_new, states
    out[:, :] = chosen[0]
