"""The contest itself: who makes a file when, at which effort, and in which share of the time.

In the first round each entrant makes a file; those with a quick try make that, if they have rivals. In the second one
those go on at the effort asked for whose quick files are the best, or so close to it that more effort may pay.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from nfcodec.codec.contest import Entrant, may_win_with_more
from nfcodec.codec.report import Encoded
from nfcodec.codec.time_plan import Need, shares_of
from nfcodec.errors import EngineError, LimitError, NfcError, TargetNotReachedError
from nfcodec.fitting.family import QuickTry
from nfcodec.fitting.plans import Plan
from nfcodec.fitting.request import Request

FAILURES = (TargetNotReachedError, EngineError, LimitError)
"""Of one family, which leave the picture to the others."""


class Contender(Protocol):
    """An entrant that is ready."""

    @property
    def entrant(self) -> Entrant: ...

    def need(self, request: Request) -> Need:
        """The seconds that its file takes, about; where there is no time limit, it does not matter."""
        ...

    def plan(self, request: Request) -> Plan | None:
        """What `file` would have fitted; None where that is open, as where it searches."""
        ...

    def is_beside_the_point(self, files: Sequence[Encoded], failures: Sequence[NfcError], request: Request) -> bool:
        """Whether its file would not be taken, or would hide why those that suit the picture better failed."""
        ...

    def file(self, request: Request, coming: Sequence[Plan] = ()) -> Encoded:
        """The file for a request, whether it reaches the goal or not.

        Args:
            coming: what will be fitted after it, which is announced with it.
        """
        ...


@dataclass(frozen=True)
class Turn:
    """A file that is to be made.

    Attributes:
        request: of its own effort; its deadline is that of the contest.
        quick: what the file stands for, if it is a quick one.
    """

    contender: Contender
    request: Request
    quick: QuickTry | None = None

    @property
    def name(self) -> str:
        return self.contender.entrant.family.name

    @property
    def need(self) -> Need:
        return self.contender.need(self.request)

    @property
    def least_seconds(self) -> float:
        """Without which the file is not worth a try; packing the samples takes next to none."""
        return 0.0 if self.contender.entrant.family.bounds_size else self.need.least

    def within(self, deadline: float) -> Turn:
        """The same in a share of the time."""
        return replace(self, request=replace(self.request, deadline=min(self.request.deadline, deadline)))

    def again(self, effort: int) -> Turn:
        """The one that may follow a quick one."""
        assert self.quick is not None
        return Turn(self.contender, replace(self.request, effort=effort, least_effort=self.quick.effort + 1))


class Contest:
    """The files of all who take part.

    Attributes:
        files: in the order in which they were made.
        failures: what went wrong with those who made none.
    """

    def __init__(self, contenders: Sequence[Contender], failures: Sequence[NfcError], request: Request) -> None:
        self.files, self.failures = list[Encoded](), list(failures)
        self._request = request
        turns = [Turn(each, replace(request, least_effort=each.entrant.least_effort)) for each in contenders]
        rivals = [turn for turn in self._in_time(turns) if not turn.contender.entrant.family.bounds_size]
        self._turns = [self._among(turn, rivals) for turn in turns]

    def _among(self, turn: Turn, rivals: Sequence[Turn]) -> Turn:
        """The turn of one of several rivals: named, and a quick one if its family has that."""
        if len(rivals) < 2 or not any(turn is each for each in rivals):
            return turn
        family = turn.contender.entrant.family
        request, quick = replace(turn.request, task=family.name), family.quick_try
        if quick is None or quick.effort >= request.effort:
            return Turn(turn.contender, request)
        return Turn(turn.contender, replace(request, effort=quick.effort), quick)

    def play(self) -> None:
        """Both rounds."""
        made = list[tuple[Turn, Encoded]]()
        for i, turn in enumerate(self._turns):
            if not self._is_left_out(turn):
                may_follow = [*self._second_round(made), *self._again(self._turns[i:])]
                encoded = self._file(turn, self._turns[i + 1 :], may_follow)
                made += [] if encoded is None else [(turn, encoded)]
        second = self._second_round(made)
        for i, turn in enumerate(second):
            if not self._is_left_out(turn):
                effort = turn.request.effort
                turn.request.note(f"{turn.name}: effort {effort} may make a better file than the best so far")
                self._file(turn, second[i + 1 :])

    def _second_round(self, made: Sequence[tuple[Turn, Encoded]]) -> list[Turn]:
        """Going by what is there of the first."""
        goal = self._request.goal
        return self._again(
            [
                turn
                for turn, encoded in made
                if turn.quick is not None and may_win_with_more(encoded, turn.quick.saves, self.files, goal)
            ]
        )

    def _again(self, turns: Sequence[Turn]) -> list[Turn]:
        return [turn.again(self._request.effort) for turn in turns if turn.quick is not None]

    def _is_left_out(self, turn: Turn) -> bool:
        """Whether it is not needed, or there is no time for it any more."""
        if any(each.report["reached"] for each in self.files) and turn.least_seconds > self._seconds_left():
            return True
        return turn.contender.is_beside_the_point(self.files, self.failures, turn.request)

    def _file(self, turn: Turn, later: Sequence[Turn], may_follow: Sequence[Turn] = ()) -> Encoded | None:
        """Have a file made, and keep it; None where that fails.

        Args:
            later: what follows, and is announced with it.
            may_follow: what gets a share of the time if there is enough for the others.
        """
        mine, *coming = self._in_their_shares(self._in_time([turn, *later]), may_follow)
        plans = [each.contender.plan(each.request) for each in coming]
        try:
            encoded = turn.contender.file(mine.request, [plan for plan in plans if plan is not None])
        except FAILURES as error:
            self.failures.append(error)
            return None
        self.files.append(encoded)
        return encoded

    def _in_time(self, turns: Sequence[Turn]) -> list[Turn]:
        """The first one, and those after it for which there will be time."""
        found, left = list[Turn](), self._seconds_left()
        for turn in turns:
            if not found or turn.least_seconds <= left:
                found.append(turn)
                left -= turn.least_seconds
        return found

    def _in_their_shares(self, turns: Sequence[Turn], may_follow: Sequence[Turn]) -> list[Turn]:
        needs = [each.need for each in turns] + [Need(0.0, each.need.most) for each in may_follow]
        now, left = time.monotonic(), self._seconds_left()
        return [each.within(now + share) for each, share in zip(turns, shares_of(left, needs), strict=False)]

    def _seconds_left(self) -> float:
        return self._request.deadline - time.monotonic()
