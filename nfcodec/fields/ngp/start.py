"""Where a fit begins: entries next to nothing, and a network that adds up the levels."""

from __future__ import annotations

import math

import numpy as np

from nfcodec.exact.field import Parameters, Role
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fitting.colours import color_basis
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.starts import uniform_start

ENTRY_BOUND = 0.01
"""Entries begin between this and its negative: at 0 a network of ReLUs has no gradient."""

SPREAD = 0.1
"""Bound on the other weights, over the root of how many a neuron has."""


def adding_start(problem: Problem, field: Ngp, seed: int) -> Parameters:
    """Random entries, and a network that begins as the sum of all levels.

    The first features of each level, as many as there are channels, are added up along the axes in which the
    picture's details are uncorrelated; each sum passes through the hidden layers as a pair of ReLUs, x = relu(x) -
    relu(-x). All other weights into hidden layers are random, those into the output 0. Where a hidden layer is too
    narrow for that, or vertices share entries, so that a network has to tell them apart, everything is random.
    """
    channels, last = problem.geometry.channels, len(field.hidden)
    if min(field.hidden) < 2 * channels or any(level.shares_entries(problem.geometry) for level in field.levels):
        return uniform_start(field.layout(problem.geometry), seed)
    rng, parameters = np.random.default_rng(seed), Parameters()
    for tensor in field.layout(problem.geometry):
        bound = ENTRY_BOUND if tensor.role is Role.TABLE else SPREAD / math.sqrt(tensor.shape[1])
        parameters[tensor.name] = rng.uniform(-bound, bound, tensor.shape).astype(np.float32)
    pairs = np.repeat(np.eye(channels, dtype=np.float32), 2, axis=0) * np.tile([1, -1], channels)[:, None]
    parameters["weight0"][: 2 * channels] = pairs @ _sums(field, channels)
    for i in range(1, last):
        parameters[f"weight{i}"][: 2 * channels] = np.eye(2 * channels, field.hidden[i - 1], dtype=np.float32)
    _, axes = color_basis(problem.targets, problem.geometry)
    parameters[f"weight{last}"][:] = 0
    parameters[f"weight{last}"][:, : 2 * channels] = axes @ pairs.T
    return parameters


def _sums(field: Ngp, channels: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """(channels, encoding): which features are added up."""
    columns = [np.eye(channels, level.features, dtype=np.float32) for level in field.levels]
    return np.concatenate(columns, axis=1)
