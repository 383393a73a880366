"""Fitting an Instant-NGP: to the PSNR, then to few bits, through the quantizer.

1. *fit*: Adam on the error alone, until the PSNR is a margin over the target.
2. *sparse*: error and bits, entries still real: what need not be there goes.
3. *soft*: error and bits through soft rounding with noise that hardens (Cool-chic's, Leguay et al. 2023, 2024); lambda
   is steered so that the rounded field ends at the target. The bits are those of Laplace distributions fitted to the
   entries, as SHACIRA's (Girish et al. 2023) are of a learned one.
4. *hard*: the same with the network's weights on their quantizer steps.
5. *land*: last moves of single entries, judged by the exact decoder.

Where steps or time run out, or no engine knows the bits, what the fit found is only rounded.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

from nfcodec.errors import EngineError, FormatError
from nfcodec.exact.arithmetic import Step
from nfcodec.exact.field import Parameters, Role
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.landing import land
from nfcodec.fields.ngp.recipes import Recipe
from nfcodec.fields.ngp.start import adding_start
from nfcodec.fitting import engines
from nfcodec.fitting.engines import Engine, Objective, Rates
from nfcodec.fitting.fine_tuning import MARGIN_DB, allowed_mse, balanced_steps, coarsest_steps
from nfcodec.fitting.loop import FitResult, Schedule, fit
from nfcodec.fitting.problem import Problem, Trial, quantize
from nfcodec.fitting.rate_control import RateControl, Steering
from nfcodec.fitting.request import Request, Solution

ATTEMPTS, FINER = 3, 0.7
"""How often the phases that count bits begin anew where they miss the target, and the factor on the quantizer steps."""

FINE, MOST_GAIN = 4, 16.0
"""Of the step that measures the gain: so much finer than what it looks for. And the bounds on the gain."""

HARD_TIMES, NEAR_DB, FAR_DB = 4, 0.1, 0.3
"""The last phase goes on until it ends so near below the target, or so near over it, but not for ever."""

FIT_STEPS = 2000
"""Of the fit to the PSNR at most. Rates fall meanwhile, or a high PSNR would never be reached."""

LAST_RATE = 0.02
"""Final factor on the rates of each phase."""

NETWORK_PRICE = 2.0
"""Lambda over the error allowed, in the trade of the network's bits for its error."""


def solve_ngp(field: Ngp, problem: Problem, request: Request, recipe: Recipe, coarseness: float) -> Solution:
    """Fit the problem's field. The result may miss the target; the caller decides what that means.

    Args:
        coarseness: quantizer step of the entries over the root mean squared error that the target allows.
    """
    began, left = time.monotonic(), math.inf if request.max_steps is None else request.max_steps
    rates = Rates(recipe.fit_rate, recipe.network_rate)
    engine = engines.for_request(request, problem, adding_start(problem, field, request.seed), Objective())
    goal_db, n_steps = request.psnr_db + MARGIN_DB, int(min(left, FIT_STEPS))
    schedule = Schedule(goal_db, n_steps, rates, request.steps_deadline, LAST_RATE, FIT_STEPS)
    result = fit(problem, engine, schedule, request.clock("fit"))
    steps, trial = result.steps, None
    for attempt in range(ATTEMPTS):
        room = left - steps
        if room <= 0 or request.steps_expired():
            break
        thrift = _Thrift(field, problem, request, recipe, coarseness * FINER**attempt, result.parameters, room)
        trial = thrift.trial(engine)
        steps += thrift.taken
        if trial is None or trial.psnr_db >= request.psnr_db:
            break
    if trial is None or trial.psnr_db < request.psnr_db:
        rounded = _rounded(problem, request, engine, result)
        if trial is None or rounded.psnr_db > trial.psnr_db:
            trial = rounded
    seconds = time.monotonic() - began
    return Solution(problem, trial, result.steps, steps, seconds, engine.name, engine.device)


def _rounded(problem: Problem, request: Request, engine: Engine, result: FitResult) -> Trial:
    """What the fit found, on the coarsest quantizer steps that reach the target, or the closest."""
    engine.restore(result.parameters)
    engine.set_objective(Objective())
    allowed = allowed_mse(problem, result.stats.mse, result.psnr_db - request.psnr_db, request.psnr_db)
    return coarsest_steps(problem, request, result, balanced_steps(problem, engine, allowed))[1]


