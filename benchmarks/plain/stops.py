"""When a fit ends: a stop looks at the PSNRs in dB before each step so far, the newest last."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Stop = Callable[[Sequence[float]], bool]


def reached(psnr_db: float, max_steps: int = 10_000) -> Stop:
    """The paper's: at a PSNR, after so many steps, or when the error is no number."""
    return lambda curve: curve[-1] >= psnr_db or len(curve) > max_steps or curve[-1] == -math.inf
