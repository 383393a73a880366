"""Getting over the target where little is missing: single latents move by one, the cheapest moves first."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from nfcodec.exact.field import FloatArray, Parameters
from nfcodec.fields.grid.normalised import Normalised, allowed_error, measured_db
from nfcodec.fields.grid.payload import LATENTS
from nfcodec.fields.grid.program import Program
from nfcodec.fields.grid.rounding import as_networks
from nfcodec.fitting.landing import LEAST, Moves, Outputs, land
from nfcodec.fitting.problem import Problem, Trial, Weights
from nfcodec.fitting.request import Request

AMPLE = 4.0
"""Moves are proposed up to so many times the error that is to be taken away, each reckoned alone: more of them would
only meet each other."""

MOST_TIMES = 4
"""How often moves are proposed, as long as something is missing."""

PROBED = 0.02
"""Share of a grid's entries that move at random to measure how error grows with the square of a move."""


def land_latents(problem: Problem, request: Request, trial: Trial, program: Program, normalised: Normalised) -> Trial:
    """As few moves as take a trial that falls short of the target just over it; the trial itself if it does not."""
    networks = as_networks(trial.weights, normalised)

    def estimate_db(moved: Weights) -> float:
        program.see(_latents(moved))
        return measured_db(problem, normalised, partial(program.measure, networks))[0]

    def propose(now: Weights, outputs: Outputs, short: bool) -> Moves:
        latents = _latents(now)
        error, bits = _slopes(program, latents, networks)
        bends = _bends(program, latents, networks, error, np.random.default_rng(request.seed))
        towards = -np.sign(error).astype(np.int64)
        added, saved = towards * error + bends / 2, -towards * bits
        eligible = np.flatnonzero((added < 0) & (towards != 0))
        worth = -added / np.maximum(-saved, LEAST)
        order = eligible[np.argsort(-worth[eligible], kind="stable")]
        missing = program.measure(networks).error - allowed_error(problem, normalised, request.psnr_db)
        most = int(np.searchsorted(np.cumsum(np.abs(added[order])), AMPLE * abs(missing))) + 1
        return Moves(LATENTS, order[:most], towards, short)

    for _ in range(MOST_TIMES):
        if trial.psnr_db >= request.psnr_db or request.expired():
            break
        found = land(problem, request, trial.weights, propose, estimate_db)
        if found.psnr_db <= trial.psnr_db:
            break  # slopes promised what moves that meet each other do not hold
        trial = found
    return trial


def _latents(weights: Weights) -> FloatArray:
    return weights[LATENTS].symbols.reshape(-1).astype(np.float32)


def _slopes(program: Program, latents: FloatArray, networks: Parameters) -> tuple[FloatArray, FloatArray]:
    """Of the error by entries, and of the bits."""
    program.see(latents)
    program.differentiate(networks, 0.0)
    error = program.entry_slopes()
    weight = float(program.n_pixels)
    program.differentiate(networks, weight)
    return error, program.entry_slopes() - error


def _bends(
    program: Program, latents: FloatArray, networks: Parameters, slopes: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """The second derivative of the error by an entry, the mean of its grid, from random moves of a few."""
    program.see(latents)
    before, found = program.measure(networks).error, np.zeros_like(latents)
    for lattice in program.lattices:
        n = math.ceil(lattice.size * PROBED)
        chosen = lattice.first + rng.choice(lattice.size, n, replace=False)
        signs = rng.choice((-1, 1), n).astype(np.float32)
        moved = np.array(latents, np.float32)
        moved[chosen] += signs
        program.see(moved)
        grown = program.measure(networks).error - before - float((signs * slopes[chosen]).sum())
        found[lattice.entries] = max(2 * grown / n, 0.0)
    return found
