"""The suite's command line, a file a verb."""

from __future__ import annotations

import click

from benchmarks.commands.acceleration import acceleration
from benchmarks.commands.agreement import agreement
from benchmarks.commands.analyze import analyze
from benchmarks.commands.download import download
from benchmarks.commands.dynamics import dynamics
from benchmarks.commands.figures import figures
from benchmarks.commands.gpu import gpu
from benchmarks.commands.lossless import lossless
from benchmarks.commands.rate_distortion import rate_distortion
from benchmarks.commands.report import report
from benchmarks.commands.sample import sample
from benchmarks.commands.speed import speed
from benchmarks.commands.table import table
from benchmarks.commands.train import train


@click.group(context_settings={"max_content_width": 110, "help_option_names": ["-h", "--help"]})
def main() -> None:
    """Benchmarks of nfcodec. Most verbs append records to JSONL files; `report` makes tables, plots and a page of them.

    A record has a key: started again with the same options, a verb runs what its --records file lacks.
    """


for command in (
    download, acceleration, agreement, dynamics, rate_distortion, lossless, table, speed, report, figures, analyze,
    train, sample, gpu,
):  # fmt: skip
    main.add_command(command)
