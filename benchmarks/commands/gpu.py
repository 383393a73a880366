"""`python -m benchmarks gpu`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from benchmarks.commands._shared import data_option, named_pictures, options, set_option
from benchmarks.speed.gpu import SECONDS, lacking, plan, run
from nfcodec.errors import EngineError
from nfcodec.fitting import engines


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for all results.")
@click.option(
    "--tinycudann",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="A checkout of tiny-cuda-nn with its submodules, to be built meanwhile.",
)
@click.option("--dry-run", is_flag=True, help="List the steps and run none.")
@click.option("--image", default="kodim05", show_default=True, metavar="NAME", help="Speed: the picture of the set.")
@options(data_option, set_option)
def gpu(out: Path, name: str, image: str, tinycudann: Path | None, dry_run: bool, data: Path | None) -> None:
    """Everything that needs a GPU, in eight minutes at most.

    These are tests, Table 1 at the paper's size, and speed. Each step has a limit. Its output is in a log of its name,
    and how it ended in steps.json. Records that a step wrote before it was stopped are kept, and a second run goes on
    from there.
    """
    pictures = ["--set", name, *(["--data", str(data)] if data else [])]
    reason = lacking(tinycudann)
    steps = plan(out, pictures, image, None if reason else tinycudann)
    if reason:
        click.echo(f"without tiny-cuda-nn: {reason}", err=True)
    for step in steps:
        where = ", beside the others" if step.background else ""
        click.echo(f"{step.name}: {step.what} (at most {step.limit} s{where})\n    python {shlex.join(step.command)}")
    if dry_run:
        return
    if not engines.has_cuda_device():
        raise EngineError("there is no CUDA device here; --dry-run lists what would run")
    named_pictures(name, data, image)
    done = run(steps, out, lambda line: click.echo(line, err=True), SECONDS)
    unfinished = [each.name for each in done if each.status is None]
    if unfinished:
        click.echo(f"not finished: {', '.join(unfinished)}; the same command goes on from what is recorded", err=True)
    if any(each.status for each in done):
        raise click.ClickException(f"some steps failed; their logs are in {out}")
