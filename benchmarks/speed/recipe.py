"""Steps and seconds from random weights to 50 dB: default settings against the paper's recipe.

The paper's is Adam with the default initialisation at one fixed rate, and also at the best of several rates. On several
pictures, plain and with rpp. Both go back to the best weights when the error spikes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nfcodec.fields.plan import well_started

from benchmarks.data.problems import problem
from benchmarks.records.store import Row
from benchmarks.speed.workloads import picture
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.siren.field import Siren
from nfcodec.fitting import engines as fitting_engines
from nfcodec.fitting.engines import Objective, Rates
from nfcodec.fitting.fine_tuning import default_rates, optimizer_of, start_general
from nfcodec.fitting.loop import Schedule, fit
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Clock, Request

GOAL_DB = 50.0
PAPER_RATE = 2.0**-10
PAPER_MAX_STEPS = 3000
OTHER_RATES = (2.0**-8.5, 2.0**-9, 2.0**-9.5)
"""Tried for the paper's recipe besides its rate, each only for as long as it could still be the best."""


@dataclass(frozen=True)
class Extent:
    """What is run.

    Attributes:
        side: of the gray squares, and of the SIREN's width.
        images: the paper's recipe is run on the first so many pictures.
        defaults: the default settings are run on the first so many; None for all.
        cap: the paper's recipe may take so many times the default settings' steps; where it would take more, it counts
            as not having reached the goal.
    """

    side: int
    images: int
    defaults: int | None
    cap: float


def rows(paths: Sequence[Path], extent: Extent) -> Iterator[Row]:
    """A row for each picture and transform."""
    for i, path in enumerate(paths[: extent.defaults]):
        samples = picture(path, extent.side, gray=True)
        for transform in ("none", "rpp"):
            row: Row = {"part": "recipe", "image": path.stem, "side": extent.side, "transform": transform}
            ours = problem(samples, well_started(Siren(extent.side), Geometry(*samples.shape)), transform)
            row |= {f"default_{key}": value for key, value in _run(ours).items()}
            if i < extent.images:
                theirs = problem(samples, Siren(extent.side), transform)
                row |= _papers(theirs, row["default_steps"], row["default_seconds"], extent.cap)
            yield row


def _papers(each: Problem, default_steps: int, default_seconds: float, cap: float) -> Row:
    """The paper's recipe at its rate, and if it arrives also at the best of all rates."""
    paper = _run(each, PAPER_RATE, min(PAPER_MAX_STEPS, math.ceil(cap * default_steps)))
    row: Row = {f"paper_{key}": value for key, value in paper.items()}
    row |= {"steps_ratio": paper["steps"] / default_steps, "seconds_ratio": paper["seconds"] / default_seconds}
    if paper["reached"]:
        best = paper["steps"]
        for rate in OTHER_RATES:
            best = min(best, _run(each, rate, best)["steps"])
        row["paper_steps_at_best_rate"] = best
    return row


def _run(each: Problem, rate: float | None = None, max_steps: int = 1000) -> Row:
    """Steps and seconds to the goal: by default ours; with a rate the paper's, Adam from its own initial weights."""
    start = start_general(each, 0) if rate is None else each.spec.initial(each.geometry, 0)
    engine = fitting_engines.create("numba", "cpu", each, start, Objective(), 0)
    optimizer = optimizer_of(each, Request(GOAL_DB, 5, 0)) if rate is None else None
    schedule = Schedule(GOAL_DB, max_steps, default_rates(each) if rate is None else Rates(rate, rate))
    result = fit(each, engine, schedule, Clock("fit", GOAL_DB, 0.0), optimizer=optimizer)
    return {"steps": result.steps, "seconds": result.seconds, "reached": result.reached}
