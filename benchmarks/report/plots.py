"""All plots that records have the data for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from benchmarks.records.store import Row
from benchmarks.report import plots_rates
from benchmarks.report.encode_groups import codec_setups
from benchmarks.report.grouping import by_image, setups
from benchmarks.report.plot import Plot
from benchmarks.report.plots_acceleration import best_rates, codec
from benchmarks.report.plots_dynamics import barrier, curves, error_variance
from benchmarks.report.plots_maps import galleries, planes, spectrum

__all__ = ["Plot", "plots"]


def plots(rows: Sequence[Row]) -> list[Plot]:
    """One plot each, set-up by set-up, of what the rows have; rows as `read` gives them."""
    found: list[Plot | None] = []
    for setup, group in setups(rows, "paper", "dynamics").items():
        searches, watched = (by_image(row for row in group if row["study"] == study) for study in ("paper", "dynamics"))
        found += [best_rates(setup, searches), curves(setup, by_image(group))]
        found += [error_variance(setup, watched), barrier(setup, watched)]
        found += [planes(setup, watched), spectrum(setup, watched)]
    found += galleries(rows)
    found += [codec(setup, group) for setup, group in codec_setups(rows).items()]
    found += plots_rates.plots(rows)
    return _named_apart([plot for plot in found if plot is not None])


def _named_apart(found: list[Plot]) -> list[Plot]:
    """Set-ups on different machines can have one name."""
    names: Counter[str] = Counter()
    apart: list[Plot] = []
    for plot in found:
        names[plot.name] += 1
        apart.append(plot if names[plot.name] == 1 else plot.renamed(f"{plot.name}-{names[plot.name]}"))
    return apart
