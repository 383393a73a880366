"""Tasks for threads of which some wait for others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from nfcodec.workers import Workers, check_stopped

Task = Callable[[int], object]
"""Something that a thread does, given the number of the thread."""

_SECONDS = 0.1
"""After which somebody who waits looks whether the work is wanted any more."""


class Plan:
    """Tasks, begun in the order in which they are added; so each can only wait for tasks added before it."""

    def __init__(self) -> None:
        self._tasks = list[Task]()
        self._after = list[Sequence[int]]()

    def add(self, task: Task, after: Iterable[int] = ()) -> int:
        """Add a task that waits for those of the given numbers; returns its number."""
        self._tasks.append(task)
        self._after.append(list(after))
        return len(self._tasks) - 1

    def run(self, workers: Workers) -> None:
        """Do all."""
        done, changed = bytearray(len(self._tasks)), threading.Condition()

        def do(worker: int, i: int) -> None:
            after = self._after[i]
            if not all(done[j] for j in after):
                with changed:
                    while not changed.wait_for(lambda: all(done[j] for j in after), _SECONDS):
                        check_stopped()
            self._tasks[i](worker)
            with changed:
                done[i] = 1
                changed.notify_all()

        workers.run(len(self._tasks), do)


def staggered(plan: Plan, stages: Sequence[Sequence[Task]], beside: Sequence[Task]) -> None:
    """Add stages of work on the same bands, so that a band goes through several while it is in the cache.

    Args:
        stages: the same number of tasks each, one for each band; a task waits for the stage before in its band and in
            those beside it.
        beside: tasks that wait for nothing, and give threads something to do where the stages end.
    """
    n_bands, waiting = len(stages[0]), list(beside)
    order = [
        (stage, at - 2 * stage)
        for at in range(n_bands + 2 * len(stages))
        for stage in range(len(stages))
        if 0 <= at - 2 * stage < n_bands
    ]
    numbers: dict[tuple[int, int], int] = {}
    for left, (stage, band) in zip(range(len(order), 0, -1), order, strict=True):
        around = [(stage - 1, near) for near in (band - 1, band, band + 1)]
        after = [numbers[each] for each in around if each in numbers]
        numbers[stage, band] = plan.add(stages[stage][band], after)
        if left <= len(waiting):
            plan.add(waiting.pop())
    while waiting:
        plan.add(waiting.pop())
