"""Plots of how fits go, the picture as it is against transforms: PSNR by step, error variance, the loss barrier."""

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
from benchmarks.report.grouping import Arms, ImageKey, Setup
from benchmarks.report.plot import COLOURS, INK, Plot, count, drawn, label, plain_log

_GRID_POINTS = 200

_MARKERS = "osD^vP"

_MORE = ("#e69f00", "#56b4e9")
"""Colours besides those that the page changes in the dark."""

CURVES = len(COLOURS) + len(_MORE)
"""Transforms whose curves one plot shows: each has a colour of its own."""


def watched(images: Mapping[ImageKey, Arms], *keys: str) -> tuple[dict[ImageKey, Arms], tuple[str, ...]]:
    """The pictures and the transforms to be compared, by the results that records have.

    The pictures are those of the transform that most pictures have beside "none", RPP where several have as many; the
    transforms are "none" and all that these pictures have.
    """
    found: dict[str, set[ImageKey]] = {}
    for image, arms in images.items():
        having = [chain for chain, row in arms.items() if all(key in row for key in keys)]
        for chain in having if "none" in having else ():
            if chain != "none":
                found.setdefault(chain, set()).add(image)
    if not found:
        return {}, ()
    most = max(found, key=lambda chain: (len(found[chain]), chain == "rpp", chain))
    others = sorted(chain for chain in found if found[chain] >= found[most])
    chains = ("none", *sorted(others, key=lambda chain: chain != "rpp"))
    return {image: arms for image, arms in images.items() if image in found[most]}, chains


def _colours(chains: Sequence[str]) -> dict[str, str]:
    """Of the transforms of one plot; where there are more than colours, some come again."""
    others = [*(colour for chain, colour in COLOURS.items() if chain not in ("none", "rpp")), *_MORE]
    rest = [chain for chain in chains if chain not in COLOURS]
    return {**COLOURS, **{chain: others[i % len(others)] for i, chain in enumerate(rest)}}


def curves(setup: Setup, images: dict[ImageKey, Arms]) -> Plot | None:
    """Figure 4: PSNR against step, of `CURVES` transforms at most."""
    both, every = watched(images, "curve")
    chains = _clearest(both, every)
    lines = {chain: [_curve(arms[chain]["curve"]) for arms in both.values()] for chain in chains}
    if not both or any(not len(steps) for group in lines.values() for steps, _ in group):
        return None
    last = max(steps[-1] for group in lines.values() for steps, _ in group)
    grid = np.geomspace(1, last, _GRID_POINTS)

    def draw(figure: Figure) -> None:
        axes, colours = figure.add_subplot(), _colours(chains)
        for chain in chains:
            # np.interp holds the last value, so a picture that has arrived stays in the mean
            whole = [np.interp(np.log(grid), np.log(steps), values) for steps, values in lines[chain]]
            _thin_and_thick(axes, lines[chain], (grid, np.mean(whole, axis=0)), colours[chain])
        plain_log(axes, "x")
        axes.set_xlim(1, last * 1.05)
        axes.set_ylim(max(0.0, axes.get_ylim()[0]), axes.get_ylim()[1])
        axes.axhline(setup.target_db, color=INK, linewidth=0.7, linestyle=(0, (4, 3)))
        axes.set_xlabel("step")
        axes.set_ylabel("PSNR in linear light, dB")
        axes.legend(handles=_handles(chains), loc="lower right")

    caption = (
        f"PSNR on the way to {setup.target_db:g} dB, at the best learning rate of each. {setup.title}, "
        f"{count(len(both), 'picture')} (thin) and their mean at each step (thick), to which a picture that has "
        "arrived counts with its last PSNR."
    )
    if len(chains) < len(every):
        caption += f" Of {len(every) - 1} transforms, RPP and those with the fewest steps on average."
    title = f"PSNR by step. {setup.title}"
    return drawn(f"psnr-by-step-{setup.name}", title, caption, draw, height_in=3.9)


def _clearest(images: Mapping[ImageKey, Arms], chains: tuple[str, ...]) -> tuple[str, ...]:
    """Of more than `CURVES` transforms "none", RPP and those that take the fewest steps on average."""
    if len(chains) <= CURVES:
        return chains
    steps = {chain: np.mean([arms[chain]["curve"][-1][0] for arms in images.values()]) for chain in chains}
    first = [chain for chain in ("none", "rpp") if chain in steps]
    others = sorted(steps.keys() - set(first), key=lambda chain: (steps[chain], chain))
    return (*first, *others[: CURVES - len(first)])


def _curve(points: Sequence[Sequence[float]]) -> tuple[Reals, Reals]:
    """Steps from 1 on, for a logarithmic axis, and PSNRs."""
    values = np.array([point for point in points if point[0] >= 1], dtype=np.float64).reshape(-1, 2)
    return values[:, 0], values[:, 1]


def _thin_and_thick(axes: Axes, lines: Sequence[tuple[Reals, Reals]], mean: tuple[Reals, Reals], colour: str) -> None:
    if len(lines) > 1:
        for xs, ys in lines:
            axes.plot(xs, ys, color=colour, linewidth=0.6, alpha=0.35)
    axes.plot(*mean, color=colour, linewidth=2.2)


def _handles(chains: Sequence[str], *more: Line2D) -> list[Line2D]:
    colours = _colours(chains)
    return [*(Line2D([], [], color=colours[chain], linewidth=2.2, label=label(chain)) for chain in chains), *more]


def _hollow(text: str) -> Line2D:
    return Line2D([], [], marker="o", linestyle="", markerfacecolor="none", markeredgecolor=INK, label=text)


