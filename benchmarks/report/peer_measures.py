"""The report on files made at a peer's PSNRs by measures beside PSNR: their bits over those of other codecs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from benchmarks.rates.curves import Curve
from benchmarks.rates.measures import MEASURES
from benchmarks.rates.peers import peers
from benchmarks.records.store import Row
from benchmarks.report.peer_files import Ours, Ratios, extreme, geometric, over
from benchmarks.report.rate_curves import curves_of
from benchmarks.report.table import Cell, Table

REFERENCES = ("avif-psnr", "avif", "jxl", "webp")

NOTE = (
    "Each of our files against the bits of another codec at the same value of the measure, read between its settings by"
    " a monotone cubic in log rate. Geometric means over pictures, of each picture over its files [95 % bootstrap"
    " interval over pictures]; below 0 is better. Files without a record of the measure are left out, and so are those"
    " at a quality at which the other codec was not run. Rows about different pictures must not be compared."
)


def table(dataset: str, peer: str, ours: Sequence[Ours], rates: Sequence[Row]) -> Table | None:
    """For each of our ways to encode, other codec and measure.

    Args:
        rates: records of the study "rate" of the same dataset.
    """
    lines: list[tuple[Cell, ...]] = []
    curves = {measure: curves_of(rates, measure) for measure in MEASURES}
    for each, reference, measure in itertools.product(ours, REFERENCES, MEASURES):
        ratios = _ratios(each.counted(), curves[measure].get(reference, {}), measure)
        if ratios:
            cells = (len(ratios), geometric(ratios), extreme(ratios, min), extreme(ratios, max))
            lines.append((each.name, reference, MEASURES[measure], *cells))
    columns = ("codec", "over", "at equal", "pictures", "bits", "least", "most")
    title = f"Bits over other codecs by measure, files at the PSNRs of {peers()[peer]}: {dataset}"
    return Table(f"peer-measures-{peer}-{dataset}", title, columns, tuple(lines), (NOTE,)) if lines else None


def _ratios(ours: Ours, curves: Mapping[str, Curve], measure: str) -> Ratios:
    def other_bpp(image: str, number: int, row: Row) -> float | None:
        curve, quality = curves.get(image), row.get(measure)
        if curve is None or quality is None or quality < curve.quality[0]:
            return None
        return curve.bpp_at(quality)

    return over(ours, other_bpp)
