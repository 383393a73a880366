"""Options and loops that several verbs have in common."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from benchmarks.commands._progress import Show
from benchmarks.data import datasets
from benchmarks.data.datasets import Picture
from benchmarks.paper.acceleration import RATES
from benchmarks.paper.settings import unusual
from benchmarks.records.executors import Executor, Processes, Ray, here
from benchmarks.records.progress import listening
from benchmarks.records.store import Job, Row, Store, commit, run_jobs
from nfcodec.errors import NfcError, UsageError
from nfcodec.fields import asked_for


class Interrupted(click.ClickException):
    """Ctrl-C, or a signal like it, in the middle of runs."""

    exit_code = 130

    def __init__(self, is_kept: bool) -> None:
        super().__init__("interrupted" + ("; the same command goes on where this one stopped" if is_kept else ""))


F = TypeVar("F", bound=Callable[..., Any])

data_option = click.option(
    "--data", type=click.Path(path_type=Path), help="Folder with the datasets; else $NFCODEC_DATA, else the cache."
)

set_option = click.option("--set", "name", default="kodak", show_default=True, metavar="NAME",
                          help="A dataset, or any folder of pictures.")  # fmt: skip

picture_options = (
    data_option,
    click.option("--set", "sets", multiple=True, default=["kodak"], show_default=True, metavar="NAME",
                 help="A dataset, or any folder of pictures. Repeatable."),
    click.option("--images", type=click.IntRange(1), metavar="N", help="The first N pictures of each set only."),
    click.option("--picture", "names", multiple=True, metavar="NAME", help="Only this picture. Repeatable."),
    click.option("--records", "path", type=click.Path(path_type=Path, dir_okay=False), required=True,
                 help="JSONL file to append to; what it holds already is not run again."),
)  # fmt: skip

records_option = click.option(
    "--records", "path", type=click.Path(path_type=Path, dir_okay=False),
    help="JSONL file to append to; what it holds already is not run again. Without it, nothing is kept.",
)  # fmt: skip

place_options = (
    click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Local processes."),
    click.option("--ray", "ray", metavar="ADDRESS", help='Run on a Ray cluster; "auto" and "local" work, too.'),
)


class FieldName(click.ParamType):
    """What `nfcodec encode --field` takes: the name of a field, and perhaps sizes behind a colon; and other names."""

    name = "field"

    def __init__(self, *others: str) -> None:
        self._others = others

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value != "auto" and value not in self._others:
            try:
                asked_for(value)
            except UsageError as error:
                self.fail(str(error), param, ctx)
        return value


class Finite(click.FloatRange):
    """Numbers in a range: a range alone lets `nan` pass, which is neither below nor above its ends."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


PSNR = Finite(0, 200)
"""In dB."""

paper_field_option = click.option(
    "--field", type=click.Choice(list(RATES)), default="siren", show_default=True, help="ngp: Instant-NGP."
)


def options(*chosen: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, and the library's errors as messages."""

    def decorate(function: F) -> F:
        @wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except (NfcError, ValueError, OSError) as error:
                raise click.ClickException(str(error)) from error

        result: Any = guarded
        for option in reversed(chosen):
            result = option(result)
        return result

    return decorate


def refuse_given(names: Sequence[str], why: str) -> None:
    """Raise UsageError if the command line has one of these parameters of the command."""
    context = click.get_current_context()
    for param in context.command.params:
        if param.name in names and context.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{param.opts[0]} {why}")


def executor(processes: int, ray: str | None, device: str = "cpu") -> Executor:
    """Where the options want jobs to run; on Ray with a GPU each if they use one.

    Raises:
        UsageError: ray is not installed, or a GPU is asked for by its number, which is Ray's to choose.
    """
    if ray and device.startswith("cuda:"):
        raise UsageError(f"Ray chooses the GPU of each run: --device cuda, not {device}")
    return Ray(ray, int(device == "cuda")) if ray else Processes(processes) if processes > 1 else here


def chosen_pictures(
    sets: Sequence[str], images: int | None, data: Path | None, wanted: Sequence[str] = ()
) -> list[Picture]:
    """The pictures that the options name; says what they are.

    Args:
        wanted: of them only those with these names, if there are any.

    Raises:
        UsageError: one of the pictures wanted is not there.
    """
    chosen: list[Picture] = []
    for name in sets:
        found = datasets.without_small(datasets.find(name, datasets.data_folder(data)))
        click.echo(found.label + (f"; the first {images}" if images else ""), err=True)
        chosen += found.pictures[:images]
    names = [picture.name for picture in chosen]
    for each in wanted:
        if each not in names:
            raise UsageError(f"the set {', '.join(sets)} has no picture {each}; it has {', '.join(names)}")
    return [picture for picture in chosen if not wanted or picture.name in wanted]


def named_pictures(name: str, data: Path | None, *wanted: str) -> dict[str, Picture]:
    """The pictures of a set by their names, in the order of the set; all if none are named.

    Raises:
        UsageError: one of the pictures wanted is not there.
    """
    return {picture.name: picture for picture in chosen_pictures([name], None, data, wanted)}


def run_all(
    jobs: Sequence[tuple[Job, Picture]], store: Store, where: Executor = here, batch: int = 1,
    show: Callable[[Row], object] = lambda row: None,
) -> None:  # fmt: skip
    """Run the jobs that the store lacks, each once, up to `batch` companions in one program.

    Args:
        show: gets each new record.
    """
    jobs = list({job.key: (job, picture) for job, picture in jobs}.values())
    missing = [(job, picture) for job, picture in jobs if job.key not in store.keys]
    click.echo(f"{len(jobs)} runs, {len(jobs) - len(missing)} of them recorded already", err=True)
    run_calls(run_jobs, _calls(missing, batch, commit()), len(missing), store, where, show)


def run_calls(
    function: Callable[..., Sequence[Row]], calls: Iterable[tuple[Any, ...]], n_rows: int, store: Store,
    where: Executor = here, show: Callable[[Row], object] = lambda row: None,
) -> None:  # fmt: skip
    """Store what a function makes of some arguments, as it comes, and show how it goes on.

    Args:
        n_rows: that there will be.
        show: gets each new record.
    """
    try:
        with Show(n_rows) as progress, listening(progress.search):
            for rows in where(function, calls):
                for row in rows:
                    store.append(row)
                    progress.done(_line(row))
                    show(row)
    except KeyboardInterrupt:
        raise Interrupted(store.is_kept) from None


def _calls(jobs: Sequence[tuple[Job, Picture]], batch: int, commit: str) -> Iterator[tuple[Any, ...]]:
    for companions, group in itertools.groupby(jobs, lambda each: each[0].companions):
        for part in _parts(group, 1 if companions is None else batch):
            yield [job for job, _ in part], [job.load(picture.path) for job, picture in part], commit


def _parts(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while part := list(itertools.islice(iterator, size)):
        yield part


def _line(row: dict[str, Any]) -> str:
    """What a person wants to see of a record."""
    keys = (
        "codec",
        "setting",
        "point",
        "field",
        "family",
        "side",
        "transform",
        "steps",
        "log2_rate",
        "reached",
        "seconds",
        "bytes",
        "psnr_db",
        "over_peer",
        "encode_seconds",
    )
    cells = [f"{key} {row[key]}" for key in keys if key in row] + unusual(row)
    return ", ".join((f"{row['study']}, {row['dataset']} {row['image']}", *cells))
