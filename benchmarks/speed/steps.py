"""One optimisation step of the numba engine against others, and against the machine's limit.

The others are the torch engine and a plain PyTorch hash grid written the way public repositories do it; the limit is
the time that the step's matrix products alone take at the machine's fp32 rate, measured in the same round. Rounds
interleave the contestants; figures are medians over rounds, the `best` share that of the fastest round of each.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from nfcodec.fields.plan import default_ngp

from benchmarks.data.problems import problem
from benchmarks.records.store import Row
from benchmarks.speed.plain_hash_grid import PlainHashGrid
from benchmarks.speed.workloads import matrix_flops, picture, seconds
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.table.pyramid import start_dense
from nfcodec.fitting import engines as fitting_engines
from nfcodec.fitting.engines import Engine, Objective, Rates
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Request

PAUSE_S = 0.3
"""Between contestants: OpenMP's threads keep a processor busy for a while after their work."""

PRODUCT_SIDE = 2048
SQUARE = 512
SIREN_SIDES = (128, 256, 512)
"""Of the gray squares, and of a SIREN's width."""


def rows(path: Path, rounds: int, square: int = SQUARE, siren_sides: Sequence[int] = SIREN_SIDES) -> Iterator[Row]:
    """A row for each workload made of a picture; `square` is the side for Instant-NGP."""
    color, gray = picture(path), picture(path, square, gray=True)
    height, width, _ = color.shape
    name = f"ngp, 16 hash levels x 2, 2 x 64, {square} x {square} gray"
    yield _row(name, problem(gray, Ngp.instant(square)), rounds, plain=True)
    name = f"ngp, dense levels, {width} x {height} RGB, with rate"
    yield _row(name, problem(color, default_ngp(Geometry(*color.shape))), rounds, rated=True)
    for side in siren_sides:
        siren = problem(picture(path, side, gray=True), Siren(side))
        yield _row(f"siren, width {side}, {side} x {side} gray", siren, rounds)


def fp32_rate() -> float:
    """FLOP/s of a large fp32 matrix product, the better of numpy's and torch's."""
    a, best = np.random.default_rng(0).standard_normal((PRODUCT_SIDE, PRODUCT_SIDE), np.float32), 0.0
    b = torch.from_numpy(a)
    for product in (lambda: a @ a, lambda: b @ b):
        product()
        best = max(best, 2 * PRODUCT_SIDE**3 / min(seconds(product) for _ in range(3)))
    return best


def _row(name: str, each: Problem, rounds: int, *, rated: bool = False, plain: bool = False) -> Row:
    """Medians of the step times, and of the ratios within rounds.

    Args:
        rated: the rate model is part of the loss.
        plain: the plain PyTorch hash grid takes part.
    """
    objective, rates = Objective(), Rates(1e-4, 1e-4)
    if rated:
        parameters, steps = start_dense(each, Request(40.0, 5, 0))
        objective = Objective(steps, each.allowed_mse(40.0), 0.3)
    else:
        parameters = each.spec.initial(each.geometry, 0)
    contestants: dict[str, Callable[[], object]] = {}
    for engine_name in ("numba", "torch"):
        engine = fitting_engines.create(engine_name, "cpu", each, parameters, objective, 0)
        contestants[engine_name] = lambda engine=engine: _one_step(engine, rates)
    if plain:
        assert isinstance(each.spec, Ngp)
        contestants["plain"] = PlainHashGrid(each.spec, each.geometry, each.targets).step
    for contestant in contestants.values():
        contestant()
    flops = matrix_flops(each.spec, each.geometry)
    taken: dict[str, list[float]] = {key: [] for key in ("products", *contestants)}
    for _ in range(rounds):
        taken["products"].append(flops / fp32_rate())
        for key, contestant in contestants.items():
            time.sleep(PAUSE_S)
            taken[key].append(seconds(contestant))

    def ratio(key: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(taken[key], taken[other], strict=True))

    row: Row = {"part": "steps", "workload": name, "rounds": rounds}
    row |= {f"{key}_ms": 1e3 * statistics.median(times) for key, times in taken.items()}
    row |= {f"{key}_over_numba": ratio(key, "numba") for key in contestants if key != "numba"}
    row["numba_over_products"] = ratio("numba", "products")
    row["share_of_matrix_rate"] = ratio("products", "numba")
    row["best_share_of_matrix_rate"] = min(taken["products"]) / min(taken["numba"])
    return row


def _one_step(engine: Engine, rates: Rates) -> None:
    engine.gradient()
    engine.update(rates)
