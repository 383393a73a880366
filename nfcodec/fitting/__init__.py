"""Fitting a field to a transformed picture, up to quantized weights that reach a goal: what all families share.

Here are the names for experiments: what there is to fit (`Picture`, `Problem`), what is asked for (`Request`, `Psnr`,
`Size`, `Lossless`) and delivered (`Solution`, `Trial`), engines (`engines.create`, `Objective`, `Rates`) and the loop
that steps them (`fit`, `Schedule`), and what a family is made of (`Family`, `Session`, `Plan`, `Stage`, `Context`):

    problem = Problem.of(Picture.of(raster, chain), field)
    start = uniform_start(field.layout(problem.geometry), seed=0)
    engine = engines.create("numba", "cpu", problem, start, Objective(), seed=0)
    result = fit(problem, engine, Schedule(40.0, 1000, Rates(2**-6, 2**-6)), Clock("fit", 40.0, 0.0))

Names are loaded when they are asked for: decoding needs none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcodec import lazy

if TYPE_CHECKING:
    from nfcodec.fitting.batches import Optimizer, Sampling
    from nfcodec.fitting.engines.base import Adam, Engine, Halt, Objective, Rates, Stats
    from nfcodec.fitting.family import Context, Family, LosslessPolicy, Session
    from nfcodec.fitting.goals import Goal, Lossless, Psnr, Size
    from nfcodec.fitting.loop import FitResult, Schedule, fit
    from nfcodec.fitting.picture import Picture
    from nfcodec.fitting.plans import Plan, Stage
    from nfcodec.fitting.problem import Problem, Trial, Weights, quantize
    from nfcodec.fitting.request import Clock, Event, Request, Solution
    from nfcodec.fitting.starts import TABLE_BOUND, uniform_start

__all__ = [
    "TABLE_BOUND",
    "Adam",
    "Clock",
    "Context",
    "Engine",
    "Event",
    "Family",
    "FitResult",
    "Goal",
    "Halt",
    "Lossless",
    "LosslessPolicy",
    "Objective",
    "Optimizer",
    "Picture",
    "Plan",
    "Problem",
    "Psnr",
    "Rates",
    "Request",
    "Sampling",
    "Schedule",
    "Session",
    "Size",
    "Solution",
    "Stage",
    "Stats",
    "Trial",
    "Weights",
    "fit",
    "quantize",
    "uniform_start",
]

__getattr__ = lazy.exports(
    __name__,
    {
        "TABLE_BOUND": "nfcodec.fitting.starts",
        "Adam": "nfcodec.fitting.engines.base",
        "Clock": "nfcodec.fitting.request",
        "Context": "nfcodec.fitting.family",
        "Engine": "nfcodec.fitting.engines.base",
        "Event": "nfcodec.fitting.request",
        "Family": "nfcodec.fitting.family",
        "FitResult": "nfcodec.fitting.loop",
        "Goal": "nfcodec.fitting.goals",
        "Halt": "nfcodec.fitting.engines.base",
        "Lossless": "nfcodec.fitting.goals",
        "LosslessPolicy": "nfcodec.fitting.family",
        "Objective": "nfcodec.fitting.engines.base",
        "Optimizer": "nfcodec.fitting.batches",
        "Picture": "nfcodec.fitting.picture",
        "Plan": "nfcodec.fitting.plans",
        "Problem": "nfcodec.fitting.problem",
        "Psnr": "nfcodec.fitting.goals",
        "Rates": "nfcodec.fitting.engines.base",
        "Request": "nfcodec.fitting.request",
        "Sampling": "nfcodec.fitting.batches",
        "Schedule": "nfcodec.fitting.loop",
        "Session": "nfcodec.fitting.family",
        "Size": "nfcodec.fitting.goals",
        "Solution": "nfcodec.fitting.request",
        "Stage": "nfcodec.fitting.plans",
        "Stats": "nfcodec.fitting.engines.base",
        "Trial": "nfcodec.fitting.problem",
        "Weights": "nfcodec.fitting.problem",
        "fit": "nfcodec.fitting.loop",
        "quantize": "nfcodec.fitting.problem",
        "uniform_start": "nfcodec.fitting.starts",
    },
)
