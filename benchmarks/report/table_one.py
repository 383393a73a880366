"""The paper's Table 1 beside ours, how the set-ups differ, and which setting comes nearest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from benchmarks.paper import published
from benchmarks.paper.acceleration import doubtful
from benchmarks.paper.settings import PRECISIONS
from benchmarks.records.store import Row
from benchmarks.report.evidence import FAR, Setting, nearness, settings, transforms
from benchmarks.report.grouping import CHOICES, Setup, family_of, text_of
from benchmarks.report.table import Cell, Table

MANY = 5
"""From so many pictures on they are counted, not named."""

LOSS_NAMES = {"l2": "squared error", "relative-l2": "relative squared error"}

NOTES = (
    "Steps to the PSNR without a transform over steps with it, each at the best of its learning rates; mean over"
    " pictures of the ratios [95 % bootstrap interval over pictures]. Over 1 is faster.",
    "<= or >=: some runs took all steps allowed, so the mean is a bound. Pictures on which neither run arrived are left"
    " out. The paper names no intervals.",
)


def tables(rows: Sequence[Row]) -> list[Table]:
    """Table 1 for each field, the set-ups, and how near each setting comes to the paper; those that there are."""
    found, searches = settings(rows), [row for row in rows if row["study"] == "paper"]
    fields = list(dict.fromkeys(setting.setup.field for setting in found))
    made = [_table_1(found, field) for field in fields]
    made += [_setups(found, searches), *(_nearness(found, field) for field in fields)]
    return [table for table in made if table is not None]


def _table_1(found: Sequence[Setting], field: str) -> Table | None:
    """Set by set the paper's row and below it ours: a line for each number of pictures that were fitted."""
    mine = [setting for setting in found if setting.setup.field == field]
    names = transforms(mine)
    lines: list[tuple[Cell, ...]] = []
    for dataset in dict.fromkeys(name for setting in mine for name in setting.means):
        known = next((setting.papers(dataset) for setting in mine if setting.papers(dataset)), {})
        if known:
            n = published.PICTURES[published.dataset(dataset) or ""]
            lines.append((f"{dataset}, the paper, {published.SIZE}", n, *(known.get(name) for name in names)))
        for setting in mine:
            means = setting.means.get(dataset, {})
            where = f"{dataset}, {setting.label}"
            for n in sorted({means[name].n_pictures for name in names if name in means}, reverse=True):
                cells = (means[name] if name in means and means[name].n_pictures == n else None for name in names)
                lines.append((where, n, *cells))
    if not lines:
        return None
    title = f"Table 1, {family_of(field)}: acceleration, ours and the paper's"
    return Table(f"table-1-{field}", title, ("pictures and setting", "n", *names), tuple(lines), NOTES)


def _setups(found: Sequence[Setting], rows: Sequence[Row]) -> Table | None:
    """What differs between the paper's set-up and ours."""
    if not found:
        return None
    lines: list[Mapping[str, Cell]] = []
    for field in dict.fromkeys(setting.setup.field for setting in found):
        mine = [setting for setting in found if setting.setup.field == field]
        if field in published.SETUP:
            lines.append({"setting": f"{family_of(field)}, the paper", **published.SETUP[field]})
        lines += [_setup(setting, [row for row in rows if Setup.of(row) == setting.setup]) for setting in mine]
    columns = tuple(lines[-1])
    commits = ", ".join(sorted({row.get("commit") or "unknown" for row in rows}))
    notes = (
        "Levels, tables and the bound within which their entries begin are Instant-NGP's. Adam's constants are the"
        " usual ones, or those that suit the field.",
        "Best rate the highest, the lowest: in so many searches the best rate is the highest that was allowed, and in"
        " so many the lowest, so that one beyond it might take fewer steps. Searches between two rates are left out.",
        "In doubt: in so many searches a rate was given up that a search of today would have let go on; it might have"
        " taken fewer steps. `python -m benchmarks recheck` runs such rates again.",
        "Seeds: of weights and permutation. Of several the mean ratio of a picture counts.",
        "Pictures are the first ones of a set by name where they are not named. Where a set of ours has another name"
        " than kodak, div2k or clic, its pictures are not quite the paper's.",
        f"Commits of the records: {commits}.",
    )
    return Table(
        "setups", "How the set-ups differ", columns, tuple(tuple(map(line.get, columns)) for line in lines), notes
    )


