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


def plots(rows: Sequence[Row]) -> list[Plot]:
    """One or two plots for each dataset: mean rate at each PSNR, and at each SSIMULACRA2."""
    found: list[Plot | None] = []
    for dataset, group in datasets(rows).items():
        found += [_by_psnr(dataset, group), _by_score(dataset, group)]
    return [plot for plot in found if plot is not None]


def _by_psnr(dataset: str, rows: Sequence[Row]) -> Plot:
    curves = curves_of(rows, "psnr_db")
    kodak = dataset == "kodak"

    def draw(figure: Figure) -> None:
        axes = _axes(figure, "PSNR in dB")
        _curves(axes, curves, np.arange(22.0, 52.01, 0.25), MARK_EVERY_DB)
        for (name, curve), place in zip(published().items() if kodak else (), itertools.count(1), strict=False):
            axes.plot(curve.bpp, curve.quality, ":", marker=".", markersize=4, color="#888888", linewidth=0.9)
            axes.annotate(name, (curve.bpp[-1], curve.quality[-1]), (2, 2 * (place % 3)), fontsize=7,
                          textcoords="offset points", color="#888888")  # fmt: skip
        figure.legend(loc="outside lower center", ncols=3)

    n = sorted({len(images) for images in curves.values()})
    pictures = f"{n[0]}" if len(n) == 1 else f"{n[0]} to {n[-1]}"
    caption = (
        f"Mean over {pictures} pictures of the rate at each PSNR, where all of them get there; a marker every"
        f" {MARK_EVERY_DB:g} dB."
    )
    caption += " Dotted: as others published it, a marker for each of their settings, 24 pictures." if kodak else ""
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
        f"Mean of the rate at each SSIMULACRA2 over the {len(names)} pictures on which all of these codecs have it"
        f" ({', '.join(names)}); a marker every {MARK_EVERY_POINTS:g} points. Above 90 hardly anybody sees any"
        " difference."
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
