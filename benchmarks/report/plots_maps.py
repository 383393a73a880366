"""Plots that are pictures: loss planes, DCT spectra, and the gallery of transforms."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image

from benchmarks.data.pictures import Bytes, Reals
from benchmarks.records.store import Row
from benchmarks.report.grouping import Arms, ImageKey, Setup, known_first
from benchmarks.report.plot import COLOURS, Plot, count, drawn, label
from benchmarks.report.plots_dynamics import watched

POWER = 0.03
"""To which the paper raises magnitudes of the DCT, to show them."""

LEVELS = 14
_PLANES = (("plane_0_30", "start", "30 dB"), ("plane_30_50", "30 dB", "50 dB"))
_THUMBNAIL = 128
_COLUMNS = 4


def planes(setup: Setup, images: dict[ImageKey, Arms]) -> Plot | None:
    """Figure 5: the loss around the start, and the points at 30 and at 50 dB, of one picture."""
    keys = [key for key, _, _ in _PLANES]
    both, chains = watched(images, *keys)
    if not both:
        return None
    image, arms = next(iter(both.items()))

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(chains), 2, sharex=True, sharey=True)
        for column, (key, a, b) in enumerate(_PLANES):
            values = [np.maximum(np.array(arms[chain][key]["psnr_db"]), 0.0) for chain in chains]
            levels = _levels(values)
            filled = [
                _plane(grid[row, column], arms[chain][key], values[row], levels, (a, b))
                for row, chain in enumerate(chains)
            ]
            bar = figure.colorbar(
                filled[0], ax=list(grid[:, column]), location="bottom", shrink=0.9, aspect=30, pad=0.02
            )
            bar.set_label("PSNR in linear light, dB")
            bar.outline.set_visible(False)
            bar.set_ticks(levels[::2].tolist())
            grid[0, column].set_title(f"{a} to {b}")
        for row, chain in enumerate(chains):
            grid[row, 0].set_ylabel(f"{label(chain)}\nrandom direction")

    caption = (
        f"PSNR on planes through the weights of one fit ({image.title}): to the right the way between the two "
        "marked points, upwards a random direction of the same length, filter-normalised. Below 0 dB shown as 0. "
        f"{setup.title}."
    )
    title, height_in = f"Loss planes. {setup.title}", 0.6 + 3 * len(chains)
    return drawn(f"loss-planes-{setup.name}", title, caption, draw, height_in=height_in)


def _levels(values: Sequence[Reals]) -> Reals:
    """Boundaries of contours for all of these."""
    low, high = min(v.min() for v in values), max(v.max() for v in values)
    step = next((step for step in (1, 2, 4, 5, 10) if (high - low) / step <= LEVELS), 20)
    first, last = np.floor(low / step), np.ceil(high / step)
    return np.arange(first, max(last, first + 1) + 1) * step


def _plane(axes: Axes, plane: Row, values: Reals, levels: Reals, names: tuple[str, str]) -> ContourSet:
    filled = axes.contourf(plane["along"], plane["across"], values, levels=levels.tolist(), cmap="viridis")
    filled.set_edgecolor("face")  # or the ground shines through between contours
    filled.set_linewidth(0.3)
    axes.grid(visible=False)
    for x, name in zip((0, 1), names, strict=True):
        axes.plot(x, 0, "o", markersize=5.5, markerfacecolor="white", markeredgecolor="black", markeredgewidth=1)
        style = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
        axes.annotate(
            name, (x, 0), (0, 9), textcoords="offset points", ha="center", fontsize=8.5, color="black", bbox=style
        )
    axes.set_xticks([-0.5, 0, 0.5, 1, 1.5])
    axes.set_yticks([-1, 0, 1])
    return filled


def spectrum(setup: Setup, images: dict[ImageKey, Arms]) -> Plot | None:
    """Figure 3: the mean magnitude of the DCT."""
    both, chains = watched(images, "spectrum")
    shapes = {np.shape(arms[chain]["spectrum"]) for arms in both.values() for chain in chains}
    if len(shapes) != 1:
        return None
    means = {chain: np.mean([arms[chain]["spectrum"] for arms in both.values()], axis=0) ** POWER for chain in chains}
    bands = np.concatenate([mean.ravel()[1:] for mean in means.values()])  # the lowest would outshine the others
    positive = bands[bands > 0]
    if not positive.size:
        return None
    low, high = float(positive.min()), float(positive.max())

    columns = min(_COLUMNS, len(chains))
    rows = -(-len(chains) // columns)

    def draw(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        shown: list[AxesImage] = []
        for axes in grid.flat[len(chains) :]:
            axes.set_axis_off()
        for axes, chain in zip(grid.flat, chains, strict=False):
            axes.grid(visible=False)
            image = axes.imshow(
                means[chain], cmap="viridis", vmin=low, vmax=high, extent=(0, 1, 1, 0), interpolation="none"
            )
            shown.append(image)
            axes.set_title(label(chain))
            axes.set_xticks([0, 0.5, 1], ["0", "½", "1"])
            axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
            axes.set_xlabel("horizontal frequency" if columns < 3 else "horizontal")
        grid[0, 0].set_ylabel("vertical frequency")
        bar = figure.colorbar(shown[0], ax=list(grid.flat), shrink=0.8, aspect=22, pad=0.02, extend="max")
        bar.outline.set_visible(False)
        bar.set_label(f"magnitude to the power of {POWER:g}")

    caption = (
        f"Magnitude of the orthonormal DCT-II of what is fitted, in bands, mean over {count(len(both), 'picture')}, "
        f"raised to the power of {POWER:g}. Frequencies as parts of the highest. {setup.title}."
    )
    height_in = 3.7 if columns < 3 else 0.6 + 2 * rows
    return drawn(f"spectrum-{setup.name}", f"DCT spectrum. {setup.title}", caption, draw, height_in=height_in)


def galleries(rows: Iterable[Row]) -> list[Plot]:
    """Figure 2: each transform with its histogram, for the first picture of each side and seed."""
    first: dict[tuple[int, int], Row] = {}
    for row in sorted(
        (row for row in rows if row["study"] == "gallery"), key=lambda row: (row["dataset"], row["image"])
    ):
        first.setdefault((row["side"], row["seed"]), row)
    return [_gallery(row) for _, row in sorted(first.items()) if row["gallery"]]


def _gallery(row: Row) -> Plot:
    shown: dict[str, Row] = row["gallery"]
    chains = known_first([shown])
    n_rows = -(-len(chains) // _COLUMNS)

    def draw(figure: Figure) -> None:
        grid = figure.subplots(
            2 * n_rows, _COLUMNS, squeeze=False, height_ratios=(1.0, 0.42) * n_rows, gridspec_kw={"hspace": 0.06}
        )
        for axes in grid.flat:
            axes.set_visible(False)
        for i, chain in enumerate(chains):
            top, bottom = grid[i // _COLUMNS * 2, i % _COLUMNS], grid[i // _COLUMNS * 2 + 1, i % _COLUMNS]
            _thumbnail(top, chain, shown[chain]["picture"], f"thumbnail-{i}")
            _histogram(bottom, shown[chain])

    caption = (
        f"What each transform makes of {row['dataset']} {row['image']}, {row['side']} x {row['side']}, in linear light "
        "(shown stretched to black and white), and the histogram of its values."
    )
    name = f"gallery-{row['side']}" + (f"-seed{row['seed']}" if row["seed"] else "")
    title = f"Gallery of transforms. {row['side']} x {row['side']}"
    return drawn(name, title, caption, draw, height_in=0.2 + 2.55 * n_rows)


def _thumbnail(axes: Axes, chain: str, png_base64: str, gid: str) -> None:
    axes.set_visible(True)
    axes.imshow(thumbnail(png_base64), cmap="gray", vmin=0, vmax=255, interpolation="none", gid=gid)
    axes.set_title(label(chain))
    axes.set_axis_off()


def thumbnail(png_base64: str) -> Bytes:
    """Every n-th pixel of a gray picture: averages would make a permuted picture flat."""
    samples = np.asarray(Image.open(io.BytesIO(base64.b64decode(png_base64))).convert("L"))
    step = max(1, -(-max(samples.shape) // _THUMBNAIL))
    return samples[::step, ::step]


def _histogram(axes: Axes, entry: Row) -> None:
    axes.set_visible(True)
    edges = np.linspace(entry["lowest"], entry["highest"], len(entry["counts"]) + 1)
    axes.stairs(entry["counts"], edges, fill=True, color=COLOURS["none"], linewidth=0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)
    ends = [entry["lowest"], entry["highest"]]
    axes.set_xlim(*(ends if ends[0] < ends[1] else (ends[0] - 0.5, ends[0] + 0.5)))
    axes.set_xticks(ends, [f"{end:.2f}".replace("-", "\u2212") for end in ends])
    axes.tick_params(axis="x", length=2.5, labelsize=8)
    for tick, side in zip(axes.get_xticklabels(), ("left", "right"), strict=True):
        tick.set_horizontalalignment(side)
