"""Pictures of the report to wipe between: what fits have reached on their way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.records.store import Row
from benchmarks.report.grouping import Setup, by_image, known_first, setups
from benchmarks.report.plot import label
from nfcodec.pages import Side

IMAGES_PER_SETUP = 3


@dataclass(frozen=True)
class Comparison:
    """Two pictures of one size to wipe between."""

    title: str
    left: Side
    right: Side


def comparisons(rows: Iterable[Row], n_images: int = IMAGES_PER_SETUP) -> list[Comparison]:
    """Figures 7 and 8: reconstructions at 30 dB (SIREN) or 20 dB (NGP), of the first pictures of each set-up."""
    found: list[Comparison] = []
    for setup, group in setups(rows, "dynamics").items():
        db = "20" if setup.field == "ngp" else "30"
        fits = {
            image: {chain: arms[chain] for chain in known_first([arms]) if _has(arms[chain], db)}
            for image, arms in by_image(row for row in group if "original" in row).items()
        }
        for image in [image for image, arms in fits.items() if arms][:n_images]:
            found += _of_image(image.title, setup, db, fits[image])
    return found


def _has(row: Row, db: str) -> bool:
    return db in row.get("reconstructions", {})


def _of_image(image: str, setup: Setup, db: str, fits: dict[str, Row]) -> list[Comparison]:
    names = {chain: "fitted as it is" if chain == "none" else f"fitted with {label(chain)}" for chain in fits}
    at = {chain: row["reconstructions"][db] for chain, row in fits.items()}
    where = f"{image}, {setup.title}"
    found = [
        Comparison(f"Original, and {names[chain]} to {db} dB. {where}", Side("original", fits[chain]["original"]),
                   Side(f"{names[chain]}, {db} dB", at[chain]["picture"]))
        for chain in fits
    ]  # fmt: skip
    for other in [chain for chain in fits if chain != "none" and "none" in fits]:
        for key, title in (("picture", f"Both at {db} dB"), ("error", f"Errors at {db} dB, white is 4 RMS")):
            sides = (Side(f"{names[chain]}, {db} dB", at[chain][key]) for chain in ("none", other))
            found.append(Comparison(f"{title}. {where}", *sides))
    return found
