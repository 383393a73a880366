"""The report on files made at the very PSNRs that a peer has published: by point, by picture, and over AVIF."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.rates.curves import Curve, bd_rate_within
from benchmarks.rates.peers import LOWEST_DB, counted_points, peers, points_of, settings_of
from benchmarks.records.store import Row
from benchmarks.report import peer_measures
from benchmarks.report.machines import machines
from benchmarks.report.peer_files import (
    Ours,
    Ratios,
    arithmetic,
    by_name,
    extreme,
    geometric,
    over_curves,
    over_ours,
    over_peer,
)
from benchmarks.report.rate_curves import curves_of, datasets, families
from benchmarks.report.table import Cell, Table

REFERENCE = "avif-psnr"
RANGE_DB = (30.0, 40.0)
AT_DB = 32.0
ENOUGH = 3
"""Files of a picture without which no rate is read between them, because they are too far apart."""

MEANS_NOTE = (
    "Geometric means over pictures, of each picture over its files [95 % bootstrap interval over pictures]; below 0 is"
    " better. Rows about different pictures must not be compared with each other."
)
CURVES_NOTE = (
    "Rates of AVIF are read between its settings by a monotone cubic in log rate. Those of ours at {at:g} dB are"
    " read in the same way between the files of a picture, if it has at least {enough}. A BD-rate takes at least four"
    " files of a picture, and that they cover half of the range."
)


def tables(rows: Sequence[Row]) -> list[Table]:
    """For each dataset and peer: by point, over AVIF, by measure, ways to encode over each other, and by picture."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["study"] == "peer":
            groups.setdefault((row["dataset"], row["peer"]), []).append(row)
    found: list[Table | None] = []
    for (dataset, peer), group in sorted(groups.items()):
        ours = by_name(group)
        rates = datasets(rows).get(dataset, [])
        avif = curves_of(rates, "psnr_db").get(REFERENCE, {})
        found += [_by_point(dataset, peer, ours, avif), _over_avif(dataset, peer, ours, avif)]
        found += [peer_measures.table(dataset, peer, ours, rates)]
        found += [_over_each_other(dataset, peer, ours), _by_picture(dataset, peer, ours, avif)]
    return [table for table in found if table is not None]


def _by_point(dataset: str, peer: str, ours: Sequence[Ours], avif: Mapping[str, Curve]) -> Table | None:
    """Bits over the peer's at each of its settings that was run, and at all of these together."""
    title, published = peers()[peer], counted_points(peer)
    lines: list[tuple[Cell, ...]] = []
    for each in (each.counted() for each in ours):
        for number, setting in enumerate(settings_of(peer), 1):
            here = each.where(lambda _, row, number=number: row["point"] == number)
            n = sum(number in points for points in published.values())
            lines += _point_line(f"{number}, {setting}", here, n, avif)
        if len(each.numbers) > 1:
            label = f"{', '.join(map(str, each.numbers))} together"
            lines += _point_line(label, each.complete(published), len(published), avif)
    columns = (
        "codec", "family used", "point", "pictures", "files", f"bits over {title}", "least", "most",
        "bits over AVIF tuned for PSNR", "least", "most", "targets in dB", "PSNR reached", "mean excess in dB",
        "encode s, median", "most", "decode s, median", "most", "encode MB, most",
    )  # fmt: skip
    notes = (
        f"Each file was made for the very PSNR of a point that {title} has published for the picture, so nothing is"
        f" interpolated. Points below {LOWEST_DB:g} dB are left out. {MEANS_NOTE}",
        "`pictures` says of how many pictures that have such a point there are records. A row of several points"
        " together is about those pictures alone of which every one of these points is recorded that is not left out.",
        "Our files end a little above their targets, by the mean excess, which is not corrected in their favour. Files"
        " that did not reach the PSNR stay in the means, and flatter them.",
        f"AVIF is `{REFERENCE}`, at the PSNR that our file has, read between its settings by a monotone cubic in"
        " log rate. Files at a PSNR at which it was not run are left out there.",
        *_abouts(ours, len(published)),
        f"Seconds and memory are of whole processes, start-up included. {machines([r for o in ours for r in o.rows])}",
    )
    name = f"peer-{peer}-{dataset}"
    return (
        Table(name, f"Bits over {title} at its own PSNRs: {dataset}", columns, tuple(lines), notes) if lines else None
    )


def _point_line(point: str, ours: Ours, n_published: int, avif: Mapping[str, Curve]) -> list[tuple[Cell, ...]]:
    """One line, or none without files."""
    rows, over_avif = ours.rows, over_curves(ours, avif)
    if not rows:
        return []
    targets_db, excess_db = [row["target_db"] for row in rows], [row["psnr_db"] - row["target_db"] for row in rows]
    encodes, decodes = ([row[key] for row in rows] for key in ("encode_seconds", "decode_seconds"))
    return [(
        ours.name, families(rows), point, f"{len(ours.files)} of {n_published}", len(rows), *_ratios(over_peer(ours)),
        *_ratios(over_avif), f"{min(targets_db):.1f} to {max(targets_db):.1f}",
        f"{sum(row['reached'] for row in rows)} of {len(rows)}", f"{np.mean(excess_db):.3f}",
        float(np.median(encodes)), max(encodes), float(np.median(decodes)), max(decodes),
        round(max(row["MB"] for row in rows)),
    )]  # fmt: skip


def _ratios(ratios: Ratios) -> tuple[Cell, Cell, Cell]:
    return geometric(ratios), extreme(ratios, min), extreme(ratios, max)


