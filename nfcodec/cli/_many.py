"""One file or many: what is made of each is written here, one after the other, wherever the work itself is done."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

import click

from nfcodec.cli import _console, _signals
from nfcodec.cli._inputs import Given, select
from nfcodec.cli._options import STDIO, Many, check_output, default_output
from nfcodec.cli._total import Total
from nfcodec.cli._work import Failure, Job, Made, Outcomes, Work, attempt, read, run_one, show
from nfcodec.errors import WriteError
from nfcodec.images.atomic import write_atomic

if TYPE_CHECKING:
    from nfcodec.cli._bar import Line
    from nfcodec.cli._processes import Told


class Executor(Protocol):
    """Where work is done: it takes files as it needs them, and gives what comes of them in any order.

    Nothing that goes wrong with a file is raised.
    """

    def __call__(self, work: Work, calls: Iterable[tuple[Job, bytes]], tell: Told) -> Outcomes: ...


def run(work: Work, given: Given, many: Many, overwrite: bool = False) -> int:
    """Do the work on what the command line says; returns the exit code, of many files the highest.

    One file ends as a failure does if its output exists already; of many, such files are skipped.
    """
    if not (given.is_many or many.ray is not None):
        job = Job(given.sources[0])
        if work.suffix is not None:
            job = Job(job.source, default_output(job.source, given.target, work.suffix))
        if job.target == STDIO and _console.as_json():
            raise click.UsageError("--json and what is made cannot both go to standard output; name OUT")
        return run_one(work, job, overwrite)
    if given.target is not None:
        target = _only_target(given)
        jobs, failures = [Job(given.sources[0], target)], []
    else:
        jobs, failures = select(given, work.suffix, work.input_suffixes, work.refuse)
    if given.directory is not None:
        _make_directory(given.directory)
    files = _Files(work, overwrite)
    for source, error in failures:
        files.fail(source, Failure.of(error))
    files.work_on(jobs, many)
    return files.worst


def _only_target(given: Given) -> str:
    """OUT of a single file whose work is done elsewhere."""
    if given.target == STDIO or given.target is None:
        raise click.UsageError("with --ray what is made goes to a file; name OUT")
    return given.target


def _make_directory(directory: str) -> None:
    try:
        os.makedirs(directory, exist_ok=True)
    except (OSError, ValueError) as error:
        raise WriteError(f"cannot write into {directory}: {getattr(error, 'strerror', None) or error}") from error


class _Files:
    """Files on their way: what has become of how many, and the highest exit code of all."""

    def __init__(self, work: Work, overwrite: bool) -> None:
        self._work, self._overwrite = work, overwrite
        self.n = self.n_done = self.n_skipped = self.n_failed = self.worst = 0

    def work_on(self, jobs: Sequence[Job], many: Many) -> None:
        """Do all that is to be done, and say at the end, or where that is early, what has been done."""
        self.n = self.n_failed + len(jobs)
        todo = [job for job in jobs if not self._skip(job)]
        total = Total(todo)
        try:
            with _console.drawing(not self._work.is_quick) as draw:
                self._follow(_executor(self._work, many, len(todo)), todo, total, draw)
        except BaseException:
            self._say("so far, of ")
            raise
        _signals.commit()  # all is written: there is nothing left that could be stopped
        self._say()

    def _follow(self, executor: Executor, todo: list[Job], total: Total, draw: Callable[[Line], None]) -> None:
        def tell(job: Job, share: float | None, message: str) -> None:
            if message and _console.verbosity() > 0:
                _console.note(f"{job.source}: {message}")
            if share is not None:
                total.tell(job, share)
                draw(total.line())

        def calls() -> Iterator[tuple[Job, bytes]]:
            for job in todo:
                if (data := self._begin(job)) is not None:
                    yield job, data
                else:
                    total.end(job)
                    draw(total.line())

        draw(total.line())
        with closing(executor(self._work, calls(), tell)) as outcomes:
            for job, outcome in outcomes:
                self._finish(job, outcome)
                total.end(job)
                draw(total.line())

    def fail(self, source: str, failure: Failure) -> None:
        """Count and print a failure."""
        self.n_failed += 1
        self.worst = max(self.worst, failure.code)
        show(failure, source)

    def _skip(self, job: Job) -> bool:
        """Whether the output is there already."""
        target = job.target
        if target is None or self._overwrite or not os.path.exists(target) or os.path.isdir(target):
            return False
        self.n_skipped += 1
        if _console.as_json():
            _console.out_json({"input": job.source, "path": target, "skipped": True})
        elif _console.verbosity() > 0:
            _console.note(f"{job.source} is skipped, as {target} exists already")
        return True

    def _begin(self, job: Job) -> bytes | None:
        """Read a file if its output can be written; None if there is nothing to be done, or nothing can be."""
        if self._skip(job):  # since somebody else has just made it
            return None
        try:
            if job.target is not None:
                _make_directory(os.path.dirname(job.target) or os.curdir)
                check_output(job.source, job.target, self._overwrite, self._work.advice(job.target))
            return read(self._work, job)
        except Exception as error:
            self.fail(job.source, Failure.of(error))
            return None

    def _finish(self, job: Job, outcome: Made | Failure) -> None:
        """Write what was made of a file, and print."""
        if isinstance(outcome, Made):
            try:
                if job.target is not None and outcome.data is not None:
                    write_atomic(job.target, outcome.data, self._overwrite, self._work.advice(job.target))
            except Exception as error:
                outcome = Failure.of(error)
        if isinstance(outcome, Failure):
            self.fail(job.source, outcome)
            return
        code = 0 if outcome.failure is None else outcome.failure.code
        self.n_failed += code != 0
        self.n_done += code == 0
        self.worst = max(self.worst, code)
        show(outcome, job.source)

    def _say(self, so_far: str = "") -> None:
        """One line about all files."""
        if self._work.is_quick or not self.n_done + self.n_skipped + self.n_failed:
            return
        parts = [f"{self.n_done} {self._work.done}"]
        if self.n_skipped:
            parts.append(f"{self.n_skipped} skipped, as their outputs exist (-f replaces them)")
        if self.n_failed:
            parts.append(f"{self.n_failed} failed")
        _console.note(f"{so_far}{self.n} file{'' if self.n == 1 else 's'}: {', '.join(parts)}")


def _executor(work: Work, many: Many, n_files: int) -> Executor:
    if many.ray is not None:
        from nfcodec.cli._ray import Ray

        return Ray(many.ray)
    if work.is_quick:
        return _here
    from nfcodec.cli._processes import Processes

    return Processes(max(1, min(many.n_processes, n_files)))


def _here(work: Work, calls: Iterable[tuple[Job, bytes]], tell: Told) -> Outcomes:
    """In this process, one file after the other."""
    return ((job, attempt(work, job, data)) for job, data in calls)
