"""Fitting the field of grids: to the PSNR asked for and to few bits, at once.

1. *starts*: a few random ones, of which the best goes on; tried on the picture at half its size (`coarse_to_fine`).
2. *coarse*: where few bits are spent, further quick iterations there.
3. *soft*: error and bits of softly rounded latents with noise, which hardens (Cool-chic's, Leguay et al. 2023, 2024).
   Lambda is steered so that the rounded field ends at the target.
4. The networks' quantizer steps (`rounding`).
5. *rounds* of latents beside the networks on their steps, until the exact PSNR is on the target (`settling`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from nfcodec.exact.field import FloatArray, Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.coarse_to_fine import coarser, goes_on, halved, has_coarser, refined
from nfcodec.fields.grid.descent import Descent, Iteration
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.normalised import Normalised, allowed_error, measured_db
from nfcodec.fields.grid.plan import HALF_SIZE_STEPS, coarse_steps, soft_steps, trial_steps
from nfcodec.fields.grid.program import Measured, Program
from nfcodec.fields.grid.programs import load_program
from nfcodec.fields.grid.recipes import Recipe
from nfcodec.fields.grid.rounding import as_networks, rounded
from nfcodec.fields.grid.settling import Settling
from nfcodec.fields.grid.start import start, start_rng
from nfcodec.fitting.problem import Problem, Weights
from nfcodec.fitting.request import Request

TEMPERATURE, NOISE = (0.35, 0.06), (0.22, 0.15)
"""Of soft rounding, at the start and at the end: softer at the end, or with less noise, latents learn to say more than
integers can."""

FINE_WEIGHT, SOFTER, SOFTEST = 4e-4, 0.085, 0.65
"""For each octave that lambda is expected below FINE_WEIGHT, rounding begins softer by so much, up to a temperature.
Harder rounding seems to hold integers where they first came to lie; where few are 0, that costs many bits."""

START_NOISE = 0.25
"""While starts are tried."""

COARSE_PRICE = 0.25
"""Lambda at half the size, over that of the whole picture: a bit is shared by a quarter of the pixels there."""

RATE, LAST_RATE = 1e-2, 1e-5
"""Of Adam and SOAP: it falls along a cosine."""

BETAS = (0.725, 0.97)
"""Of Adam: those of 0.9 and 0.999 end 2 % higher after 1,000 iterations."""

PRICE, PRICE_POWER, OVER_WAVELETS = 1.54, -0.75, 1.35
"""Where steering begins: lambda over the error that the target allows is PRICE times this power of the bits a pixel (of
Cool-chic 5's files of 24 photographs, with a deviation of a fifth), of which wavelets need so many times more."""

LEAST_BITS_A_PIXEL = 0.01
"""Of wavelets; flat pictures have fewer."""

LOOKS, FIRST_LOOK = 40, 0.1
"""How often the rounded field is looked at, and from which share of the iterations on."""

STEERED, LARGEST_EXCESS_DB = 0.3, 1.0
"""log2(lambda) moves by so much per dB, each look; and what counts at most."""

FARTHEST = 3.0
"""log2(lambda) stays so near to what is expected, which is less after each repetition. Where it is iterations that are
missing, a lower lambda gains no PSNR, and the repeated iterations would begin far from the right one."""

MARGIN_DB = 0.02
"""Over the target at the end, for what the rounding of networks takes."""

FAR_DB, FAR_WITH_LEAST_DB, LEAST_FAR, MOST_ROUNDS = 0.7, 0.15, 200, 6
"""Further below the target all iterations are repeated, or so many, and how often; below the second where lambda is as
low as it may be, so that rounds cannot make up for what is missing."""

ONE_COLOUR_DB = 1.5
"""So far below the target counts a field that shows one colour, as no round leads on from there."""

LOST_DB = 0.2
"""That networks may lose below the target, as latents make up for it."""

MOST_PRICES, FINER = 8, 4.0
"""How often the price of a network's bits falls, and by what factor."""

DB_PER_OCTAVE = 1.5
"""What the PSNR loses as lambda doubles, about."""

GROWTH_DB, GROWTH_STEPS, GROWTH_POWER = 2.0, 1000, 0.55
"""What is gained of the PSNR from the beginning to the end of GROWTH_STEPS iterations with the same lambda, about, as a
parabola; the more iterations the less."""

MORE_GROWTH_DB, MOST_GROWTH_DB = 3.4, 8.0
"""So much more is reckoned with for each octave that lambda is expected below FINE_WEIGHT, and what it is at most: more
than is gained, so that lambda begins higher, and fewer bits are spent that have to be taken away again."""


def gain_of(rate_weight: float) -> float:
    """What latents are multiplied with before rounding, so that one rate suits them and networks (Cool-chic 5)."""
    return 16.0 if rate_weight >= 5e-4 else 20.0 if rate_weight >= 2e-4 else 24.0


def first_temperature(expected_weight: float) -> float:
    """Of soft rounding at the start of the soft phase, for the lambda that it is expected to end with."""
    return min(SOFTEST, TEMPERATURE[0] + SOFTER * _octaves_finer(expected_weight))


def growth_db(expected_weight: float, n_steps: int, share: float) -> float:
    """How far below the target the PSNR is to be when so large a share of so many iterations is over."""
    most = min(MOST_GROWTH_DB, GROWTH_DB + MORE_GROWTH_DB * _octaves_finer(expected_weight))
    return most * (GROWTH_STEPS / n_steps) ** GROWTH_POWER * (1 - share) ** 2


def _octaves_finer(expected_weight: float) -> float:
    """How far a lambda is below FINE_WEIGHT."""
    return max(0.0, math.log2(FINE_WEIGHT / expected_weight))


def soft_iteration(rate_weight: float, share: float, first: float = TEMPERATURE[0]) -> Iteration:
    """One of the soft phase, when so large a share of it is over, 0 .. 1; `first` is the temperature at its start."""
    rate = LAST_RATE + (RATE - LAST_RATE) * (0.5 + 0.5 * math.cos(math.pi * share))
    temperature, noise = (a + (b - a) * share for a, b in ((first, TEMPERATURE[1]), NOISE))
    return Iteration(rate_weight, temperature, noise, rate, rate, BETAS)


def fit_grid(field: Grid, problem: Problem, request: Request, recipe: Recipe, n_steps: int, n_bytes: float) -> Settling:
    """Fit the problem's field; what comes of it can reach the request's PSNR, and others near it.

    Args:
        n_steps: iterations in all, if nothing need be repeated.
        n_bytes: that wavelets would take for the same PSNR, about.
    """
    fit = _Fit(field, problem, request, recipe, n_steps, n_bytes)
    descent = fit.begin()
    fit.soften(descent)
    return Settling(problem, descent, fit.rounded(descent), fit.normalised, fit.rate_weight, fit.taken)


class _Good(NamedTuple):
    """A state of a fit that is over the target when it is rounded, its bits, and the lambda that led there."""

    bits: float
    rate_weight: float
    state: Parameters


class _Fit:
    """The iterations.

    Attributes:
        rate_weight: lambda, of bits a pixel, beside the mean squared error of normalised targets.
    """

    def __init__(
        self, field: Grid, problem: Problem, request: Request, recipe: Recipe, n_steps: int, n_bytes: float
    ) -> None:
        self._field, self._problem, self._request, self._recipe = field, problem, request, recipe
        self.normalised = Normalised.of(problem, request.psnr_db)
        self._program = self._program_of(field, self.normalised.targets, self.normalised.weights)
        allowed = allowed_error(problem, self.normalised, request.psnr_db)
        bits_a_pixel = max(8 * n_bytes / problem.geometry.n_pixels, LEAST_BITS_A_PIXEL) / OVER_WAVELETS
        self.rate_weight = self._expected_weight = PRICE * bits_a_pixel**PRICE_POWER * allowed
        self._has_coarser = has_coarser(field, problem.geometry)
        times = HALF_SIZE_STEPS if self._has_coarser else 1
        self._n_trials = trial_steps(recipe, times * n_steps)
        self._n_coarse = times * coarse_steps(n_steps) if times > 1 and goes_on(problem.geometry, n_bytes) else 0
        n_before = recipe.n_starts * self._n_trials + self._n_coarse
        self._n_soft = max(0, soft_steps(n_steps) - n_before // times)
        self._spent = 0.0
        self._good: _Good | None = None

    @property
    def taken(self) -> int:
        """How many iterations of the whole picture there were; those at half the size count as a quarter."""
        return math.ceil(self._spent)

    def psnr_db(self, descent: Descent) -> float:
        """Of the rounded field, about."""
        return measured_db(self._problem, self.normalised, descent.evaluate)[0]

    def begin(self) -> Descent:
        """The best start, after some iterations at half the size where that is worth it."""
        field, targets = self._field, self.normalised.targets
        if not self._has_coarser:
            return self._best_start(self._program, targets, self.rate_weight)[1]
        half, price, weights = halved(targets), COARSE_PRICE * self.rate_weight, self.normalised.weights
        program = self._program_of(coarser(field), half, None if weights is None else halved(weights))
        best, descent = self._best_start(program, half, price)
        parameters = self._start(field, self._problem.geometry, targets, best)
        if self._n_coarse:
            for _ in range(self._n_coarse):
                if self._request.steps_expired():
                    break
                self._step(descent, soft_iteration(price, 0))
            parameters = refined(field, self._problem.geometry, parameters, descent.state())
        return self._descent(self._program, parameters, best)

    def _best_start(self, program: Program, targets: FloatArray, price: float) -> tuple[int, Descent]:
        """The number of the start that gets furthest in a few iterations, and where it is."""
        numbers = range(self._recipe.n_starts)
        starts = [self._start(program.field, program.geometry, targets, i) for i in numbers]
        descents = [self._descent(program, each, i) for i, each in enumerate(starts)]
        if len(descents) == 1:
            return 0, descents[0]
        how = Iteration(price, TEMPERATURE[0], START_NOISE, RATE, RATE, BETAS, renewed=1)
        for each in descents:
            for _ in range(self._n_trials):
                if self._request.steps_expired():
                    break
                self._step(each, how)
        best = min(numbers, key=lambda i: _loss(descents[i], price))
        descents[best].restart()
        return best, descents[best]

    def soften(self, descent: Descent) -> None:
        """Most iterations: error and bits, through rounding that hardens; all again if it ends far below the target."""
        self._soften(descent, self._n_soft)
        for _ in range(MOST_ROUNDS):
            short_db = self._request.psnr_db - self.psnr_db(descent)
            far_db = FAR_WITH_LEAST_DB if self.rate_weight == self._least_weight else FAR_DB
            if short_db > 0 and self._is_one_colour(descent.evaluate):
                short_db = max(short_db, ONE_COLOUR_DB)
            if short_db < far_db or self._left() <= 0 or self._request.steps_expired():
                break
            self._expected_weight *= 2 ** (-short_db / DB_PER_OCTAVE)
            self._multiply(2 ** (-short_db / DB_PER_OCTAVE))
            self._soften(descent, min(self._left(), max(LEAST_FAR, self._n_soft)))
        if self._good is not None and self.psnr_db(descent) < self._request.psnr_db - FAR_DB:
            descent.restore(self._good.state)
            self.rate_weight = self._good.rate_weight

    def rounded(self, descent: Descent) -> Weights:
        """What a file holds; with finer steps than are worth their bits where those take the field below the target."""
        program, price, real_db = descent.program, self.rate_weight, self.psnr_db(descent)
        is_far = real_db < self._request.psnr_db - FAR_DB  # which no steps of networks mend
        goal_db = real_db if is_far else self._request.psnr_db
        found: Weights = {}
        for _ in range(MOST_PRICES):
            found = rounded(program, descent.rounded(), descent.networks, price, self.normalised)
            measure = partial(program.measure, as_networks(found, self.normalised))
            reached_db, _ = measured_db(self._problem, self.normalised, measure)
            is_near = reached_db >= goal_db - LOST_DB and not self._is_one_colour(measure)
            if reached_db >= goal_db or is_near or self._request.expired():
                break
            price /= FINER
        return found

    def _is_one_colour(self, measure: Callable[[FloatArray | None], Measured]) -> bool:
        """Whether that is what a field shows; `measure` as for `measured_db`."""
        picture = np.empty_like(self.normalised.targets)
        measure(picture)
        return not np.ptp(picture, axis=(1, 2)).any()

    def _left(self) -> int:
        """Iterations that the request allows."""
        most = self._request.max_steps
        return sys.maxsize if most is None else most - self.taken

    def _soften(self, descent: Descent, n: int) -> None:
        clock, between, found_db, bits = self._request.clock("fit"), max(1, n // LOOKS), -math.inf, math.nan
        temperature = first_temperature(self._expected_weight)
        for i in range(n):
            if self._request.steps_expired():
                break
            share = i / n
            if i % between == between - 1:
                found_db, found = measured_db(self._problem, self.normalised, descent.evaluate)
                bits = found.bits
                self._keep(descent, found_db, bits)
                if share >= FIRST_LOOK:
                    self._steer(found_db, share)
            self._step(descent, soft_iteration(self.rate_weight, share, temperature))
            clock.tell(i + 1, n, found_db, bits_per_pixel=bits / self._problem.geometry.n_pixels)

    def _start(self, field: Grid, geometry: Geometry, targets: FloatArray, i: int) -> Parameters:
        low, high = (each(targets, axis=(1, 2)) for each in (np.min, np.max))
        return start(field, geometry, low, high, start_rng(geometry.channels, self._request.seed, i))

    def _descent(self, program: Program, parameters: Parameters, i: int) -> Descent:
        return Descent(program, parameters, gain_of(self.rate_weight), self._request.seed + i)

    def _program_of(self, field: Grid, targets: FloatArray, weights: FloatArray | None) -> Program:
        channels, height, width = targets.shape
        program = load_program(self._request.engine, self._request.device)
        return program.of(field, Geometry(height, width, channels), targets, weights, self._request.device)

    def _step(self, descent: Descent, how: Iteration) -> Measured:
        self._spent += descent.program.n_pixels / self._problem.geometry.n_pixels
        return descent.step(how)

    def _keep(self, descent: Descent, found_db: float, bits: float) -> None:
        """Remember the field with the fewest bits of those over the target: fits of a few pixels may collapse."""
        enough = found_db >= self._request.psnr_db
        if enough and (self._good is None or bits < self._good.bits):
            self._good = _Good(bits, self.rate_weight, descent.state())

    def _steer(self, found_db: float, share: float) -> None:
        """Move lambda by how far the rounded field is from where it would be on its way to the target."""
        goal_db = self._request.psnr_db + MARGIN_DB
        excess = found_db - (goal_db - growth_db(self._expected_weight, self._n_soft, share))
        self._multiply(2 ** (STEERED * max(-LARGEST_EXCESS_DB, min(LARGEST_EXCESS_DB, excess))))

    @property
    def _least_weight(self) -> float:
        return self._expected_weight / 2**FARTHEST

    def _multiply(self, factor: float) -> None:
        """Change lambda, within FARTHEST of what is expected."""
        most = self._expected_weight * 2**FARTHEST
        self.rate_weight = max(self._least_weight, min(most, self.rate_weight * factor))


def _loss(descent: Descent, price: float) -> float:
    found = descent.evaluate()
    return found.error + price * found.bits / descent.program.n_pixels
