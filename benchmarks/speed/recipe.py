"""Steps and seconds from random weights to 50 dB: default settings against Adam.

Adam begins with a SIREN's usual initial values, at one rate and also at the best of several. On several pictures, plain
and with rpp. Both go back to the best weights when the error spikes. (Names in records say "paper" for Adam, whose
best rate the paper looks for among nine.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from benchmarks.data.pictures import Bytes
from benchmarks.data.problems import problem, random_weights
from benchmarks.records.store import Row
from benchmarks.speed.workloads import picture
from nfcodec.fields import Parameters, Siren
from nfcodec.fields.siren import KFAC_RATES, Kfac, initial_for, well_started
from nfcodec.fitting import Clock, Objective, Optimizer, Problem, Rates, Schedule, engines, fit

GOAL_DB = 50.0
OUR_MAX_STEPS = 1000
PAPER_RATE = 2.0**-10
PAPER_MAX_STEPS = 3000
OTHER_RATES = (2.0**-8.5, 2.0**-9, 2.0**-9.5)
"""Tried besides, each only for as long as it could still be the best."""


def rows(source: Bytes, side: int, cap: float) -> Iterator[Row]:
    """A row for each transform, of an RGB picture.

    Args:
        side: of the gray square, and of the SIREN's width.
        cap: Adam may take so many times the default settings' steps; where it would take more, it counts
            as not having reached the goal. 0: it is not run.
    """
    samples = picture(source, side, gray=True)
    for transform in ("none", "rpp"):
        each = problem(samples, Siren(side), transform)
        row: Row = {"transform": transform, **{f"default_{key}": value for key, value in _ours(each).items()}}
        if cap:
            row |= _papers(each, row["default_steps"], row["default_seconds"], cap)
        yield row


def _papers(each: Problem, default_steps: int, default_seconds: float, cap: float) -> Row:
    """Adam at the one rate, and if it arrives also at the best of all rates."""
    paper = _adam(each, PAPER_RATE, min(PAPER_MAX_STEPS, math.ceil(cap * default_steps)))
    row: Row = {f"paper_{key}": value for key, value in paper.items()}
    row |= {"steps_ratio": paper["steps"] / default_steps, "seconds_ratio": paper["seconds"] / default_seconds}
    if paper["reached"]:
        best = paper["steps"]
        for rate in OTHER_RATES:
            best = min(best, _adam(each, rate, best)["steps"])
        row["paper_steps_at_best_rate"] = best
    return row


def _ours(each: Problem) -> Row:
    """Steps and seconds to the goal with the settings of `nfcodec encode`."""
    field = each.field
    assert isinstance(field, Siren)
    start = initial_for(each, 0, well_started(field, each.geometry))
    optimizer = Kfac(field, each.geometry, 0, each.gain)
    return _run(each, start, Schedule(GOAL_DB, OUR_MAX_STEPS, KFAC_RATES), optimizer)


def _adam(each: Problem, rate: float, max_steps: int) -> Row:
    """Steps and seconds to the goal with Adam at one rate, from the paper's initial weights."""
    start = random_weights(each.field, each.geometry, 0)
    return _run(each, start, Schedule(GOAL_DB, max_steps, Rates(rate, rate)))


def _run(each: Problem, start: Parameters, schedule: Schedule, optimizer: Optimizer | None = None) -> Row:
    engine = engines.create("numba", "cpu", each, start, Objective(), 0)
    result = fit(each, engine, schedule, Clock("fit", GOAL_DB, 0.0), optimizer=optimizer)
    return {"steps": result.steps, "seconds": result.seconds, "reached": result.reached}
