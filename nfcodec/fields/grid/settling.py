"""The end of a fit: latents go on beside the networks that the file will hold, until the PSNR is on the target.

Networks lose a little when they get their quantizer steps. Latents make up for part of that; and as each round of them
goes by another lambda, the last ones end where they are to end. What lambda has to be is learnt from round to round. In
the same way a fit is brought to other PSNRs near by.
"""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

from nfcodec.fields.grid.descent import Descent, Iteration
from nfcodec.fields.grid.landing import land_latents
from nfcodec.fields.grid.normalised import Normalised
from nfcodec.fields.grid.payload import LATENTS
from nfcodec.fields.grid.plan import round_steps
from nfcodec.fields.grid.rounding import as_entries, as_networks
from nfcodec.fitting.problem import Problem, Trial, Weights
from nfcodec.fitting.request import Request

MOST_ROUNDS = 8

FIRST_RATE, LAST_RATE, BETAS = 3e-4, 1e-5, (0.725, 0.97)
"""Of Adam, which goes on from what it knows: 1e-3 would shake loose more than a round can mend."""

TEMPERATURE, NOISE = 0.06, 0.15

DB_PER_OCTAVE, MOST_TIMES, LEAST_OCTAVES = 0.6, 2.0, 0.02
"""How much lower a round ends for twice the lambda, about; that is at most so many times more or less, which two rounds
tell whose lambdas differ by so much."""

LARGEST_MOVE_DB = 0.4
"""How far one round is to go at most."""

GAINED_DB = 0.05
"""What the first round gains with the lambda of the fit, about."""

AIM_DB, LAST_AIM_DB, CLOSE_DB = 0.005, 0.02, 0.012
"""Over the target, where rounds are to end, the last one if it is known to be that, and where it may end."""


class Settling:
    """A fit whose networks have their steps.

    Args:
        weights: of a file.
        rate_weight: lambda of the fit.
        n_steps: iterations of the fit.

    Attributes:
        program: that computes gradients.
        n_before: iterations of the fit.
        taken: iterations so far.
    """

    def __init__(
        self, problem: Problem, descent: Descent, weights: Weights, normalised: Normalised, rate_weight: float,
        n_steps: int,
    ) -> None:  # fmt: skip
        self._problem, self._descent, self._normalised = problem, descent, normalised
        self.program, self.n_before, self.taken = descent.program, n_steps, n_steps
        self._n, self._has_moved = round_steps(n_steps), False
        self._response = _Response(math.log2(rate_weight) + GAINED_DB / DB_PER_OCTAVE)
        descent.set_networks(as_networks(weights, normalised))
        self._best = self._now = _Found(problem.trial(weights), descent.evaluate().bits)

    def reach(self, request: Request) -> Trial:
        """Of what is found over the target that with the fewest bits; what comes closest if nothing is over it."""
        clock, left = request.clock("fine-tune"), sys.maxsize if request.max_steps is None else request.max_steps
        best = min(self._best, self._now, key=lambda found: found.rank(request.psnr_db))
        for number in range(MOST_ROUNDS):
            excess_db, n = self._now.trial.psnr_db - request.psnr_db, min(self._n, left - self.taken)
            is_close = self._has_moved and 0 <= excess_db < CLOSE_DB
            if is_close or math.isinf(excess_db) or n <= 0 or request.steps_expired():
                break
            aim_db = AIM_DB if number + 1 < MOST_ROUNDS and self.taken + n < left else LAST_AIM_DB
            self._round(aim_db - excess_db, n, request)
            clock.tell((number + 1) * self._n, MOST_ROUNDS * self._n, self._now.trial.psnr_db)
            best = min(best, self._now, key=lambda found: found.rank(request.psnr_db))
        landed = land_latents(self._problem, request, best.trial, self._descent.program, self._normalised)
        self._best = _Found(landed, best.bits)
        return landed

    def _round(self, move_db: float, n: int, request: Request) -> None:
        log2_weight, descent, before = self._response.log2_weight(move_db), self._descent, self._now.trial
        for i in range(n):
            if request.steps_expired():
                break
            rate = LAST_RATE + (FIRST_RATE - LAST_RATE) * (1 - i / n)
            descent.step(Iteration(2**log2_weight, TEMPERATURE, NOISE, rate, 0.0, BETAS))
            self.taken, self._has_moved = self.taken + 1, True
        found = self._problem.trial({**before.weights, LATENTS: as_entries(descent.rounded())})
        if math.isfinite(found.psnr_db):
            self._response.learn(log2_weight, found.psnr_db - before.psnr_db)
        self._now = _Found(found, descent.evaluate().bits)


class _Found(NamedTuple):
    """A result, and the bits of its latents, about."""

    trial: Trial
    bits: float

    def rank(self, psnr_db: float) -> tuple[bool, float]:
        """Smaller where it is better for a target."""
        is_short = self.trial.psnr_db < psnr_db
        return is_short, -self.trial.psnr_db if is_short else self.bits


class _Response:
    """How far a round takes the PSNR with a lambda.

    Args:
        steady: log2 of the lambda with which it would stay, about.
    """

    def __init__(self, steady: float) -> None:
        self._steady, self._slope = steady, DB_PER_OCTAVE
        self._last: tuple[float, float] | None = None

    def log2_weight(self, move_db: float) -> float:
        """The lambda for a move."""
        return self._steady - max(-LARGEST_MOVE_DB, min(LARGEST_MOVE_DB, move_db)) / self._slope

    def learn(self, log2_weight: float, moved_db: float) -> None:
        """Take in what a round did."""
        if self._last is not None and abs(log2_weight - self._last[0]) > LEAST_OCTAVES:
            slope = (self._last[1] - moved_db) / (log2_weight - self._last[0])
            self._slope = max(DB_PER_OCTAVE / MOST_TIMES, min(DB_PER_OCTAVE * MOST_TIMES, slope))
        self._steady = log2_weight + moved_db / self._slope
        self._last = log2_weight, moved_db
