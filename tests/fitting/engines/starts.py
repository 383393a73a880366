"""Parameters that are not too small for any of them to matter."""

from __future__ import annotations

import numpy as np

from nfcodec.exact.field import Parameters, Role
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.plan import initial
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.starts import rough_start, uniform_start


def first(problem: Problem, seed: int = 0) -> Parameters:
    """As a fit begins."""
    if isinstance(problem.field, Siren):
        return initial(problem.field, problem.geometry, seed)
    return uniform_start(problem.field.layout(problem.geometry), seed)


def rough(problem: Problem, seed: int = 0, shift: float = 0.02) -> Parameters:
    """The same with large entries of tables, and all others moved, biases from 0."""
    if isinstance(problem.field, Siren):
        parameters = first(problem, seed)
    else:
        parameters = rough_start(problem.field.layout(problem.geometry), seed)
    tables = tables_of(problem)
    return {
        name: value if name in tables else (value + np.float32(shift)).astype(np.float32)
        for name, value in parameters.items()
    }


def tables_of(problem: Problem) -> set[str]:
    """The names of tables."""
    return {tensor.name for tensor in problem.field.layout(problem.geometry) if tensor.role is Role.TABLE}
