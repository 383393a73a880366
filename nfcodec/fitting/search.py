"""The coarsest quantizer steps with which a field still reaches its target."""

from __future__ import annotations

import math
from collections.abc import Callable

from nfcodec.errors import FormatError
from nfcodec.fitting.problem import Trial
from nfcodec.fitting.request import Request

CLOSE_DB = 0.01
CLOSE_LOG2, LEAST_LOG2 = 0.006, -12.0
"""Of factors: a bracket that is narrow enough, and where to give up."""

FINER_LOG2 = 2.0
"""The first factors may be too fine for the format; each next one is so much larger."""


def coarsest(
    request: Request, n_trials: int, attempt: Callable[[float], Trial], missing_log2: Callable[[Trial], float]
) -> Trial:
    """The trial that just reaches the target; the closest found if none does.

    Args:
        attempt: quantizes with all steps times 2^x; a FormatError says that they are too fine for the format.
        missing_log2: about how much larger x could have been, judged by what came of it.

    Raises:
        FormatError: no steps suit the values.
    """
    clock = request.clock("quantize")
    fine, coarse = -math.inf, math.inf  # exponents that suffice, and that do not
    exponent, best, closest = 0.0, None, None
    for number in range(n_trials):
        try:
            trial = attempt(exponent)
        except FormatError:
            if closest is not None:
                break
            exponent += FINER_LOG2
            continue
        clock.tell(number, n_trials, trial.psnr_db)
        excess_db = trial.psnr_db - request.psnr_db
        closest = trial if closest is None or trial.psnr_db > closest.psnr_db else closest
        if excess_db >= 0:
            fine, best = exponent, trial
        else:
            coarse = exponent
        if 0 <= excess_db < CLOSE_DB or coarse - fine < CLOSE_LOG2 or exponent < LEAST_LOG2:
            break
        guess = exponent + missing_log2(trial)
        if fine < guess < coarse:
            exponent = guess
        elif math.isfinite(coarse - fine):
            exponent = (fine + coarse) / 2
        else:
            exponent += math.copysign(0.5, excess_db)
    result = best or closest
    if result is None:
        raise FormatError("no quantizer steps suit the values")
    return result
