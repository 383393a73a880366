"""Figures for the documents: SVG files that are drawn by hand-written code, from records alone."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.figures.acceleration import acceleration
from benchmarks.figures.peers import over_peer
from benchmarks.figures.pipeline import pipeline
from benchmarks.figures.rates import absolute, relative
from benchmarks.records.store import Row


def figures(rows: Sequence[Row]) -> dict[str, str]:
    """All figures as SVG documents, by file name; the same bytes for the same records.

    Raises:
        ValueError: the records lack what a figure shows.
    """
    return {
        "acceleration.svg": acceleration(rows),
        "pipeline.svg": pipeline(),
        "rate-kodak.svg": absolute(rows),
        "rate-kodak-relative.svg": relative(rows),
        "rate-kodak-peer.svg": over_peer(rows),
    }
