from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.start import start


@dataclass(frozen=True)
class GridProblem:
    field: Grid
    geometry: Geometry
    parameters: dict
    target: np.ndarray
    weights: np.ndarray | None


@pytest.fixture
def grid_problem():
    """A field with random tensors, and a random target."""

    def make(field: Grid, height: int, width: int, channels: int, weighted: bool = False) -> GridProblem:
        rng, geometry = np.random.default_rng(0), Geometry(height, width, channels)
        parameters = start(field, geometry, np.zeros(channels), np.ones(channels), rng)
        for value in parameters.values():
            value += rng.normal(0, 0.15, value.shape).astype(np.float32)
        parameters["latents"] = rng.normal(0, 1.5, parameters["latents"].shape).astype(np.float32)
        parameters["entropy_bias"][-1] = -0.5
        shape = (channels, height, width)
        target = rng.uniform(0, 1, shape).astype(np.float32)
        return GridProblem(
            field, geometry, parameters, target, rng.uniform(0.5, 2, shape).astype(np.float32) if weighted else None
        )

    return make