@dataclass
class _Thrift:
    """The phases that count bits.

    Attributes:
        field: the problem's.
        coarseness: see `solve_ngp`.
        start: parameters that the fit found.
        room: gradient steps that may be taken; where the recipe has more, each phase gets its share.
        taken: how many were.
    """

    field: Ngp
    problem: Problem
    request: Request
    recipe: Recipe
    coarseness: float
    start: Parameters
    room: float
    taken: int = 0

    def trial(self, engine: Engine) -> Trial | None:
        """The weights; None where no engine knows their bits, or no quantizer steps suit the format's arithmetic."""
        try:
            return self._trial(engine)
        except (EngineError, FormatError) as error:
            self.request.note(f"entries are only rounded: {error}")
            return None

    def _trial(self, engine: Engine) -> Trial:
        problem, recipe, psnr_db = self.problem, self.recipe, self.request.psnr_db
        allowed = problem.allowed_mse(psnr_db)
        price = allowed / problem.geometry.channels  # of a bit a pixel, in the mean error of its samples
        engine = self._engine(engine, Objective(self._table_steps(1.0), price))
        step = self._table_step(engine, allowed)
        engine.set_objective(Objective(self._table_steps(step), recipe.sparse_weight * price, real=True))
        self._run(engine, "shrink", recipe.sparse_steps, recipe.sparse_rate * step, None)
        step = self._table_step(engine, allowed)
        steps = self._table_steps(step)
        soft = self._control(engine, Objective(steps, recipe.soft_weight * price), recipe.soft_steps, recipe.soft)
        self._run(engine, "shrink", recipe.soft_steps, recipe.soft_rate * step, soft)
        steps = {**steps, **self._network_steps(engine, steps, allowed)}
        objective = Objective(steps, soft.objective.rate_weight)
        weights = quantize(problem, engine.parameters(), steps)
        for _ in range(HARD_TIMES):
            if self.taken + self._n(recipe.hard_steps) > self.room or self.request.steps_expired():
                break
            control = self._control(engine, objective, recipe.hard_steps, recipe.hard)
            self._run(engine, "fine-tune", recipe.hard_steps, recipe.hard_rate * step, control)
            weights = quantize(problem, engine.parameters(), steps)
            if -NEAR_DB < problem.exact_psnr_db(weights) - psnr_db < FAR_DB:
                break
            objective = replace(objective, rate_weight=control.objective.rate_weight)
        return land(self.field, problem, weights, psnr_db)

    def _table_steps(self, step: float) -> dict[str, float]:
        """One quantizer step for all tables, such as a file can hold."""
        layout = self.problem.field.layout(self.problem.geometry)
        return {tensor.name: Step.nearest(step).value for tensor in layout if tensor.role is Role.TABLE}

    def _table_step(self, engine: Engine, allowed: float) -> float:
        """The step that makes the finest level's rounding errors, if evenly spread, what `coarseness` says.

        How much of an entry's error arrives at the output is measured by a fine step.
        """
        step = self.coarseness * math.sqrt(allowed)
        engine.set_objective(Objective())
        error = engine.evaluate().mse
        engine.set_objective(Objective({f"level{len(self.field.levels) - 1}": step / FINE}))
        added = engine.evaluate().mse - error
        gain = math.sqrt(12 * max(added, 0.0)) / (step / FINE)
        return step / min(max(gain, 1 / MOST_GAIN), MOST_GAIN)

    def _engine(self, engine: Engine, objective: Objective) -> Engine:
        """The engine, or another where it does not know the bits, at the start."""
        try:
            engine.set_objective(objective)
            engine.restore(self.start)
            return engine
        except EngineError:
            anyone = replace(self.request, engine="auto")
            return engines.for_request(anyone, self.problem, self.start, objective)

    def _control(self, engine: Engine, objective: Objective, n_steps: int, steering: Steering) -> RateControl:
        def look(objective: Objective) -> tuple[float, Objective]:
            return self.problem.psnr_db(engine.evaluate().squared_error), objective

        objective = replace(objective, softness=steering.softness[0])
        engine.set_objective(objective)
        return RateControl(engine, objective, self.request.psnr_db, self._n(n_steps), steering, look)

    def _run(self, engine: Engine, phase: str, n_steps: int, table_rate: float, control: RateControl | None) -> None:
        """The steps of one phase."""
        rates = Rates(table_rate, self.recipe.network_rate)
        schedule = Schedule(math.inf, self._n(n_steps), rates, self.request.steps_deadline, LAST_RATE)
        self.taken += fit(self.problem, engine, schedule, self.request.clock(phase), control).steps

    def _n(self, n_steps: int) -> int:
        """How many of the recipe's steps for a phase there may be."""
        return int(n_steps * min(1.0, self.room / self.recipe.n_steps))

    def _network_steps(self, engine: Engine, steps: dict[str, float], allowed: float) -> dict[str, float]:
        """Quantizer steps of the network whose error costs as many bits elsewhere as its weights would, if finer.

        At high rate a weight's bits fall by 1 / ln 2 as the logarithm of its step grows by 1, and its error grows by
        twice itself.
        """
        problem, layout = self.problem, self.problem.field.layout(self.problem.geometry)
        network = [tensor for tensor in layout if tensor.role is not Role.TABLE]
        n_weights = sum(tensor.size for tensor in network)
        error = NETWORK_PRICE * allowed * n_weights / (2 * math.log(2) * problem.samples.size)
        found = balanced_steps(problem, engine, min(error, allowed), network, Objective(steps))
        return {name: Step.nearest(step).value for name, step in found.items()}  # as a decoder will see them
