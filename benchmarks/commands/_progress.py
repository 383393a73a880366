"""What the suite shows while runs last: on a terminal two bars, elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from benchmarks.records.progress import SearchState

LINE_SECONDS = 60
"""Between two lines about one search, where there is no terminal."""

REDRAW_SECONDS = 0.2


class Show:
    """Follows some runs, and the searches inside them. Used in a `with` statement; everything goes to stderr.

    Args:
        n_runs: that there are to do.
    """

    def __init__(self, n_runs: int) -> None:
        self._n, self._done, self._began = n_runs, 0, time.monotonic()
        self._search_began = self._shown = self._began
        self._bars: Progress | None = None
        if sys.stderr.isatty():
            columns = (BarColumn(30), TaskProgressColumn(), TextColumn("{task.description}", markup=False))
            self._bars = Progress(*columns, console=Console(stderr=True), transient=True)
            self._runs = self._bars.add_task("", total=n_runs)
            self._search = self._bars.add_task("", total=1, visible=False)

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
        self._shown = time.monotonic()
        if self._bars:
            self._bars.update(self._search, visible=False)
            self._bars.update(self._runs, completed=self._done, description=f"{in_words(left)} left of {self._n} runs")

    def search(self, state: SearchState) -> None:
        """Where a search stands."""
        now = time.monotonic()
        if state.step == 0:
            self._search_began = now
        if now - self._shown < (REDRAW_SECONDS if self._bars else LINE_SECONDS):
            return
        self._shown = now
        left = (now - self._search_began) / max(1, state.step) * (state.most - state.step)
        text = f"{state.name}: {state.runs}; step {state.step} of at most {state.most}, {in_words(left)} at most"
        if self._bars:
            self._bars.update(self._search, completed=state.step, total=state.most, description=text, visible=True)
        else:
            self._print(text)

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
