"""Plots of what transforms take: best learning rates, and the codec's bytes and seconds."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from benchmarks.records.store import Row
from benchmarks.report.encode_groups import CodecSetup, ways
from benchmarks.report.grouping import Arms, ImageKey, Setup, known_first
from benchmarks.report.plot import COLOURS, FAINT, INK, Plot, count, drawn, label, plain_log


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Rows from the top down, named at the left, with lines between them."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    for boundary in range(1, len(names)):
        axes.axhline(boundary - 0.5, color=FAINT, linewidth=0.6)


def best_rates(setup: Setup, images: dict[ImageKey, Arms]) -> Plot | None:
    """How often each learning rate, to the nearest power of two, was the best, by transform."""
    counts = {
        chain: Counter(
            round(arms[chain]["log2_rate"]) for arms in images.values() if "log2_rate" in arms.get(chain, {})
        )
        for chain in known_first(images.values())
    }
    counts = {chain: counter for chain, counter in counts.items() if counter}
    if not counts:
        return None
    rates = sorted({rate for counter in counts.values() for rate in counter}, reverse=True)
    rates = list(range(rates[0] + 1, rates[-1] - 2, -1))

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for y, counter in enumerate(counts.values()):
            for rate, n in counter.items():
                x, share = rates.index(rate), n / counter.total()
                box = Rectangle((x - 0.48, y - 0.42), 0.96, 0.84, facecolor=COLOURS["none"], alpha=0.08 + 0.42 * share)
                axes.add_patch(box)
                axes.text(x, y, str(n), ha="center", va="center", fontsize=8.5)
        axes.set_xlim(-0.5, len(rates) - 0.5)
        axes.set_xticks(range(len(rates)), [f"{rate}".replace("-", "\u2212") for rate in rates])
        axes.tick_params(axis="x", length=0)
        _name_rows(axes, [label(chain) for chain in counts])
        axes.grid(visible=False)
        axes.set_xlabel("log₂ of the best learning rate")

    n_reached, n_runs = sum(map(Counter.total, counts.values())), sum(len(arms) for arms in images.values())
    n_images = len({key[:2] for key in images})
    caption = (
        f"With which learning rate each picture reached {setup.target_db:g} dB in the fewest steps: number of searches"
        f", one for each picture and seed. {setup.title}, {count(n_images, 'picture')}; {n_reached} of {n_runs} "
        f"searches arrived."
    )
    height = 0.8 + 0.29 * len(counts)
    return drawn(f"best-rates-{setup.name}", f"Best learning rates. {setup.title}", caption, draw, height_in=height)


def codec(setup: CodecSetup, rows: Sequence[Row]) -> Plot:
    """Bytes and seconds of whole encodes by transform."""
    chains = known_first([row["transform"]] for row in rows)
    each_way = ways(rows)
    found = sorted(set(each_way), key=lambda way: (chains.index(way.transform), way.family))
    n_images = len({(row["dataset"], row["image"]) for row in rows})

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, key, text in ((left, "bytes", "bytes"), (right, "encode_seconds", "seconds to encode")):
            plain_log(axes, "x", (1, 2, 5))
            for y, way in enumerate(found):
                mine = [row for row, its in zip(rows, each_way, strict=True) if its == way]
                _strip(axes, mine, lambda row, key=key: row[key], y)
            _name_rows(axes, [f"{label(way.transform)}, {way.family}" for way in found])
            axes.set_xlabel(text)

    caption = (
        f"What nfcodec encode makes and takes: {setup.title}; {count(n_images, 'picture')}, each a small mark (median "
        "of its repetitions and seeds; hollow where the PSNR was not reached), and the mean over them, a line."
    )
    caption += f" Machine: {setup.machine}." if setup.machine else ""
    height = 1.0 + 0.36 * len(found)
    return drawn(f"codec-{setup.name}", f"Bytes and seconds. {setup.title}", caption, draw, height_in=height)


def _strip(axes: Axes, rows: Sequence[Row], value: Callable[[Row], float], y: float) -> None:
    """A mark a picture, and their mean."""
    repetitions: dict[ImageKey, list[Row]] = {}
    for row in rows:
        repetitions.setdefault(ImageKey(row["dataset"], row["image"]), []).append(row)
    values: list[float] = []
    for same in repetitions.values():
        values.append(statistics.median(map(value, same)))
        face = COLOURS["none"] if all(row.get("reached", True) for row in same) else "none"
        axes.plot(values[-1], y, "o", markersize=4, markerfacecolor=face, markeredgecolor=COLOURS["none"], alpha=0.6)
    mean = statistics.fmean(values)
    axes.plot([mean, mean], [y - 0.3, y + 0.3], color=INK, linewidth=1.8)
