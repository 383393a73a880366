"""The search for the best learning rate: races, and a bracket that grows until both of its ends have clearly lost.

In a *race* several rates step side by side. Whoever arrives first has the fewest steps, so the others stop there and
the answer is exact. A race of the whole grid is the paper's protocol (`whole`); it spends most of its time on rates
that nobody would try. The *bracket* starts with two neighbours. The one that arrives with fewer steps is the *leader*.
Then further rates run against it, outwards, until on both sides one has clearly lost, that is, ended more than
CLOSE_DB short of the target. A run ends when the leader's steps are over, or as soon as it is *dominated*: after s
steps it had not shown what the leader had after s / LEAD. High rates often begin badly and then overtake, so nobody is
dominated in the first part of the leader's steps (EARLY).

While there is no leader, a run that *stalls*, that is, gains less than STALL_DB from half its steps to all of them,
makes way for its neighbours, so that a search does not wait for it. It may still have been the best: once there is a
leader it runs again from the start, unless it was dominated. If no rate arrives, only the best of those that stalled
runs again to the end.

docs/why/rate-search.md says how brackets compare with whole grids.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.paper.programs import Runs

LEAD = 2.0
EARLY, GRACE_STEPS = 1 / 4, 20
"""Nobody is dominated before this share of the leader's steps, nor before so many steps."""

CLOSE_DB = 5.0

STALL_DB, PATIENCE_STEPS = 1.0, 300
"""Nobody has stalled before so many steps."""

