"""Records of bytes against quality as curves by codec and picture, and what codecs are called."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from benchmarks.rates.codecs import OURS
from benchmarks.rates.curves import CLOSE, Curve, mean_at_settings, mean_bpp_at
from benchmarks.rates.rate_distortion import TARGETS_DB
from benchmarks.records.store import Row
from benchmarks.report.grouping import asked_field, used_family
from benchmarks.report.table import Cell

Curves = dict[str, dict[str, Curve]]
"""By codec and picture."""


def datasets(rows: Sequence[Row], target: str = "psnr") -> dict[str, list[Row]]:
    """The rows of the study by dataset, of ours those made for this kind of target.

    Of several records of one codec, picture and setting the last one counts, such as that of the newest encoder.
    """
    found: dict[str, dict[tuple[str, str, float], Row]] = {}
    for row in rows:
        if row["study"] == "rate" and row.get("target", "psnr") == target:
            found.setdefault(row["dataset"], {})[name_of(row), row["image"], row["setting"]] = row
    return {dataset: list(files.values()) for dataset, files in sorted(found.items())}


def name_of(row: Row) -> str:
    """The codec, and what is not usual about it. Records of studies of ours alone name no codec.

    Records without a seed are older than grids: `auto` led to one family then, whose name they bear.
    """
    codec = row.get("codec", OURS)
    if codec != OURS:
        return codec
    field = asked_field(row)
    if field == "auto" and "seed" not in row:
        field = used_family(row)
    more = [field] if field not in ("", "auto") else []
    more += [row["transform"]] if row["transform"] != "none" else []
    more += [f"-e {row['effort']}", *([f"--seed {row['seed']}"] if row.get("seed") else [])]
    return " ".join([codec, *more])


def ours_first(named: tuple[str, object]) -> tuple[bool, int]:
    """What to sort codecs by: ours before others, the usual before the unusual."""
    ours = named[0].startswith(OURS)
    return not ours, len(named[0]) if ours else 0


def seconds(rows: Sequence[Row], what: str) -> float:
    """The median of seconds to "encode" or "decode": of processors where all records have them, else by the clock."""
    of_processors, by_clock = f"{what}_cpu_seconds", f"{what}_seconds"
    clock = of_processors if all(of_processors in row for row in rows) else by_clock
    return statistics.median(row[clock] for row in rows)


def rate_cell(curves: Sequence[Curve], quality: float, *, targets: bool = False) -> Cell:
    """The mean rate at a quality, or why there is none.

    Args:
        targets: whether the files were made for qualities, such as ours, and not at settings of a codec.
    """
    mean = mean_bpp_at(curves, quality)
    if mean is not None:
        return mean
    below = sum(quality < curve.quality[0] - CLOSE for curve in curves)
    above = sum(quality > curve.quality[-1] for curve in curves)
    if targets:
        n, what = below + above, "not run"
    else:
        n, what = (below, "below the lowest setting tried") if below else (above, "above the highest setting tried")
    return what + (f" on {n} of {len(curves)}" if n < len(curves) else "")


def curves_of(rows: Sequence[Row], quality: str) -> Curves:
    """Curves over one of `MEASURES`, of the pictures whose records have it."""
    points: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        if row.get(quality) is not None:
            points.setdefault(name_of(row), {}).setdefault(row["image"], []).append((row["bpp"], row[quality]))
    return {codec: {image: Curve.of(each) for image, each in images.items()} for codec, images in points.items()}


def families(rows: Sequence[Row]) -> str:
    """Of our files, most frequent first."""
    found = Counter(used_family(row) for row in rows if row.get("codec", OURS) == OURS)
    return ", ".join(name if len(found) == 1 else f"{name} ({n} files)" for name, n in found.most_common())


def points_by_setting(rows: Sequence[Row], codec: str) -> dict[float, list[tuple[float, float]]]:
    """(bpp, PSNR in dB) of all pictures at each setting of a codec."""
    points: dict[float, list[tuple[float, float]]] = {}
    for row in rows:
        if row["study"] == "rate" and row["codec"] == codec:
            points.setdefault(row["setting"], []).append((row["bpp"], row["psnr_db"]))
    return points


def cheaper_at_settings(rows: Sequence[Row], codec: str) -> str:
    """How many bits fewer a mean at one setting takes than at equal PSNR, in words."""
    at_settings = mean_at_settings(points_by_setting(rows, codec))
    curves = list(curves_of(rows, "psnr_db")[codec].values())
    pairs = [(target, at_settings.bpp_at(target), mean_bpp_at(curves, target)) for target in TARGETS_DB]
    return ", ".join(f"{1 - a / b:.0%} at {target:g} dB" for target, a, b in pairs if a is not None and b is not None)
