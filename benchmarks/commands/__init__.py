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
from benchmarks.commands.recheck import recheck
from benchmarks.commands.report import report
from benchmarks.commands.sample import sample
from benchmarks.commands.speed import speed
from benchmarks.commands.table import table
from benchmarks.commands.train import train


class InOrder(click.Group):
    """Lists its verbs in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the verbs."""
        return list(self.commands)


@click.group(cls=InOrder, context_settings={"max_content_width": 110, "help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure what transforms change about fits of neural fields, and what files of nfcodec take beside other codecs.

    \b
    python -m benchmarks analyze photo.png
    python -m benchmarks acceleration --field wire --side 128 --set photos --records wire.jsonl
    python -m benchmarks rate-distortion --set photos --records rates.jsonl
    python -m benchmarks report wire.jsonl rates.jsonl --out report

    Here photos is a folder of pictures. Most verbs append records to JSONL files, and `report` makes a page of them.
    Started again with the same options, a verb runs what its --records file lacks.
    """


for command in (
    analyze, download, acceleration, recheck, dynamics, agreement, rate_distortion, lossless, table, speed, report,
    figures, train, sample, gpu,
):  # fmt: skip
    main.add_command(command)
