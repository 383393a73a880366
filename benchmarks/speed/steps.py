"""One optimisation step of the numba engine against others, and against the machine's limit.

The others are the torch engine and a plain PyTorch hash grid written the way public repositories do it; the limit is
the time that the step's matrix products alone take at the machine's fp32 rate, measured in the same round. Rounds
interleave the contestants; figures are medians over rounds, the `best` share that of the fastest round of each.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from benchmarks.data.pictures import Bytes
from benchmarks.data.problems import problem, random_weights
from benchmarks.plain.fields.hash_grid import HashGrid
from benchmarks.plain.losses import l2
from benchmarks.plain.optimisers.adam import Adam
from benchmarks.records.store import Row
from benchmarks.speed.workloads import fp32_rate, matrix_flops, picture, seconds
from nfcodec.fields import Geometry, Ngp, Parameters, Siren
from nfcodec.fields.table import default_pyramid, start
from nfcodec.fitting import Engine, Objective, Problem, Psnr, Rates, Request, engines
from nfcodec.raster import Samples

PAUSE_S = 0.3
"""Between contestants: OpenMP's threads keep a processor busy for a while after their work."""

SQUARE = 512
SIREN_SIDES = (128, 256, 512)
"""Of the gray squares, and of a SIREN's width."""

RATED_DB = 40.0
"""The target whose account of bits is part of a pyramid's step."""


@dataclass(frozen=True)
class Work:
    """What steps are timed of.

    Attributes:
        name: for people.
        parameters: where the steps begin.
    """

    name: str
    problem: Problem
    parameters: Parameters
    objective: Objective = field(default_factory=Objective)

    @classmethod
    def unrated(cls, name: str, problem: Problem) -> Work:
        """From random weights, without a rate model."""
        return cls(name, problem, random_weights(problem.field, problem.geometry, 0))

    @classmethod
    def rated(cls, color: Samples) -> Work:
        """A pyramid of a picture, with the rate in the loss."""
        pyramid = default_pyramid(Geometry(*color.shape))
        each = problem(color, pyramid)
        parameters, steps = start(pyramid, each, Request(Psnr(RATED_DB), 5, 0))
        name = f"pyramid, {each.geometry.width} x {each.geometry.height} RGB, with rate"
        return cls(name, each, parameters, Objective(steps, each.allowed_mse(RATED_DB), 0.3))


def rows(source: Bytes, rounds: int, square: int = SQUARE, siren_sides: Sequence[int] = SIREN_SIDES) -> Iterator[Row]:
    """A row for each workload made of an RGB picture; `square` is the side for Instant-NGP."""
    gray = problem(picture(source, square, gray=True), Ngp.instant(square))
    name = f"ngp, 16 hash levels x 2, 2 x 64, {square} x {square} gray"
    yield _row(Work.unrated(name, gray), rounds, plain=True)
    yield _row(Work.rated(picture(source)), rounds)
    for side in siren_sides:
        siren = problem(picture(source, side, gray=True), Siren(side))
        yield _row(Work.unrated(f"siren, width {side}, {side} x {side} gray", siren), rounds)


def _row(work: Work, rounds: int, *, plain: bool = False) -> Row:
    """Medians of the step times, and of the ratios within rounds.

    Args:
        plain: the plain PyTorch hash grid takes part.
    """
    each, rates = work.problem, Rates(1e-4, 1e-4)
    contestants: dict[str, Callable[[], object]] = {}
    for engine_name in ("numba", "torch"):
        engine = engines.create(engine_name, "cpu", each, work.parameters, work.objective, 0)
        contestants[engine_name] = lambda engine=engine: _one_step(engine, rates)
    if plain:
        contestants["plain"] = _plain_steps(each, rates.network)
    for contestant in contestants.values():
        contestant()
    flops = matrix_flops(each.field, each.geometry)
    taken: dict[str, list[float]] = {key: [] for key in ("products", *contestants)}
    for _ in range(rounds):
        taken["products"].append(flops / fp32_rate())
        for key, contestant in contestants.items():
            time.sleep(PAUSE_S)
            taken[key].append(seconds(contestant))

    def ratio(key: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(taken[key], taken[other], strict=True))

    row: Row = {"workload": work.name}
    row |= {f"{key}_ms": 1e3 * statistics.median(times) for key, times in taken.items()}
    row |= {f"{key}_over_numba": ratio(key, "numba") for key in contestants if key != "numba"}
    row["numba_over_products"] = ratio("numba", "products")
    row["share_of_matrix_rate"] = ratio("products", "numba")
    row["best_share_of_matrix_rate"] = min(taken["products"]) / min(taken["numba"])
    return row


def _one_step(engine: Engine, rates: Rates) -> None:
    engine.gradient()
    engine.update(rates)


def _plain_steps(problem: Problem, rate: float) -> Callable[[], object]:
    """A step of Instant-NGP in plain PyTorch, for a square."""
    side = problem.geometry.width
    grid = HashGrid(side, HashGrid.default_width(side))
    optimiser, targets = Adam(grid, rate), torch.from_numpy(problem.targets[:, 0])

    def step() -> None:
        grid.zero_grad()
        loss = l2(grid(grid.places)[:, 0], targets)
        loss.backward()
        optimiser.step(loss.item())

    return step
