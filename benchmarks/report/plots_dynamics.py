"""Plots of how fits go, original against RPP: PSNR by step, variance of the squared error, the loss barrier."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MultipleLocator

from benchmarks.data.pictures import Reals
from benchmarks.paper import published
from benchmarks.report.estimates import interval
from benchmarks.report.grouping import Arms, ImageKey, Setup, having
from benchmarks.report.plot import COLOURS, INK, Plot, count, drawn, label, plain_log

PAIR = ("none", "rpp")
"""The transforms that the paper compares in detail."""

_GRID_POINTS = 200


def curves(setup: Setup, images: dict[ImageKey, Arms]) -> Plot | None:
    """Figure 4: PSNR against step."""
    both = having(images, PAIR, "curve")
    lines = {chain: [_curve(arms[chain]["curve"]) for arms in both.values()] for chain in PAIR}
    if not both or any(not len(steps) for group in lines.values() for steps, _ in group):
        return None
    last = max(steps[-1] for group in lines.values() for steps, _ in group)
    grid = np.geomspace(1, last, _GRID_POINTS)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for chain in PAIR:
            # np.interp holds the last value, so a picture that has arrived stays in the mean
            whole = [np.interp(np.log(grid), np.log(steps), values) for steps, values in lines[chain]]
            _thin_and_thick(axes, lines[chain], (grid, np.mean(whole, axis=0)), chain)
        plain_log(axes, "x")
        axes.set_xlim(1, last * 1.05)
        axes.set_ylim(max(0.0, axes.get_ylim()[0]), axes.get_ylim()[1])
        axes.axhline(setup.target_db, color=INK, linewidth=0.7, linestyle=(0, (4, 3)))
        axes.set_xlabel("step")
        axes.set_ylabel("PSNR in linear light, dB")
        axes.legend(handles=_pair_handles(), loc="lower right")

    caption = (
        f"PSNR on the way to {setup.target_db:g} dB, at the best learning rate of each. {setup.title}, "
        f"{count(len(both), 'picture')} (thin) and their mean at each step (thick), to which a picture that has "
        "arrived counts with its last PSNR."
    )
    title = f"PSNR by step. {setup.title}"
    return drawn(f"psnr-by-step-{setup.name}", title, caption, draw, height_in=3.9)


def _curve(points: Sequence[Sequence[float]]) -> tuple[Reals, Reals]:
    """Steps from 1 on, for a logarithmic axis, and PSNRs."""
    values = np.array([point for point in points if point[0] >= 1], dtype=np.float64).reshape(-1, 2)
    return values[:, 0], values[:, 1]


def _thin_and_thick(axes: Axes, lines: Sequence[tuple[Reals, Reals]], mean: tuple[Reals, Reals], chain: str) -> None:
    if len(lines) > 1:
        for xs, ys in lines:
            axes.plot(xs, ys, color=COLOURS[chain], linewidth=0.6, alpha=0.35)
    axes.plot(*mean, color=COLOURS[chain], linewidth=2.2)


def _pair_handles(*more: Line2D) -> list[Line2D]:
    return [*(Line2D([], [], color=COLOURS[chain], linewidth=2.2, label=label(chain)) for chain in PAIR), *more]


def _hollow(text: str) -> Line2D:
    return Line2D([], [], marker="o", linestyle="", markerfacecolor="none", markeredgecolor=INK, label=text)


def error_variance(setup: Setup, images: dict[ImageKey, Arms]) -> Plot | None:
    """Table 3 as a plot: variance over pixels of the squared error when a PSNR is first reached."""
    key = "squared_error_variance"
    both = having(images, PAIR, key)
    levels = sorted({db for a in both.values() for db in a["none"][key].keys() & a["rpp"][key].keys()}, key=int)
    if not levels:
        return None
    values = {
        chain: {db: [a[chain][key][db] for a in both.values() if all(db in a[c][key] for c in PAIR)] for db in levels}
        for chain in PAIR
    }
    papers = setup.field == "siren"

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for i, chain in enumerate(PAIR):
            for x, db in enumerate(levels):
                at = x + (i - 0.5) * 0.26
                _variance_mark(axes, at, values[chain][db], chain)
                if papers and db in published.VARIANCE[chain]:
                    axes.plot(
                        at + 0.07, published.VARIANCE[chain][db], "os"[i], markersize=6.5, markerfacecolor="none",
                        markeredgecolor=COLOURS[chain],
                    )  # fmt: skip
        plain_log(axes, "y")
        axes.set_xticks(range(len(levels)), [f"{db} dB" for db in levels])
        axes.set_xlim(-0.6, len(levels) - 0.4)
        axes.tick_params(axis="x", length=0)
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("variance of the squared error")
        marks = [
            Line2D([], [], marker=marker, color=COLOURS[chain], linewidth=1.6, markersize=5.5, label=label(chain))
            for marker, chain in zip("os", PAIR, strict=True)
        ]
        axes.legend(handles=[*marks, _hollow("paper")] if papers else marks, loc="upper right")

    caption = (
        "Variance over pixels of the squared error, in linear light, when a PSNR is first reached: mean over pictures "
        f"with 95 % bootstrap intervals. {setup.title}, {count(len(both), 'picture')}. The lower, the more evenly the "
        "error is spread."
    )
    if papers:
        caption += " Hollow: the paper, SIREN 512 wide on Kodak at 512 x 512."
    title = f"Variance of the squared error. {setup.title}"
    return drawn(f"error-variance-{setup.name}", title, caption, draw, height_in=3.9)


def _variance_mark(axes: Axes, x: float, values: Sequence[float], chain: str) -> None:
    low, high = interval(np.array(values))
    if math.isfinite(low):
        axes.plot([x, x], [low, high], color=COLOURS[chain], linewidth=1.6, solid_capstyle="round")
    marker = "os"[PAIR.index(chain)]
    axes.plot(x, np.mean(values), marker, markersize=5.5, color=COLOURS[chain], markeredgewidth=0)


def barrier(setup: Setup, images: dict[ImageKey, Arms]) -> Plot | None:
    """Figure 6: PSNR along the straight line from the weights at 30 dB to those at 50 dB."""
    both = having(images, PAIR, "line")
    if not both:
        return None
    lines = {chain: [np.array(arms[chain]["line"]) for arms in both.values()] for chain in PAIR}
    lowest = {chain: float(np.mean([line.min() for line in group])) for chain, group in lines.items()}
    papers = setup.field == "siren"

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for chain in PAIR:
            pairs = [(np.linspace(0, 1, len(line)), line) for line in lines[chain]]
            mean = np.mean([np.interp(pairs[0][0], xs, ys) for xs, ys in pairs], axis=0)
            _thin_and_thick(axes, pairs, (pairs[0][0], mean), chain)
            at = float(np.mean([xs[int(ys.argmin())] for xs, ys in pairs]))
            _lowest_marks(axes, at, lowest[chain], published.LOWEST_ON_LINE_DB[chain] if papers else None, chain)
        axes.set_xlim(0, 1)
        axes.set_ylim(max(-20.0, axes.get_ylim()[0] - 2), axes.get_ylim()[1])
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["weights at 30 dB", "¼", "½", "¾", "weights at 50 dB"])
        axes.yaxis.set_major_locator(MultipleLocator(10))
        axes.set_ylabel("PSNR in linear light, dB")
        axes.legend(handles=_pair_handles(*([_hollow("paper's lowest")] if papers else [])), loc="upper left")

    caption = (
        "PSNR along the straight line between the weights when 30 dB and when 50 dB is first reached. "
        f"{setup.title}, {count(len(both), 'picture')} (thin) and their mean (thick). The lowest PSNR of each "
        f"picture's line is {_of_both(lowest)}, in the mean over pictures (dots)."
    )
    if papers:
        caption += f" The paper, SIREN 512 wide on Kodak: {_of_both(published.LOWEST_ON_LINE_DB)} (hollow)."
    return drawn(f"barrier-{setup.name}", f"Loss barrier. {setup.title}", caption, draw, height_in=3.9)


def _lowest_marks(axes: Axes, x: float, ours_db: float, papers_db: float | None, chain: str) -> None:
    axes.plot(x, ours_db, "o", markersize=6, color=COLOURS[chain], markeredgewidth=0, clip_on=False, zorder=3)
    below = -10 if chain == "none" else 10
    axes.annotate(
        f"{ours_db:.1f}", (x, ours_db), (7, below), textcoords="offset points", va="center", fontsize=8.5,
        color=COLOURS[chain],
    )  # fmt: skip
    if papers_db is not None:
        axes.plot(
            x, papers_db, "o", markersize=6.5, markerfacecolor="none", markeredgecolor=COLOURS[chain], clip_on=False,
            zorder=3,
        )  # fmt: skip


def _of_both(values_db: Mapping[str, float]) -> str:
    return " and ".join(f"{values_db[chain]:.1f} dB for {label(chain)}" for chain in PAIR)
