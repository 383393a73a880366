"""Ending just over the target: single latents move by one, those first that save most bits for the error they add."""

from __future__ import annotations

import math

import numpy as np

from nfcodec.exact.field import FloatArray, Parameters
from nfcodec.fields.grid.normalised import Normalised
from nfcodec.fields.grid.payload import LATENTS
from nfcodec.fields.grid.program import Program
from nfcodec.fields.grid.rounding import as_networks
from nfcodec.fitting.landing import LEAST, Moves, Outputs, land
from nfcodec.fitting.problem import Problem, Trial, Weights
from nfcodec.fitting.request import Request
from nfcodec.fitting.search import CLOSE_DB

AMPLE = 4.0
"""Moves are proposed up to so many times the error that is to be gained or lost, each reckoned alone: more of them
would only meet each other."""

LEAST_ADDED = 1e-6
"""Error that a move counts as adding at least, over the most that a move adds by its square alone."""

MOST_TIMES = 4
"""How often moves are proposed, as long as they leave room above the target."""

PROBED = 0.02
"""Share of a grid's entries that move at random to measure how error grows with the square of a move."""


def land_latents(
    problem: Problem, request: Request, weights: Weights, program: Program, normalised: Normalised
) -> Trial:
    """As many moves as it takes for the PSNR to be just over the target; none if it is there already."""
    networks = as_networks(weights, normalised)

    def estimate_db(moved: Weights) -> float:
        program.see(_latents(moved))
        return error_db(problem, normalised, program.measure(networks).error)

    def propose(now: Weights, outputs: Outputs, short: bool) -> Moves:
        latents = _latents(now)
        error, bits = _slopes(program, latents, networks)
        bends = _bends(program, latents, networks, error, np.random.default_rng(request.seed))
        towards = -np.sign(error if short else bits).astype(np.int64)
        added, saved = towards * error + bends / 2, -towards * bits
        useful = (added < 0 if short else saved > 0) & (towards != 0)
        least = LEAST_ADDED * float(bends.max(initial=0.0)) or LEAST_ADDED
        worth = -added / np.maximum(-saved, LEAST) if short else saved / np.maximum(added, least)
        eligible = np.flatnonzero(useful)
        order = eligible[np.argsort(-worth[eligible], kind="stable")]
        room = abs(allowed_error(problem, normalised, request.psnr_db) - program.measure(networks).error)
        most = int(np.searchsorted(np.cumsum(np.abs(added[order])), AMPLE * room)) + 1
        return Moves(LATENTS, order[:most], towards, short)

    def bits(trial: Trial) -> float:
        program.see(_latents(trial.weights))
        return program.measure(networks).bits

    best = problem.trial(weights)
    for _ in range(MOST_TIMES):
        excess_db = best.psnr_db - request.psnr_db
        if 0 <= excess_db < CLOSE_DB or math.isinf(excess_db) or request.expired():
            break
        trial = land(problem, request, best.weights, propose, estimate_db)
        if trial.psnr_db == best.psnr_db or (excess_db >= 0 and bits(trial) >= bits(best)):
            break  # slopes promised what moves that meet each other do not hold
        best = trial
    return best


def allowed_error(problem: Problem, normalised: Normalised, psnr_db: float) -> float:
    """The mean squared error of normalised targets at a PSNR, about."""
    return problem.allowed_mse(psnr_db) / normalised.range**2


def error_db(problem: Problem, normalised: Normalised, error: float) -> float:
    """The PSNR of samples whose normalised targets are missed by a mean squared error, about."""
    of_samples = error * normalised.range**2 / problem.gain * problem.peak**2 + 1 / 12
    return problem.psnr_db(of_samples * problem.samples.size)


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
