"""Bits over a peer's at the very PSNRs that it published, on the pictures of which grids were made at these PSNRs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.figures.curves import BOTTOM, Axes, Drawn, Look, Place, Point, figure
from benchmarks.figures.rates import AUTO, DATASET, GRID, MEASURED, REFERENCE, WAVELET, of_kodak
from benchmarks.rates.curves import Curve
from benchmarks.rates.peers import counted_points, peers, points_of, settings_of
from benchmarks.records.store import Row
from benchmarks.report.peer_files import Ours, by_name
from benchmarks.report.rate_curves import curves_of

PEER = "cool-chic-5"
SHOWN = ("jxl", "webp", REFERENCE, WAVELET, AUTO, GRID)
DENSE = 4
"""Files of a picture without which no rate is read between them."""

LABEL_HEIGHT = 19
TICKS = {1.0: "equal", 1.2: "x 1.2", 1.5: "x 1.5", 2.0: "x 2", 2.5: "x 2.5", 3.0: "x 3"}


def over_peer(rows: Sequence[Row]) -> str:
    """A curve for each codec, times the bits of the peer, at each of its points that grids were run at.

    The pictures are those of which grids were made at all of these points, as far as a picture's points count: so a
    curve is about the same pictures wherever it can be. A codec is drawn at a point if it has all pictures there.

    Raises:
        ValueError: no picture has all these files of grids.
    """
    files = {ours.name: ours.counted() for ours in by_name(_of_peer(rows))}
    if GRID in files:
        files[GRID] = files[GRID].complete(counted_points(PEER))
    if GRID not in files or not files[GRID].files:
        raise ValueError(f"no picture has files of {GRID} at all PSNRs of {peers()[PEER]} at which there are any")
    curves = curves_of(of_kodak(rows), "psnr_db")
    pictures = {number: _pictures(files[GRID], number) for number in range(1, len(settings_of(PEER)) + 1)}
    pictures = {number: names for number, names in pictures.items() if names}
    places = {number: _mean_db(number, names) for number, names in pictures.items()}
    drawn: dict[str, tuple[Point, ...]] = {}
    for codec in SHOWN:
        ratios = {n: mean_ratio(files.get(codec), curves.get(codec, {}), n, names) for n, names in pictures.items()}
        drawn[codec] = tuple((places[number], ratio) for number, ratio in ratios.items() if ratio is not None)
    return _figure({codec: points for codec, points in drawn.items() if points}, pictures, places)


def _of_peer(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["study"] == "peer" and (row["dataset"], row["peer"]) == (DATASET, PEER)]


def _pictures(ours: Ours, number: int) -> list[str]:
    return [image for image, points in ours.files.items() if number in points]


def _mean_db(number: int, images: Sequence[str]) -> float:
    """Where a point is drawn: the mean of its PSNRs, to a tenth of a decibel."""
    return round(sum(points_of(PEER)[image][number - 1].psnr_db for image in images) / len(images), 1)


def mean_ratio(ours: Ours | None, curves: Mapping[str, Curve], number: int, images: Sequence[str]) -> float | None:
    """The geometric mean over the pictures of the bits over the peer's; None if one of them is missing.

    Of files that were made for the point, else read between the files of a codec at other PSNRs.
    """
    logs: list[float] = []
    for image in images:
        point = points_of(PEER)[image][number - 1]
        made = ours.files.get(image, {}).get(number) if ours else None
        curve = curves.get(image)
        between = curve.bpp_at(point.psnr_db) if curve is not None and len(curve.bpp) >= DENSE else None
        bpp = made["bpp"] if made else between
        if bpp is None:
            return None
        logs.append(math.log(bpp / point.bpp))
    return math.exp(sum(logs) / len(logs))


def _figure(
    drawn: Mapping[str, tuple[Point, ...]], pictures: Mapping[int, Sequence[str]], places: Mapping[int, float]
) -> str:
    title, low_db, high_db = peers()[PEER], min(places.values()) - 0.5, max(places.values()) + 0.5
    high = 1.05 * max(ratio for points in drawn.values() for _, ratio in points)
    axes = Axes(
        low_db, high_db, tuple(places.values()), 0.93, high,
        {value: words for value, words in TICKS.items() if value < high}, math.log,
        below={places[number]: f"{len(names)}" for number, names in pictures.items()}, meaning=("pictures",),
    )  # fmt: skip
    looks = {codec: MEASURED[codec] for codec in drawn}
    published = Look((f"{title} (published)",), "soft", 1.5, "2 4", "circle")
    curves = [Drawn(points, looks[codec], marks=points) for codec, points in drawn.items()]
    curves.append(Drawn(base := tuple((place, 1.0) for place in places.values()), published, marks=base))
    names = sorted({image for images in pictures.values() for image in images})
    listed = _listed(names, len(points_of(PEER)))
    return figure(
        f"Bits over those of {title} at its own PSNRs: less is better", axes, _labelled(axes, curves),
        (f"{listed}. At each point every picture has the very PSNR that",
         f"{title} published for it, with every codec. The mean PSNR and the number of",
         "pictures stand below it. Geometric means. AVIF, WebP and JPEG XL are read",
         "between their settings; so is wavelet where it was not run at that PSNR."),
    )  # fmt: skip


def _listed(images: Sequence[str], n_all: int) -> str:
    """Which pictures these are: "Kodak 2, 5 and 13"."""
    if len(images) == n_all:
        return f"All {n_all} Kodak pictures"
    numbers = [f"{int(name.removeprefix('kodim'))}" for name in images]
    return "Kodak " + " and ".join(filter(None, (", ".join(numbers[:-1]), numbers[-1])))


def _labelled(axes: Axes, curves: Sequence[Drawn]) -> list[Drawn]:
    """The curves with their labels to the right of their ends, moved where they would cover each other or the ticks."""
    ends = {curve: axes.at(curve.points[-1])[1] for curve in curves}
    order = sorted(ends, key=lambda curve: ends[curve])
    halves = {curve: LABEL_HEIGHT * len(curve.look.label) / 2 for curve in order}
    middles: dict[Drawn, float] = {}
    taken = 0.0
    for curve in order:
        middles[curve] = max(ends[curve] + 5, taken + halves[curve])
        taken = middles[curve] + halves[curve]
    free = float(BOTTOM + 5)
    for curve in reversed(order):
        middles[curve] = min(middles[curve], free - halves[curve])
        free = middles[curve] - halves[curve]
    return [replace(curve, place=Place(14, middles[curve] - ends[curve])) for curve in order]
