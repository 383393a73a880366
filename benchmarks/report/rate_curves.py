"""Records of bytes against quality as curves by codec and picture, and what codecs are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from benchmarks.rates.codecs import OURS
from benchmarks.rates.curves import Curve, mean_at_settings, mean_bpp_at
from benchmarks.rates.rate_distortion import TARGETS_DB
from benchmarks.records.store import Row
from benchmarks.report.grouping import asked_field, used_family

Curves = dict[str, dict[str, Curve]]
"""By codec and picture."""


def datasets(rows: Sequence[Row], target: str = "psnr") -> dict[str, list[Row]]:
    """The rows of the study by dataset, of ours those made for this kind of target."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["study"] == "rate" and row.get("target", "psnr") == target:
            found.setdefault(row["dataset"], []).append(row)
    return dict(sorted(found.items()))


def name_of(row: Row) -> str:
    """The codec, and what is not usual about it. Records of studies of ours alone name no codec."""
    codec = row.get("codec", OURS)
    if codec != OURS:
        return codec
    field = asked_field(row)
    more = [field] if field not in ("", "auto") else []
    more += [row["transform"]] if row["transform"] != "none" else []
    more += [f"-e {row['effort']}", *([f"--seed {row['seed']}"] if row.get("seed") else [])]
    return " ".join([codec, *more])


def curves_of(rows: Sequence[Row], quality: str) -> Curves:
    """Curves over a measure: "psnr_db" or "ms_ssim"."""
    points: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        if row[quality] is not None:
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