def error_variance(setup: Setup, images: dict[ImageKey, Arms]) -> Plot | None:
    """Table 3 as a plot: variance over pixels of the squared error when a PSNR is first reached."""
    key = "squared_error_variance"
    both, chains = watched(images, key)
    shared = [{db for db in arms["none"][key] if all(db in arms[c][key] for c in chains)} for arms in both.values()]
    levels = sorted(set[str]().union(*shared), key=int)
    if not levels:
        return None
    at_level = {db: [a for a, dbs in zip(both.values(), shared, strict=True) if db in dbs] for db in levels}
    values = {chain: {db: [arms[chain][key][db] for arms in at_level[db]] for db in levels} for chain in chains}
    papers = setup.field == "siren"

    def draw(figure: Figure) -> None:
        axes, colours = figure.add_subplot(), _colours(chains)
        looks = {chain: (_MARKERS[i % len(_MARKERS)], colours[chain]) for i, chain in enumerate(chains)}
        for i, chain in enumerate(chains):
            for x, db in enumerate(levels):
                at = x + (i - (len(chains) - 1) / 2) * 0.52 / len(chains)
                _variance_mark(axes, at, values[chain][db], *looks[chain])
                if papers and db in published.VARIANCE.get(chain, {}):
                    axes.plot(
                        at + 0.07, published.VARIANCE[chain][db], looks[chain][0], markersize=6.5,
                        markerfacecolor="none", markeredgecolor=colours[chain],
                    )  # fmt: skip
        plain_log(axes, "y")
        axes.set_xticks(range(len(levels)), [f"{db} dB" for db in levels])
        axes.set_xlim(-0.6, len(levels) - 0.4)
        axes.tick_params(axis="x", length=0)
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("variance of the squared error")
        marks = [
            Line2D([], [], marker=marker, color=colour, linewidth=1.6, markersize=5.5, label=label(chain))
            for chain, (marker, colour) in looks.items()
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


def _variance_mark(axes: Axes, x: float, values: Sequence[float], marker: str, colour: str) -> None:
    low, high = interval(np.array(values))
    if math.isfinite(low):
        axes.plot([x, x], [low, high], color=colour, linewidth=1.6, solid_capstyle="round")
    axes.plot(x, np.mean(values), marker, markersize=5.5, color=colour, markeredgewidth=0)


def barrier(setup: Setup, images: dict[ImageKey, Arms]) -> Plot | None:
    """Figure 6: PSNR along the straight line from the weights at 30 dB to those at 50 dB."""
    both, chains = watched(images, "line")
    if not both:
        return None
    lines = {chain: [np.array(arms[chain]["line"]) for arms in both.values()] for chain in chains}
    lowest = {chain: float(np.mean([line.min() for line in group])) for chain, group in lines.items()}
    papers = setup.field == "siren"

    def draw(figure: Figure) -> None:
        axes, colours = figure.add_subplot(), _colours(chains)
        for chain in chains:
            pairs = [(np.linspace(0, 1, len(line)), line) for line in lines[chain]]
            mean = np.mean([np.interp(pairs[0][0], xs, ys) for xs, ys in pairs], axis=0)
            _thin_and_thick(axes, pairs, (pairs[0][0], mean), colours[chain])
            at = float(np.mean([xs[int(ys.argmin())] for xs, ys in pairs]))
            papers_db = published.LOWEST_ON_LINE_DB.get(chain) if papers else None
            _lowest_marks(axes, at, lowest[chain], papers_db, colours[chain], above=chain != "none")
        axes.set_xlim(0, 1)
        axes.set_ylim(max(-20.0, axes.get_ylim()[0] - 2), axes.get_ylim()[1])
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["weights at 30 dB", "¼", "½", "¾", "weights at 50 dB"])
        axes.yaxis.set_major_locator(MultipleLocator(10))
        axes.set_ylabel("PSNR in linear light, dB")
        axes.legend(handles=_handles(chains, *([_hollow("paper's lowest")] if papers else [])), loc="upper left")

    caption = (
        "PSNR along the straight line between the weights when 30 dB and when 50 dB is first reached. "
        f"{setup.title}, {count(len(both), 'picture')} (thin) and their mean (thick). The lowest PSNR of each "
        f"picture's line is {_of_both(lowest)}, in the mean over pictures (dots)."
    )
    if papers:
        caption += f" The paper, SIREN 512 wide on Kodak: {_of_both(published.LOWEST_ON_LINE_DB)} (hollow)."
    return drawn(f"barrier-{setup.name}", f"Loss barrier. {setup.title}", caption, draw, height_in=3.9)


def _lowest_marks(
    axes: Axes, x: float, ours_db: float, papers_db: float | None, colour: str, *, above: bool
) -> None:  # fmt: skip
    axes.plot(x, ours_db, "o", markersize=6, color=colour, markeredgewidth=0, clip_on=False, zorder=3)
    axes.annotate(
        f"{ours_db:.1f}", (x, ours_db), (7, 10 if above else -10), textcoords="offset points", va="center",
        fontsize=8.5, color=colour,
    )  # fmt: skip
    if papers_db is not None:
        axes.plot(
            x, papers_db, "o", markersize=6.5, markerfacecolor="none", markeredgecolor=colour, clip_on=False,
            zorder=3,
        )  # fmt: skip


def _of_both(values_db: Mapping[str, float]) -> str:
    *before, last = (f"{value:.1f} dB for {label(chain)}" for chain, value in values_db.items())
    return f"{', '.join(before)} and {last}"
