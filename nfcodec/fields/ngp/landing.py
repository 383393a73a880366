"""Ending where the target is: last moves of single entries by one, each of which changes one pixel.

The finest level has an entry for each pixel where the codec chooses the levels, so what a move does to the samples is
known exactly, by evaluating the field with all of them moved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import Quantized
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fitting.problem import Problem, Trial, Weights
from nfcodec.raster import Samples

QUIET = 0.1
"""Added to the mean magnitude around an entry, which tells what a larger or smaller one costs or saves."""

LEAST = 1e-3
"""Divisor of what costs nothing."""

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def land(field: Ngp, problem: Problem, weights: Weights, psnr_db: float) -> Trial:
    """Take error away where the target is missed, at the least bits; save bits where it is surpassed.

    The weights as they are where no level has an entry for each pixel.
    """
    trial, index = problem.trial(weights), _entries_of_pixels(field, problem.geometry)
    if index is None:
        return trial
    name = f"level{len(field.levels) - 1}"
    best = _best_moves(problem, trial, name, index, short=trial.psnr_db < psnr_db)
    room = problem.squared_error(psnr_db) - float(_errors(problem, trial.samples).sum())
    order = np.argsort(-best.worth, kind="stable")[: np.count_nonzero(best.worth > 0)]
    error = np.cumsum(best.error[order])
    if room < 0:  # as few as reach the target
        enough = np.flatnonzero(error <= room)
        order = order[: enough[0] + 1] if len(enough) else order
    else:  # as many as keep it
        beyond = np.flatnonzero(error > room)
        order = order[: beyond[0]] if len(beyond) else order
    symbols = np.array(weights[name].symbols, np.int64)
    symbols[index[order], best.feature[order]] += best.move[order]
    return problem.trial({**weights, name: Quantized(symbols, weights[name].step)})


@dataclass
class _Moves:
    """A move for each pixel.

    Attributes:
        worth: the best first; 0 for none.
        error: what it adds to the squared error of the samples.
        feature, move: which of the entry's numbers moves, by 1 or -1.
    """

    worth: Floats
    error: Floats
    feature: Integers
    move: Integers


def _best_moves(problem: Problem, trial: Trial, name: str, index: Integers, *, short: bool) -> _Moves:
    """Of all moves of a pixel the best one: the most error for a bit where the target is missed, else the reverse."""
    n = problem.geometry.n_pixels
    best = _Moves(np.zeros(n), np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.int64))
    before = _errors(problem, trial.samples)
    table = trial.weights[name]
    for f in range(table.symbols.shape[1]):
        values = table.symbols[index, f]
        price = 1 / (_mean_around(np.abs(values), problem.geometry) + QUIET)
        for move, samples in _moved(problem, trial.weights, name, index, f):
            error = _errors(problem, samples) - before
            bits = (np.abs(values + move) - np.abs(values)) * price
            gain, loss = (-error, bits) if short else (-bits, error)
            worth = np.where(gain > 0, gain / np.maximum(loss, LEAST), 0)
            better = worth > best.worth
            best.worth[better], best.error[better] = worth[better], error[better]
            best.feature[better], best.move[better] = f, move
    return best


def _moved(
    problem: Problem, weights: Weights, name: str, index: Integers, feature: int
) -> Iterator[tuple[int, Samples]]:
    """Each move, and the samples with the feature of all pixels' entries moved."""
    for move in (-1, 1):
        symbols = np.array(weights[name].symbols, np.int64)
        symbols[index, feature] += move
        moved = {**weights, name: Quantized(symbols, weights[name].step)}
        yield move, problem.trial(moved).samples


def _errors(problem: Problem, samples: Samples) -> Floats:
    """Squared errors of the pixels' samples, (n,)."""
    return np.square(samples.astype(np.float64) - problem.samples).sum(axis=1)


def _mean_around(values: Integers, geometry: Geometry) -> Floats:
    """Means over the nine pixels around each, (n,)."""
    padded = np.pad(values.reshape(geometry.height, geometry.width).astype(np.float64), 1, "edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]).reshape(-1) / 9


def _entries_of_pixels(field: Ngp, geometry: Geometry) -> Integers | None:
    """The entry of the finest level that each pixel alone uses, (n,); None where there is none."""
    level = field.levels[-1]
    y, x = level.axes(geometry)
    if y.fraction.any() or x.fraction.any() or level.used(geometry).index.size < geometry.n_pixels:
        return None
    return level.index(x.low, y.low[:, None]).reshape(-1)