def _abouts(ours: Sequence[Ours], n_pictures: int) -> list[str]:
    """For each way to encode a sentence on which pictures and commits its files are of."""
    found: list[str] = []
    for each in ours:
        names = "all pictures" if len(each.files) == n_pictures else f"only {', '.join(each.files)}"
        commits = ", ".join(sorted({row["commit"] or "unknown" for row in each.rows}))
        found.append(f"{each.name}: {len(each.rows)} recorded, of {names}; commits {commits}.")
    return found


def _over_avif(dataset: str, peer: str, ours: Sequence[Ours], avif: Mapping[str, Curve]) -> Table | None:
    """BD-rates between two qualities, and the bits at one of them."""
    lines: list[tuple[Cell, ...]] = []
    for each in ours:
        rates, at = _bd_rates(each, avif), _at_quality(each, avif)
        if rates or at:
            lines.append((
                each.name, len(each.files), len(rates), arithmetic(list(rates.values())),
                *(extreme({i: 1 + rate / 100 for i, rate in rates.items()}, pick) for pick in (min, max)),
                _smaller(rates, 0), len(at), *_ratios(at), _smaller(at, 1),
            ))  # fmt: skip
    low, high = RANGE_DB
    columns = (
        "codec", "pictures recorded", f"of them with a BD-rate from {low:g} to {high:g} dB", "its mean", "least",
        "most", "smaller on", f"pictures at {AT_DB:g} dB", "bits over AVIF there", "least", "most", "smaller on",
    )  # fmt: skip
    notes = (
        f"AVIF is `{REFERENCE}`. Of BD-rates this is the mean over pictures, of bits at {AT_DB:g} dB the geometric mean"
        " [95 % bootstrap interval over pictures]; below 0 is better. Both are about those pictures alone that the"
        " columns count. Rows about different pictures must not be compared with each other.",
        CURVES_NOTE.format(at=AT_DB, enough=ENOUGH),
        *_abouts(ours, len(points_of(peer))),
    )
    title = f"Bits over AVIF tuned for PSNR, files at the PSNRs of {peers()[peer]}: {dataset}"
    return Table(f"peer-avif-{peer}-{dataset}", title, columns, tuple(lines), notes) if lines else None


def _smaller(values: Mapping[str, float], than: float) -> str | None:
    return f"{sum(value < than for value in values.values())} of {len(values)}" if values else None


def _bd_rates(ours: Ours, avif: Mapping[str, Curve]) -> dict[str, float]:
    """In per cent, by picture."""
    found = {
        image: bd_rate_within(avif[image], curve, *RANGE_DB) for image, curve in ours.curves().items() if image in avif
    }
    return {image: rate for image, rate in found.items() if rate is not None}


def _at_quality(ours: Ours, avif: Mapping[str, Curve]) -> Ratios:
    found: Ratios = {}
    for image, curve in ours.curves().items():
        bpp = curve.bpp_at(AT_DB) if len(curve.bpp) >= ENOUGH else None
        other = avif[image].bpp_at(AT_DB) if image in avif else None
        if bpp is not None and other is not None:
            found[image] = bpp / other
    return found


def _over_each_other(dataset: str, peer: str, ours: Sequence[Ours]) -> Table | None:
    """Ways to encode in pairs, on the files that both have."""
    lines: list[tuple[Cell, ...]] = []
    for first, second in itertools.combinations([each.counted() for each in ours], 2):
        ratios = over_ours(first, second)
        n_files = sum(number in second.files.get(image, {}) for image in first.files for number in first.files[image])
        if ratios:
            lines.append((first.name, second.name, len(ratios), n_files, *_ratios(ratios)))
    columns = ("codec", "over", "pictures", "files", "bits", "least", "most")
    title = f"Our own files over each other, at the PSNRs of {peers()[peer]}: {dataset}"
    notes = (f"On the pictures and points alone that both have. {MEANS_NOTE}",)
    return Table(f"peer-ours-{peer}-{dataset}", title, columns, tuple(lines), notes) if lines else None


def _by_picture(dataset: str, peer: str, ours: Sequence[Ours], avif: Mapping[str, Curve]) -> Table | None:
    """Every picture."""
    published, numbers = counted_points(peer), range(1, len(settings_of(peer)) + 1)
    lines: list[tuple[Cell, ...]] = []
    for each in ours:
        rates, at, counted = _bd_rates(each, avif), _at_quality(each, avif), each.counted()
        whole = over_peer(counted.complete(published))
        for image, points in each.files.items():
            by_point = [over_peer(each.where(lambda i, row, p=(image, n): (i, row["point"]) == p)) for n in numbers]
            excess_db = max(row["psnr_db"] - row["target_db"] for row in points.values())
            cells = (_percent(ratios, image) for ratios in (*by_point, whole))
            lines.append((each.name, image, *cells, rates.get(image), _percent(at, image), f"{excess_db:.3f}"))
    low, high = RANGE_DB
    columns = (
        "codec", "picture", *(f"point {number}, %" for number in numbers), "all of these, %",
        f"BD-rate over AVIF from {low:g} to {high:g} dB, %", f"over AVIF at {AT_DB:g} dB, %", "largest excess in dB",
    )  # fmt: skip
    title = f"Bits over {peers()[peer]} at its own PSNRs, every picture: {dataset}"
    notes = (
        f"Points: {', '.join(f'{i} is {setting}' for i, setting in enumerate(settings_of(peer), 1))}. A dash stands"
        f" for what is not recorded. All of these: the geometric mean of those of at least {LOWEST_DB:g} dB, where each"
        " is recorded at which the codec was run on any picture.",
        f"AVIF is `{REFERENCE}`. {CURVES_NOTE.format(at=AT_DB, enough=ENOUGH)}",
    )
    return Table(f"peer-pictures-{peer}-{dataset}", title, columns, tuple(lines), notes, 1) if lines else None


def _percent(ratios: Ratios, image: str) -> float | None:
    return 100 * (ratios[image] - 1) if image in ratios else None
