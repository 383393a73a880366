"""The search for the best learning rate, as a race: all rates step side by side until the first one arrives.

Whoever arrives first has, by definition, the fewest steps, so all others may stop there and the answer is exact. A rate
that lags far behind may stop earlier: one is *dominated* when the best PSNR it has shown is less than what another run of
its race had after 1 / LEAD of the steps. That assumes that no rate ever gains a factor of LEAD on another;
`lead=math.inf` runs without the assumption, and docs/decisions.md says how the two compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.programs import Program

LEAD = 2.0
GRACE_STEPS = 20
"""Nobody is dominated before."""

Ending = Literal["reached", "beaten", "dominated", "diverged", "capped"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        steps: updates taken; for "reached" the number after which the PSNR was first at least the target.
        psnr_db: the last PSNR seen.
        ending: "reached"; "beaten": another rate of the race arrived first; "dominated"; "diverged": its error was no
            number; "capped": it took all steps that were allowed.
        seconds: spent on this run.
        curve: PSNR before each update and after the last one.
    """

    steps: int
    psnr_db: float
    ending: Ending
    seconds: float
    curve: list[float]


def race(
    program: Program, races: Sequence[int], target_db: float, max_steps: int, *, lead: float = LEAD
) -> list[Outcome]:
    """Run until every race has a winner, or all its runs have ended.

    Args:
        races: for each run of the program, the number of the race that it belongs to. Of runs that arrive at the same
            step, the first listed wins.
    """
    curves: list[list[float]] = [[] for _ in races]
    best: list[list[float]] = [[] for _ in races]
    outcomes: dict[int, Outcome] = {}

    def end(run: int, ending: Ending) -> None:
        curve = curves[run]
        outcomes[run] = Outcome(len(curve) - 1, curve[-1], ending, program.seconds[run], curve)

    for step in range(max_steps + 1):
        alive = [run for run in range(len(races)) if run not in outcomes]
        if not alive:
            break
        for run, psnr_db in zip(alive, program.psnrs(alive), strict=True):
            curves[run].append(psnr_db)
            best[run].append(max(psnr_db, best[run][-1] if best[run] else -math.inf))
        won: set[int] = set()
        for run in alive:
            if curves[run][-1] >= target_db and races[run] not in won:
                won.add(races[run])
                end(run, "reached")
        for run in alive:
            if run in outcomes:
                continue
            if races[run] in won:
                end(run, "beaten")
            elif curves[run][-1] == -math.inf:
                end(run, "diverged")
            elif step == max_steps:
                end(run, "capped")
            elif step >= GRACE_STEPS and best[run][-1] < _leader(best, races, run, int(step / lead)):
                end(run, "dominated")
        alive = [run for run in alive if run not in outcomes]
        if alive:
            program.update(alive)
    return [outcomes[run] for run in range(len(races))]


def _leader(best: Sequence[Sequence[float]], races: Sequence[int], run: int, step: int) -> float:
    """The best PSNR that any run of the same race had shown by a step."""
    return max(
        best[other][min(step, len(best[other]) - 1)] for other in range(len(races)) if races[other] == races[run]
    )
