"""Short probes on a part of a picture: what a session's plans go by, and what loads kernels before the time counts."""

from __future__ import annotations

from nfcodec.exact.field import Field
from nfcodec.fitting import engines
from nfcodec.fitting.cost import crop
from nfcodec.fitting.engines import Engine, Objective
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Request
from nfcodec.fitting.starts import uniform_start

EXAMPLE_PIXELS = 64


def engine_of_part(
    request: Request, problem: Problem, field: Field, n_pixels: float, objective: Objective | None = None
) -> Engine:
    """An engine that fits a field to a part of a picture, of about so many pixels, from random parameters.

    Raises EngineError where no engine can.
    """
    part = problem.part(crop(problem.geometry, n_pixels), field)
    parameters = uniform_start(field.layout(part.geometry), request.seed)
    return engines.for_request(request, part, parameters, objective or Objective())


def load_engine(request: Request, problem: Problem, field: Field) -> None:
    """Load the engine that a request's fits will use, and its kernels. Raises EngineError where there is none."""
    engine_of_part(request, problem, field, EXAMPLE_PIXELS)
