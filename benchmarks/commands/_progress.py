"""What the suite shows while runs last: on a terminal a bar for all and one for each search, elsewhere some lines."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from benchmarks.records.progress import SearchState

LINE_SECONDS = 60
"""Between two lines about one search, where there is no terminal."""

REDRAW_SECONDS = 0.2


@dataclass
class _Shown:
    """A search that is running: where its present race began, when it was last shown, and its bar."""

    first: SearchState
    last: SearchState
    began: float
    shown: float
    bar: TaskID | None = None


class Show:
    """Follows some runs, and the searches inside them. Used in a `with` statement; everything goes to stderr.

    Args:
        n_runs: that there are to do.
    """

    def __init__(self, n_runs: int) -> None:
        self._n, self._done, self._began = n_runs, 0, time.monotonic()
        self._searches: dict[str, _Shown] = {}
        self._bars: Progress | None = None
        if sys.stderr.isatty():
            columns = (BarColumn(30), TaskProgressColumn(), TextColumn("{task.description}", markup=False))
            self._bars = Progress(*columns, console=Console(stderr=True), transient=True)
            self._runs = self._bars.add_task("", total=n_runs)

    def __enter__(self) -> Show:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def done(self, line: str) -> None:
        """A run has ended: show what came of it, and about how long the others will take if they take as long."""
        self._done += 1
        seconds = time.monotonic() - self._began
        left = seconds / self._done * (self._n - self._done)
        progress = f"{self._done}/{self._n} {seconds:.0f} s, {in_words(left)} left" if left else f"{self._n}/{self._n}"
        self._print(f"{progress}: {line}")
        if self._bars:
            for each in self._searches.values():  # one of them has ended, and the others will be shown again
                if each.bar is not None:
                    self._bars.remove_task(each.bar)
                    each.bar = None
            self._bars.update(self._runs, completed=self._done, description=f"{in_words(left)} left of {self._n} runs")

    def search(self, state: SearchState) -> None:
        """Where a search stands; several may run side by side. Its step falls when it goes on with other rates."""
        now = time.monotonic()
        known = self._searches.get(state.name)
        if known is None:
            known = self._searches[state.name] = _Shown(state, state, now, now if self._bars is None else 0.0)
        if state.step < known.last.step:
            known.first, known.began = state, now
        known.last = state
        if now - known.shown < (REDRAW_SECONDS if self._bars else LINE_SECONDS):
            return
        known.shown = now
        text = f"{state.name}: {state.runs}; step {state.step} of at most {state.most}"
        if taken := state.step - known.first.step:
            text += f", {in_words((now - known.began) / taken * (state.most - state.step))} at most"
        if self._bars is None:
            self._print(text)
            return
        if known.bar is None:
            known.bar = self._bars.add_task("")
        self._bars.update(known.bar, completed=state.step, total=state.most, description=text)

    def _print(self, line: str) -> None:
        if self._bars:
            self._bars.console.print(line, markup=False, highlight=False)
        else:
            click.echo(line, err=True)


def in_words(seconds: float) -> str:
    """About how long something takes."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
