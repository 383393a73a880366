"""Plots of bytes against quality, one for each dataset."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks.rates.codecs import OURS
from benchmarks.rates.curves import mean_bpp_at, published
from benchmarks.records.store import Row
from benchmarks.report.plot import COLOURS, Plot, drawn, plain_log
from benchmarks.report.rate_curves import curves_of, datasets


def plots(rows: Sequence[Row]) -> list[Plot]:
    """One plot for each dataset: mean rate at each PSNR."""
    return [_plot(dataset, group) for dataset, group in datasets(rows).items()]


def _plot(dataset: str, rows: Sequence[Row]) -> Plot:
    by_codec = curves_of(rows, "psnr_db")
    n_images = len({row["image"] for row in rows})
    grid = np.arange(24.0, 52.01, 0.25)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        plain_log(axes, "x", (1, 2, 5))
        styles = itertools.cycle(itertools.product(("-", "-."), [*list(COLOURS.values())[:1:-1], "#e69f00", "#56b4e9"]))
        for codec, images in by_codec.items():
            points = [(mean_bpp_at(list(images.values()), psnr), psnr) for psnr in grid]
            points = [(bpp, psnr) for bpp, psnr in points if bpp is not None]
            ours = codec.startswith(OURS)
            line, colour = ("-", COLOURS["rpp"]) if ours else next(styles)
            if points:
                axes.plot(*zip(*points, strict=True), line, color=colour, linewidth=2.4 if ours else 1.4, label=codec)
        if dataset == "kodak":
            for (name, curve), dashes in zip(published().items(), itertools.count(1), strict=False):
                axes.plot(curve.bpp, curve.quality, ":", color="#888888", linewidth=0.9)
                axes.annotate(name, (curve.bpp[-1], curve.quality[-1]), (2, 2 * (dashes % 3)), fontsize=7,
                              textcoords="offset points", color="#888888")  # fmt: skip
        axes.set_xlabel("bits a pixel")
        axes.set_ylabel("PSNR in dB")
        figure.legend(loc="outside right upper")

    caption = f"Mean over {n_images} pictures of the rate at each PSNR." + (
        " Dotted: as others published it, 24 pictures." if dataset == "kodak" else ""
    )
    return drawn(f"rate-{dataset}", f"Bytes against quality: {dataset}", caption, draw, height_in=4.6)
