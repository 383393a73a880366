"""Plots of bytes against quality for each dataset: by PSNR, and by SSIMULACRA2 where there are records of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.rates.codecs import OURS
from benchmarks.rates.curves import mean_bpp_at, published
from benchmarks.records.store import Row
from benchmarks.report.plot import COLOURS, Plot, drawn, plain_log
from benchmarks.report.rate_curves import Curves, curves_of, datasets, ours_first
from benchmarks.report.rate_measures import shared_curves

PALETTE = [*list(COLOURS.values())[:1:-1], "#e69f00", "#56b4e9", COLOURS["none"]]
MARKERS = ("o", "s", "^", "v", "D", "P", "X", "<", ">")
"""Of other codecs, and of ways to encode of ours: colours and lines repeat before the markers do."""

MARK_EVERY_DB, MARK_EVERY_POINTS = 2.0, 10.0
LOW_DB, HIGH_DB = 22.0, 52.0

GRAY = "#777777"
PUBLISHED = {
    "VTM": (0, -4, 3, "right"), "C3": (0, 4, 9, "left"), "Cool-chic 5": (-1, -4, -2, "right"),
    "RECOMBINER": (-1, 4, 6, "left"), "NIF25": (-1, 4, 6, "left"), "COIN": (-1, 4, 4, "left"),
}  # fmt: skip
"""Neural codecs and VTM: which end of the curve has the name, and how many points right and down of it and how."""


def plots(rows: Sequence[Row]) -> list[Plot]:
    """One or two plots for each dataset: mean rate at each PSNR, and at each SSIMULACRA2."""
    found: list[Plot | None] = []
    for dataset, group in datasets(rows).items():
        found += [_by_psnr(dataset, group), _by_score(dataset, group)]
    return [plot for plot in found if plot is not None]


def _by_psnr(dataset: str, rows: Sequence[Row]) -> Plot:
    """Of the codecs that have all pictures: means over different pictures cannot be compared."""
    by_codec = curves_of(rows, "psnr_db")
    n = max(map(len, by_codec.values()))
    curves = {codec: images for codec, images in by_codec.items() if len(images) == n}
    kodak = dataset == "kodak"

    def draw(figure: Figure) -> None:
        axes = _axes(figure, "PSNR in dB")
        _curves(axes, curves, np.arange(LOW_DB, HIGH_DB + 0.01, 0.25), MARK_EVERY_DB)
        for name, (end, right, down, anchor) in PUBLISHED.items() if kodak else ():
            curve = published()[name]
            axes.plot(curve.bpp, curve.quality, ":", marker=".", markersize=4, color=GRAY, linewidth=0.9)
            axes.annotate(name, (curve.bpp[end], curve.quality[end]), (right, -down), fontsize=7.5, ha=anchor,
                          textcoords="offset points", color=GRAY)  # fmt: skip
        axes.set_ylim(LOW_DB, HIGH_DB + 1)
        figure.legend(loc="outside lower center", ncols=3)

    caption = (
        f"Mean over {n} pictures of the rate at each PSNR, where all of them get there; a marker every"
        f" {MARK_EVERY_DB:g} dB."
    )
    caption += " Dotted: means that others published, 24 pictures at each of their settings." if kodak else ""
    return drawn(f"rate-{dataset}", f"Bytes against quality: {dataset}", caption, draw, height_in=5.4)


def _by_score(dataset: str, rows: Sequence[Row]) -> Plot | None:
    curves = shared_curves(curves_of(rows, "ssimulacra2"))
    if not curves:
        return None
    names = next(iter(curves.values()))

    def draw(figure: Figure) -> None:
        axes = _axes(figure, "SSIMULACRA2")
        _curves(axes, curves, np.arange(0.0, 100.01, 1.0), MARK_EVERY_POINTS)
        figure.legend(loc="outside lower center", ncols=3)

    caption = (
        f"Mean of the rate at each SSIMULACRA2 over {len(names)} pictures ({', '.join(names)}), of codecs that have"
        f" records with it on all of them; a marker every {MARK_EVERY_POINTS:g} points. Above 90 hardly anybody sees"
        " any difference."
    )
    title = f"Bytes against SSIMULACRA2: {dataset}"
    return drawn(f"rate-ssimulacra2-{dataset}", title, caption, draw, height_in=5.0)


def _axes(figure: Figure, quality: str) -> Axes:
    axes = figure.add_subplot()
    plain_log(axes, "x", (1, 2, 5))
    axes.set_xlabel("bits a pixel")
    axes.set_ylabel(quality)
    return axes


def _curves(axes: Axes, by_codec: Curves, grid: np.ndarray, mark_every: float) -> None:
    """Mean rates, ours as thick lines in one colour; a marker wherever the quality is a multiple of `mark_every`."""
    others = itertools.cycle(zip(itertools.cycle(PALETTE), MARKERS, strict=False))
    ours = itertools.cycle(MARKERS)
    for codec, images in sorted(by_codec.items(), key=ours_first):
        rates = [(mean_bpp_at(list(images.values()), quality), quality) for quality in grid]
        points = [(bpp, quality) for bpp, quality in rates if bpp is not None]
        colour, marker = (COLOURS["rpp"], next(ours)) if codec.startswith(OURS) else next(others)
        if points:
            marked = [i for i, (_, quality) in enumerate(points) if quality % mark_every == 0]
            axes.plot(*zip(*points, strict=True), color=colour, marker=marker, markersize=4.5, markevery=marked or None,
                      linewidth=2.4 if codec.startswith(OURS) else 1.4, label=codec)  # fmt: skip
