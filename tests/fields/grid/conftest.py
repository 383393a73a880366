from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.payload import LATENTS
from nfcodec.fields.grid.start import start
from nfcodec.workers import Workers


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


@pytest.fixture
def noisy_fit(grid_problem):
    """A program that sees integers, these (n_entries,), real networks, and targets, (C, H, W), met up to noise."""
    pytest.importorskip("numba")
    from nfcodec.fields.grid.numba import GridProgram

    def make(field: Grid, height: int, width: int, channels: int):
        problem = grid_problem(field, height, width, channels)
        latents = np.round(problem.parameters[LATENTS]).astype(np.float32).reshape(-1)
        networks = {name: each for name, each in problem.parameters.items() if name != LATENTS}
        picture = np.zeros_like(problem.target)
        program = GridProgram(field, problem.geometry, problem.target, None, Workers(1))
        program.see(latents)
        program.measure(networks, picture)
        targets = picture + np.random.default_rng(1).normal(0, 0.01, picture.shape).astype(np.float32)
        program = GridProgram(field, problem.geometry, targets, None, Workers(1))
        program.see(latents)
        return program, latents, networks, targets

    return make
