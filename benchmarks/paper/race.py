"""The search for the best learning rate: races, and a bracket that grows until both of its ends have clearly lost.

In a *race* several rates step side by side. Whoever arrives first has the fewest steps, so the others stop there and
the answer is exact. A race of the whole grid is the paper's protocol (`whole`); it spends most of its time on rates
that nobody would try. The *bracket* starts with two neighbours, and then lets further rates run against the record,
outwards, until on both sides one has clearly lost: it was more than CLOSE_DB short of the target when the record's
steps were over, or it was *dominated*, that is, after s steps it had not shown what the holder of the record had after
s / LEAD. docs/why/rate-search.md says how brackets compare with whole grids.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.paper.programs import Runs

LEAD = 2.0
GRACE_STEPS = 20
"""Nobody is dominated before."""

CLOSE_DB = 5.0

Ending = Literal["reached", "beaten", "dominated", "diverged", "capped"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        steps: updates taken; for "reached" the number after which the PSNR first was the target.
        psnr_db: the last PSNR seen.
        ending: "reached"; "beaten": another rate of the race needs no more steps; "dominated"; "diverged": its error
            was no number; "capped": it took all steps that were allowed.
        seconds: spent on this run.
        curve: PSNR before each update and after the last one.
    """

    steps: int
    psnr_db: float
    ending: Ending
    seconds: float
    curve: list[float]


Entry = tuple[int, int]
"""A run: the number of its race, and the number of its rate in the grid."""

Start = Callable[[Sequence[Entry]], Runs]
"""Makes a program with these runs."""


def whole(start: Start, n_races: int, n_rates: int, target_db: float, max_steps: int) -> list[dict[int, Outcome]]:
    """Race all rates against each other: for each race, the outcomes by number of the rate."""
    entries = [(race, rate) for race in range(n_races) for rate in range(n_rates)]
    return _by_race(n_races, run(start(entries), entries, target_db, max_steps, {}))


def bracket(
    start: Start, n_races: int, n_rates: int, first: int, target_db: float, max_steps: int
) -> list[dict[int, Outcome]]:
    """The same for `first`, the rate after it, and so on outwards as far as it takes."""
    outcomes: list[dict[int, Outcome]] = [{} for _ in range(n_races)]
    first = max(0, min(first, n_rates - 2))
    entries = [(race, rate) for race in range(n_races) for rate in range(first, min(first + 2, n_rates))]
    while entries:
        records = {race: _record(outcomes[race]) for race in range(n_races)}
        known = {race: record for race, record in records.items() if record is not None}
        for race, found in enumerate(_by_race(n_races, run(start(entries), entries, target_db, max_steps, known))):
            outcomes[race] |= found
        entries = [(race, rate) for race in range(n_races) for rate in _untested(outcomes[race], n_rates, target_db)]
    return outcomes


def best_rate(outcomes: Mapping[int, Outcome]) -> int | None:
    """The rate that reached the target first; None if none did."""
    reached = [rate for rate, outcome in outcomes.items() if outcome.ending == "reached"]
    return min(reached, key=lambda rate: outcomes[rate].steps, default=None)


def run(
    program: Runs, entries: Sequence[Entry], target_db: float, max_steps: int, records: Mapping[int, Outcome]
) -> dict[Entry, Outcome]:
    """Step all runs until each race has a winner or no runs left.

    Args:
        records: of races that have one: the outcome to beat. Its steps are the limit for the race's runs.
    """
    curves: list[list[float]] = [[] for _ in entries]
    bests = {race: list(itertools.accumulate(record.curve, max)) for race, record in records.items()}
    outcomes: dict[Entry, Outcome] = {}
    alive = list(range(len(entries)))

    def end(i: int, ending: Ending) -> None:
        curve = curves[i]
        outcomes[entries[i]] = Outcome(len(curve) - 1, curve[-1], ending, program.seconds[i], curve)

    for step in range(max_steps + 1):
        for i, psnr_db in zip(alive, program.psnrs(alive), strict=True):
            curves[i].append(psnr_db)
        won: set[int] = set()
        for i in alive:
            if curves[i][-1] >= target_db and entries[i][0] not in won:
                won.add(entries[i][0])
                end(i, "reached")
        for i in alive:
            race = entries[i][0]
            if entries[i] in outcomes:
                continue
            if race in won or (race in records and step + 1 >= records[race].steps):
                end(i, "beaten")
            elif curves[i][-1] == -math.inf:
                end(i, "diverged")
            elif step == max_steps:
                end(i, "capped")
            elif race in bests and step >= GRACE_STEPS and max(curves[i]) < bests[race][int(step / LEAD)]:
                end(i, "dominated")
        alive = [i for i in alive if entries[i] not in outcomes]
        if not alive:
            break
        program.update(alive)
    return outcomes


def _by_race(n_races: int, outcomes: Mapping[Entry, Outcome]) -> list[dict[int, Outcome]]:
    found: list[dict[int, Outcome]] = [{} for _ in range(n_races)]
    for (race, rate), outcome in outcomes.items():
        found[race][rate] = outcome
    return found


def _record(outcomes: Mapping[int, Outcome]) -> Outcome | None:
    best = best_rate(outcomes)
    return None if best is None else outcomes[best]


def _untested(outcomes: Mapping[int, Outcome], n_rates: int, target_db: float) -> list[int]:
    """The next rate on each side that has not clearly lost; on both sides of all rates while none has arrived."""
    best = best_rate(outcomes)
    if best is None:
        neighbours = [min(outcomes) - 1, max(outcomes) + 1]
    else:
        neighbours: list[int] = []
        for side in (-1, 1):
            rate = best + side
            while rate in outcomes and outcomes[rate].psnr_db >= target_db - CLOSE_DB:
                rate += side
            neighbours.append(rate)
    return [rate for rate in neighbours if 0 <= rate < n_rates and rate not in outcomes]