Ending = Literal["reached", "beaten", "dominated", "stalled", "diverged", "capped"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        steps: updates taken; for "reached" the number after which the PSNR first was the target.
        psnr_db: the last PSNR seen.
        ending: "reached"; "beaten": another rate of the race needs no more steps; "dominated"; "stalled"; "diverged":
            its error was no number; "capped": it took all steps that were allowed.
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

Watch = Callable[[int, int, Mapping[Entry, float]], object]
"""Told of each step: its number, the most that there may be, and the PSNR of each run as it stands."""


def unwatched(step: int, most: int, psnrs: Mapping[Entry, float]) -> None:
    """Nobody is told."""


def whole(
    start: Start, n_races: int, n_rates: int, target_db: float, max_steps: int, watch: Watch = unwatched
) -> list[dict[int, Outcome]]:
    """Race all rates against each other: for each race, the outcomes by number of the rate."""
    entries = [(race, rate) for race in range(n_races) for rate in range(n_rates)]
    return _by_race(n_races, run(start(entries), entries, target_db, max_steps, {}, patient=True, watch=watch))


def bracket(
    start: Start,
    n_races: int,
    n_rates: int,
    first: int,
    target_db: float,
    max_steps: int,
    watch: Watch = unwatched,
    stride: int = 1,
    known: Sequence[Mapping[int, Outcome]] = (),
    early: float = EARLY,
) -> list[dict[int, Outcome]]:
    """The same for `first`, the rate `stride` after it, and so on outwards as far as it takes.

    Args:
        stride: between rates, a power of two. Then, over and over, it is halved and the neighbours of the best are run.
        known: for each race what an earlier search found, to go on from there. Of the best run it needs the whole
            curve, of the others the last PSNR.
        early: the share of a leader's steps before which nobody is dominated.
    """
    outcomes: list[dict[int, Outcome]] = [dict(each) for each in known] or [{} for _ in range(n_races)]

    def test(rates: Sequence[Iterable[int]], *, patient: bool = False) -> bool:
        entries = [(race, rate) for race in range(n_races) for rate in rates[race]]
        if not entries:
            return False
        leaders = {race: leader for race in range(n_races) if (leader := _leader(outcomes[race])) is not None}
        found = run(start(entries), entries, target_db, max_steps, leaders, patient=patient, watch=watch, early=early)
        for race, of_race in enumerate(_by_race(n_races, found)):
            outcomes[race] |= of_race
        return True

    first = max(0, min(first, n_rates - 1 - stride))
    pair = range(first, min(first + 2 * stride, n_rates), stride)
    test([() if each else pair for each in outcomes])
    while test([_untested(each, n_rates, target_db, stride) for each in outcomes]) or test(
        [_to_repeat(each, early) for each in outcomes], patient=True
    ):
        pass
    while stride > 1:
        stride //= 2
        test([_between(each, n_rates, stride) for each in outcomes])
    return outcomes


def ended_too_early(ending: str, steps: int, leader_steps: int, early: float = EARLY) -> bool:
    """Whether a search with this share would not have ended a run there, given what was the best in the end.

    A run that stalled was run again unless it had been dominated before. A record does not say how early that was, so
    it counts as too early.
    """
    return (ending == "dominated" and steps < early * leader_steps) or (ending == "stalled" and steps < leader_steps)


def best_rate(outcomes: Mapping[int, Outcome]) -> int | None:
    """The rate that reached the target first; None if none did."""
    reached = [rate for rate, outcome in outcomes.items() if outcome.ending == "reached"]
    return min(reached, key=lambda rate: outcomes[rate].steps, default=None)


def run(
    program: Runs,
    entries: Sequence[Entry],
    target_db: float,
    max_steps: int,
    leaders: Mapping[int, Outcome],
    *,
    patient: bool,
    watch: Watch = unwatched,
    early: float = EARLY,
) -> dict[Entry, Outcome]:
    """Step all runs until each race has a winner or no runs left.

    Args:
        leaders: of races that have one: the outcome to beat. Its steps are the limit for the race's runs.
        patient: whether runs that stall go on, also in races without a leader.
        early: as for `bracket`.
    """
    curves: list[list[float]] = [[] for _ in entries]
    tops: list[list[float]] = [[] for _ in entries]
    to_beat = {race: _tops(leader) for race, leader in leaders.items()}
    most = max((leaders[race].steps if race in leaders else max_steps for race, _ in entries), default=0)
    outcomes: dict[Entry, Outcome] = {}
    alive = list(range(len(entries)))

    def end(i: int, ending: Ending) -> None:
        curve = curves[i]
        outcomes[entries[i]] = Outcome(len(curve) - 1, curve[-1], ending, program.seconds[i], curve)

    for step in range(max_steps + 1):
        if not alive:
            break
        for i, psnr_db in zip(alive, program.psnrs(alive), strict=True):
            curves[i].append(psnr_db)
            tops[i].append(max(psnr_db, tops[i][-1] if tops[i] else psnr_db))
        watch(step, most, {entries[i]: curves[i][-1] for i in alive})
        won: set[int] = set()
        for i in alive:
            if curves[i][-1] >= target_db and entries[i][0] not in won:
                won.add(entries[i][0])
                end(i, "reached")
        for i in alive:
            race = entries[i][0]
            if entries[i] in outcomes:
                continue
            if race in won or (race in leaders and step + 1 >= leaders[race].steps):
                end(i, "beaten")
            elif curves[i][-1] == -math.inf:
                end(i, "diverged")
            elif step == max_steps:
                end(i, "capped")
            elif race in to_beat and _lags(tops[i], to_beat[race], step, early):
                end(i, "dominated")
            elif race not in leaders and not patient and _stalls(tops[i], step):
                end(i, "stalled")
        alive = [i for i in alive if entries[i] not in outcomes]
        if alive:
            program.update(alive)
    return outcomes


def _tops(outcome: Outcome) -> list[float]:
    """The best PSNR up to each step."""
    return list(itertools.accumulate(outcome.curve, max))


def _lags(tops: Sequence[float], to_beat: Sequence[float], step: int, early: float) -> bool:
    return step >= max(GRACE_STEPS, early * (len(to_beat) - 1)) and tops[step] < to_beat[int(step / LEAD)]


def _stalls(tops: Sequence[float], step: int) -> bool:
    return step >= PATIENCE_STEPS and tops[step] < tops[step // 2] + STALL_DB


def _by_race(n_races: int, outcomes: Mapping[Entry, Outcome]) -> list[dict[int, Outcome]]:
    found: list[dict[int, Outcome]] = [{} for _ in range(n_races)]
    for (race, rate), outcome in outcomes.items():
        found[race][rate] = outcome
    return found


def _leader(outcomes: Mapping[int, Outcome]) -> Outcome | None:
    best = best_rate(outcomes)
    return None if best is None else outcomes[best]


def _untested(outcomes: Mapping[int, Outcome], n_rates: int, target_db: float, stride: int) -> list[int]:
    """The next rate on each side that has not clearly lost.

    While none has arrived, that is the next one beyond all others, unless the last one there took all steps allowed and
    ended more than CLOSE_DB below the best.
    """
    best = best_rate(outcomes)
    if best is None:
        top = max(max(outcome.curve) for outcome in outcomes.values())
        ends = {min(outcomes): -stride, max(outcomes): stride}
        lost = {rate for rate in ends if outcomes[rate].ending == "capped" and outcomes[rate].psnr_db < top - CLOSE_DB}
        neighbours = [rate + side for rate, side in ends.items() if rate not in lost]
    else:
        neighbours: list[int] = []
        for side in (-stride, stride):
            rate = best + side
            while rate in outcomes and outcomes[rate].psnr_db >= target_db - CLOSE_DB:
                rate += side
            neighbours.append(rate)
    return _new(neighbours, outcomes, n_rates)


def _between(outcomes: Mapping[int, Outcome], n_rates: int, stride: int) -> list[int]:
    """The neighbours of the best rate, if there is one."""
    best = best_rate(outcomes)
    return [] if best is None else _new([best - stride, best + stride], outcomes, n_rates)


def _new(rates: Iterable[int], outcomes: Mapping[int, Outcome], n_rates: int) -> list[int]:
    return [rate for rate in rates if 0 <= rate < n_rates and rate not in outcomes]


def _to_repeat(outcomes: Mapping[int, Outcome], early: float) -> list[int]:
    """The rates that stalled and may be the best all the same; see above."""
    stalled = {rate: outcome for rate, outcome in outcomes.items() if outcome.ending == "stalled"}
    leader = _leader(outcomes)
    if leader is None:
        lasting = [rate for rate, outcome in outcomes.items() if outcome.ending in ("stalled", "capped")]
        best = max(lasting, key=lambda rate: max(outcomes[rate].curve), default=None)
        return [best] if best in stalled else []
    to_beat = _tops(leader)
    return [rate for rate, outcome in stalled.items() if not _has_lost(outcome, to_beat, early)]


def _has_lost(outcome: Outcome, to_beat: Sequence[float], early: float) -> bool:
    """Whether a run had lagged behind a leader at one of its steps, or took no fewer steps."""
    tops, steps = _tops(outcome), range(min(outcome.steps + 1, len(to_beat)))
    return outcome.steps + 1 >= len(to_beat) - 1 or any(_lags(tops, to_beat, step, early) for step in steps)