def _setup(setting: Setting, rows: Sequence[Row]) -> dict[str, Cell]:
    """A line of the table of set-ups, by column."""
    setup, chosen = setting.setup, dict(setting.setup.choices)
    ngp = setup.field == "ngp"
    growth, table = chosen.get("growth"), chosen.get("table", CHOICES["table"].usual)
    rates = [rate for row in rows for rate in row.get("log2_rates", ())]
    counts = {len(row["log2_rates"]) for row in rows if "log2_rates" in row}
    fewer = " (fewer for some)" if len(counts) > 1 else ""
    levels = f"each {growth} times the one before" if growth else "finest has half the side"
    return {
        "setting": setting.title,
        "width": setup.width or None,
        "levels": levels if ngp else None,
        "largest table": f"2^{table}" if ngp else None,
        "entries within": chosen.get("entries", text_of(CHOICES["entries"].usual)) if ngp else None,
        "loss": LOSS_NAMES.get(chosen.get("loss", "l2"), chosen.get("loss")),
        "optimiser": _optimiser(setup),
        "16 bits": _short(setup.precision),
        "log2 of rates": f"{max(rates)} to {min(rates)}{fewer}" if rates else None,
        "best rate the highest, the lowest": _at_the_ends(rows),
        "in doubt": sum(bool(doubtful(row)) for row in rows),
        "steps at most": f"{setup.max_steps:,}",
        "seeds": _seeds(rows),
        "pictures": _pictures(rows),
    }


def _optimiser(setup: Setup) -> str:
    """Its name, and of Adam the constants."""
    chosen = dict(setup.choices)
    if "optimiser" in chosen:
        return CHOICES["optimiser"].words.get(chosen["optimiser"], chosen["optimiser"])
    return "Adam, usual" if chosen.get("adam") == "usual" else "Adam, as suits the field"


def _short(precision: str) -> str:
    """What has 16 bits."""
    parts = [name for name, is_short in asdict(PRECISIONS[precision]).items() if is_short]
    return ", ".join(parts) or "none"


def _at_the_ends(rows: Sequence[Row]) -> str:
    """In how many searches the best rate is the highest one that was allowed, and the lowest; one of two always is."""
    ended = [row for row in rows if row["reached"] and len(row.get("log2_rates", ())) > 2]
    highest, lowest = (sum(row["log2_rate"] == end(row["log2_rates"]) for row in ended) for end in (max, min))
    return f"{highest}, {lowest} of {len(ended)}"


def _seeds(rows: Sequence[Row]) -> str:
    """How many, of the picture and transform that has most."""
    runs = {(row["dataset"], row["image"], row["transform"], row.get("seed", 0)) for row in rows}
    counts = Counter(run[:-1] for run in runs)
    return f"{max(counts.values())}{' (fewer for some)' if len(set(counts.values())) > 1 else ''}"


def _pictures(rows: Sequence[Row]) -> str:
    """Those of each set that were run with a transform and without: few by name, of many how many."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        found.setdefault((row["dataset"], row["image"]), set()).add(row["transform"])
    both = [key for key, names in found.items() if "none" in names and len(names) > 1]
    said: list[str] = []
    for dataset in dict.fromkeys(dataset for dataset, _ in both):
        names = sorted(image for each, image in both if each == dataset)
        said.append(f"{dataset}: {', '.join(names) if len(names) < MANY else len(names)}")
    return "; ".join(said)


def _nearness(found: Sequence[Setting], field: str) -> Table | None:
    """Settings with all of the paper's transforms, the nearest first."""
    lines: list[tuple[Cell, ...]] = []
    ranked = nearness(found, field)
    for each in ranked:
        other = [name for name in each.ours if name not in each.same_side]
        far = [f"{name} ({factor:.1f})" for name, factor in each.factors.items() if factor > FAR]
        same = f"{len(each.same_side)} of {len(each.ours)}"
        lines.append((each.setting.label, each.n, same, each.distance, ", ".join(other), ", ".join(far)))
    columns = ("setting", "n", "on the same side of 1", "off by a factor of", "on the other side of 1",
               f"off by more than {FAR:g}")  # fmt: skip
    if not ranked:
        return None
    notes = (
        f"Mean accelerations over those pictures of {ranked[0].dataset} that were fitted with all ten transforms,"
        " beside the paper's row for it. The factor is the geometric mean of ours over the paper's, or the paper's over"
        " ours where that is more.",
    )
    title = f"How near {family_of(field)} comes to the paper, by setting"
    return Table(f"nearness-{field}", title, columns, tuple(lines), notes)
