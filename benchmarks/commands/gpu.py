"""`python -m benchmarks gpu`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from benchmarks.commands._shared import data_option, options
from benchmarks.speed.gpu import SECONDS, lacking, plan, run
from nfcodec.errors import EngineError
from nfcodec.fitting import engines

SAMPLE = Path(__file__).parents[1] / "data"


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for all results.")
@click.option("--set", "name", default=str(SAMPLE), metavar="NAME", help="Pictures; by default the sample picture.")
@click.option("--image", default="sample", show_default=True, metavar="NAME", help="Of the speed of engines.")
@click.option(
    "--tinycudann",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="A checkout of tiny-cuda-nn with its submodules, to be built meanwhile.",
)
@click.option("--dry-run", is_flag=True, help="List the steps and run none.")
@options(data_option)
def gpu(out: Path, name: str, image: str, tinycudann: Path | None, dry_run: bool, data: Path | None) -> None:
    """Everything that needs a GPU, in eight minutes at most: tests, Table 1 at the paper's size, and speed.

    Each step has a limit. Its output is in a log of its name, and how it ended in steps.json. Records that a step wrote
    before it was stopped are kept, and a second run goes on from there.
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
    done = run(steps, out, lambda line: click.echo(line, err=True), SECONDS)
    if any(each.status for each in done):
        raise click.ClickException(f"some steps failed; their logs are in {out}")
