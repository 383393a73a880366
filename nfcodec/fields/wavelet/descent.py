"""Gradient steps on errors and bits, which change the coefficients alone.

The networks that code the symbols are also the rate model. What they predict is taken as constant, and predicted anew
every few steps from the rounded coefficients, so that a step costs no more than the field itself.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from nfcodec.exact.arithmetic import Step
from nfcodec.fields.wavelet.recipes import Fit, Recipe
from nfcodec.fields.wavelet.restoration import Filtered
from nfcodec.fields.wavelet.weighing import PRICE
from nfcodec.fitting import engines
from nfcodec.fitting.engines import Objective, Rates
from nfcodec.fitting.loop import Schedule, fit
from nfcodec.fitting.problem import Weights
from nfcodec.fitting.rate_control import RateControl
from nfcodec.fitting.request import Request


class Descent:
    """One of a recipe's fits, from quantized coefficients and the exact ones, half and half.

    The filters follow every now and then, and the linear map stays.

    Args:
        start: weights of the linear part.

    Attributes:
        engine: that takes the steps.
    """

    def __init__(self, filtered: Filtered, request: Request, recipe: Recipe, start: Weights, chosen: Fit) -> None:
        self._filtered, self._request, self._recipe, self._n_steps = filtered, request, recipe, chosen.steps
        linear, rest = filtered.linear, filtered.rest(start)
        names = [tensor.name for tensor in linear.field.layout(linear.geometry)]
        parameters = {name: start[name].singles for name in names}
        coarser = chosen.coarser * recipe.coarser if filtered.n_filters else chosen.coarser
        step = Step.nearest(coarser * start["level0"].step.value).value
        self._steps = {name: start[name].step.value for name in names} | {"level0": step}
        priors = linear.priors(linear.rounded(parameters, self._steps)["level0"])
        exact = rest.coefficients(start)
        exact += parameters["level0"]
        exact *= np.float32(0.5)
        parameters["level0"] = exact
        rate_weight, (softness, _) = PRICE * step**2 / linear.geometry.channels, recipe.steering.softness
        self._objective = Objective(self._steps, rate_weight, softness, rate_model=priors, targets=rest.targets)
        self.engine = engines.for_request(request, linear, parameters, self._objective)

    def run(self) -> tuple[Weights, int]:
        """Take the steps: the linear part's weights, rounded, and how many steps there was time for."""
        linear, request, recipe = self._filtered.linear, self._request, self._recipe
        rates = Rates(recipe.rate * self._steps["level0"], 0.0)
        schedule = Schedule(math.inf, self._n_steps, rates, request.deadline, recipe.last_rate)
        control = RateControl(
            self.engine, self._objective, request.psnr_db, self._n_steps, recipe.steering, self._renewed
        )
        result = fit(linear, self.engine, schedule, request.clock("shrink"), control)
        return linear.rounded(result.parameters, self._steps), result.steps

    def _renewed(self, objective: Objective) -> tuple[float, Objective]:
        """The PSNR of the rounded field, and the objective with new predictions and filters."""
        filtered, linear = self._filtered, self._filtered.linear
        weights = linear.rounded(self.engine.parameters(), self._steps)
        rest = filtered.rest(filtered.renewed(weights))
        priors = linear.priors(weights["level0"])
        return rest.near_psnr_db(weights), replace(objective, rate_model=priors, targets=rest.targets)
