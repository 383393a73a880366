"""The report on whole encodes: what a transform changes in steps, seconds and bytes, by the family that was fitted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.records.store import Row
from benchmarks.report.encode_groups import DEFAULT_EFFORT, SOLVED, Against, CodecSetup, codec_setups, compared
from benchmarks.report.estimates import Mean
from benchmarks.report.machines import machines
from benchmarks.report.table import Cell, Table

NOTES = (
    "What `nfcodec encode` does, from samples in memory to the bytes of a finished file whose PSNR has been checked."
    " Gradient steps: until the PSNR was reached, then with those that make the file smaller; means over pictures.",
    "Against no transform: this over the same without a transform, for each picture; mean over pictures [95 % bootstrap"
    " interval over pictures]. Below 1 is fewer steps, less time, fewer bytes. >=: some encodes gave up below the PSNR,"
    " so steps and seconds are bounds; bytes are not compared then, as they are those of worse pictures.",
    "The paper has no counterpart: it counts steps, and stores no file.",
)


def tables(rows: Iterable[Row]) -> list[Table]:
    """A table for each set-up."""
    found = (table(setup, group) for setup, group in codec_setups(rows).items())
    return [each for each in found if each is not None]


def table(setup: CodecSetup, group: Sequence[Row]) -> Table | None:
    """Steps, seconds and bytes of every way, dataset by dataset."""
    rows: list[tuple[Cell, ...]] = []
    for dataset in sorted({row["dataset"] for row in group}):
        for each in compared([row for row in group if row["dataset"] == dataset]):
            reached = f"{each.n_reached} of {each.n}"
            steps, seconds, size = each.ratios
            counts = (dataset, *each.way, each.n, reached, each.steps_shown)
            rows.append((*counts, steps, each.seconds, seconds, round(each.bytes), size))
    columns = ("pictures", "fitted", "transform", "n", "target reached", "gradient steps",
               "steps against no transform", "seconds", "seconds against no transform", "bytes",
               "bytes against no transform")  # fmt: skip
    notes = (*NOTES, machines(group))
    return Table(f"codec-{setup.name}", f"Whole encodes. {setup.title}", columns, tuple(rows), notes) if rows else None


def summary(rows: Iterable[Row]) -> Table | None:
    """What transforms change, in one table over all set-ups: the one for a reader in a hurry."""
    found = codec_setups(rows)
    lines: list[tuple[Cell, ...]] = [
        (_fitted_as(setup, each), _goal(setup, each), each.way.transform, each.steps_shown, *each.ratios[:2],
         round(each.bytes), each.ratios[2])
        for setup, group in found.items()
        for each in compared(group)
    ]  # fmt: skip
    if not lines:
        return None
    columns = ("fitted", "to", "transform", "gradient steps", "steps, times those of `none`",
               "seconds, times those of `none`", "bytes", "bytes, times those of `none`")  # fmt: skip
    every = [row for group in found.values() for row in group]
    n = len({(row["dataset"], row["image"]) for row in every})
    shapes = "; ".join(sorted({setup.shape for setup in found}))
    notes = (f"{n} picture{'s' if n != 1 else ''} ({shapes}). {NOTES[0]} {NOTES[1]}", machines(every))
    return Table("encodes", "What transforms change", columns, tuple(lines), notes)


def overview(rows: Iterable[Row]) -> Table | None:
    """The same with a row for each set-up of default effort, a column for each transform, and no intervals."""
    lines: list[dict[str, Cell]] = []
    for setup, group in codec_setups(rows).items():
        if setup.effort != DEFAULT_EFFORT:
            continue
        ways = compared(group)
        usual = ways[0].way.family if ways else ""
        line: dict[str, Cell] = {"fitted": usual, "to": f"{setup.target_db:g} dB"}
        lines.append({**line, **{each.way.transform: _in_a_cell(each, usual) for each in ways}})
    columns = tuple(dict.fromkeys(column for line in lines for column in line))
    cells = tuple(tuple(line.get(column) for column in columns) for line in lines)
    return Table("overview", "What transforms change, in short", columns, cells) if lines else None


def _in_a_cell(each: Against, usual: str) -> str:
    """Steps until the PSNR was reached, time and bytes; the latter two against no transform, but for the reference.

    Args:
        usual: the family that need not be named.
    """
    name = "" if each.way.family == usual else f"{each.way.family}: "
    steps = f"{name}{round(each.fit_steps):,} steps" if each.steps else f"{name}no steps"
    if each.is_reference:
        return f"{steps}, {round(each.bytes):,} bytes"
    ratios = (("time", each.seconds_ratio), ("bytes", each.bytes_ratio))
    return ", ".join([steps, *(f"{name} x {_value(mean)}" for name, mean in ratios if mean)])


def _fitted_as(setup: CodecSetup, each: Against) -> str:
    """The family, or the field as it was asked for where that says more."""
    return setup.field if setup.field.startswith(f"{each.way.family}:") else each.way.family


def _goal(setup: CodecSetup, each: Against) -> str:
    effort = "" if setup.effort == DEFAULT_EFFORT else f", effort {setup.effort}"
    reached = "" if each.n_reached == each.n else f", reached on {each.n_reached} of {each.n}"
    return f"{setup.target_db:g} dB{effort}{reached}"


def sentences(rows: Iterable[Row]) -> list[str]:
    """What transforms change, in words."""
    found: list[str] = []
    for setup, group in codec_setups(rows).items():
        ways = compared(group)
        plain = next((each for each in ways if each.is_reference), None)
        for each in ways:
            if plain is None or each is plain:
                continue
            found.append(
                f"At {setup.target_db:g} dB, {each.way.transform} took {_times(each)}: {_fitted(each)}, against"
                f" {_fitted(plain)}."
            )
    return found


def _times(each: Against) -> str:
    ratios = (("seconds", each.seconds_ratio), ("bytes", each.bytes_ratio))
    known = " and ".join(f"{_value(mean)} times the {name}" for name, mean in ratios if mean)
    more = "" if each.bytes_ratio else " (bytes do not compare, as not all encodes reached it)"
    return f"{known} of the picture as it is{more}"


def _value(mean: Mean) -> str:
    """Without the interval."""
    return f"{mean.sign and mean.sign + ' '}{mean.value:.2f}"


def _fitted(each: Against) -> str:
    return f"`{each.way.family}`, " + (f"fitted in {each.steps:,.0f} gradient steps" if each.steps else SOLVED)
