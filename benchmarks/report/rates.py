"""The report on bytes against quality: a table and a plot for each dataset."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks.rates.codecs import OURS
from benchmarks.rates.curves import BD_METHOD, Curve, bd_rate, mean_bpp_at, published
from benchmarks.rates.rate_distortion import TARGETS_DB
from benchmarks.records.store import Row
from benchmarks.report.grouping import asked_field
from benchmarks.report.plot import COLOURS, Plot, drawn, plain_log
from benchmarks.report.table import Cell, Table

REFERENCES = ("webp", "avif", "avif-psnr")
"""What BD-rates are against."""

Curves = dict[str, dict[str, Curve]]
"""By codec and picture."""

NOTES = (
    "Bits a pixel of whole files, RGB PSNR at 8 bits: mean over pictures of the rates at that PSNR, interpolated"
    " linearly in log rate. A dash: not every picture gets there with the settings tried.",
    f"BD-rate: package bjontegaard, method {BD_METHOD}, for each picture over the common range of quality, then the"
    " mean; below 0 is better. Seconds: medians over files.",
)


SIZE_NOTES = (
    "Every picture in a file of at most that size: mean PSNR, and that of the picture with the lowest and the highest."
    " Published figures are such means over a configuration, too, read off their curves at the mean rate.",
)


def datasets(rows: Sequence[Row], target: str = "psnr") -> dict[str, list[Row]]:
    """The rows of the study by dataset, of ours those made for this kind of target."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["study"] == "rate" and row.get("target", "psnr") == target:
            found.setdefault(row["dataset"], []).append(row)
    return dict(sorted(found.items()))


def name_of(row: Row) -> str:
    """The codec, and what is not usual about it."""
    field = asked_field(row)
    more = [field] if field not in ("", "auto") else []
    more += [row["transform"]] if row["transform"] != "none" else []
    return " ".join([row["codec"], *more, f"-e {row['effort']}"] if row["codec"] == OURS else [row["codec"]])


def curves_of(rows: Sequence[Row], quality: str) -> Curves:
    """Curves over a measure: "psnr_db" or "ms_ssim"."""
    points: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        if row[quality] is not None:
            points.setdefault(name_of(row), {}).setdefault(row["image"], []).append((row["bpp"], row[quality]))
    return {codec: {image: Curve.of(each) for image, each in images.items()} for codec, images in points.items()}


def tables(rows: Sequence[Row]) -> list[Table]:
    """One table for each dataset, and one more for files made for a size."""
    return [
        *(_table(dataset, group) for dataset, group in datasets(rows).items()),
        *(_size_table(dataset, group) for dataset, group in datasets(rows, "bpp").items()),
    ]


def _table(dataset: str, rows: Sequence[Row]) -> Table:
    by_psnr, by_ssim = curves_of(rows, "psnr_db"), curves_of(rows, "ms_ssim")
    lines: list[tuple[Cell, ...]] = []
    for codec, images in by_psnr.items():
        mine = [row for row in rows if name_of(row) == codec]
        rates = (mean_bpp_at(list(images.values()), target) for target in TARGETS_DB)
        compared = (
            _mean_bd_rate(measured.get(reference, {}), measured.get(codec, {}))
            for measured in (by_psnr, by_ssim)
            for reference in REFERENCES
        )
        seconds = (statistics.median(row[key] for row in mine) for key in ("encode_seconds", "decode_seconds"))
        lines.append((codec, len(images), *rates, *compared, *seconds))
    if dataset == "kodak":
        for name, curve in published().items():
            rates = (curve.bpp_at(target) for target in TARGETS_DB)
            lines.append((f"{name}, published", 24, *rates, *[None] * (2 * len(REFERENCES) + 2)))
    columns = ("codec", "n", *(f"bpp at {target:g} dB" for target in TARGETS_DB),
               *(f"BD-rate over {name}, %" for name in REFERENCES),
               *(f"by MS-SSIM over {name}, %" for name in REFERENCES), "encode s", "decode s")  # fmt: skip
    return Table(f"rate-{dataset}", f"Bytes against quality: {dataset}", columns, tuple(lines), NOTES)


def _size_table(dataset: str, rows: Sequence[Row]) -> Table:
    lines: list[tuple[Cell, ...]] = []
    for codec, setting in sorted({(name_of(row), row["setting"]) for row in rows}):
        mine = [row for row in rows if (name_of(row), row["setting"]) == (codec, setting)]
        psnrs_db, bpp = [row["psnr_db"] for row in mine], statistics.mean(row["bpp"] for row in mine)
        seconds = (statistics.median(row[key] for row in mine) for key in ("encode_seconds", "decode_seconds"))
        lines.append(
            (codec, len(mine), setting, bpp, statistics.mean(psnrs_db), min(psnrs_db), max(psnrs_db), *seconds)
        )
        for name, curve in published().items() if dataset == "kodak" else ():
            if (psnr_db := curve.quality_at(bpp)) is not None:
                lines.append((f"{name}, published", 24, None, bpp, psnr_db, None, None, None, None))
    columns = ("codec", "n", "at most", "bpp", "PSNR in dB", "lowest", "highest", "encode s", "decode s")
    return Table(f"size-{dataset}", f"Quality in a size: {dataset}", columns, tuple(lines), SIZE_NOTES)


def _mean_bd_rate(reference: dict[str, Curve], test: dict[str, Curve]) -> float | None:
    """Over the pictures that both have."""
    found = [bd_rate(reference[image], test[image]) for image in test if image in reference]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known and reference is not test else None


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
