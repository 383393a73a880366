"""The page of `nfcodec encode --report`: how the fit went, where the bits are, and what the file decodes to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from nfcodec.codec.breakdown import Share
from nfcodec.pages.comparison import MAP_STYLE, Source, named, pictures
from nfcodec.pages.document import document
from nfcodec.pages.elements import STYLE, Cell, facts, heading, main, number, paragraph, section, table, text_of
from nfcodec.pages.plots import COLOURS, Line, Mark, Plot, Point, legend
from nfcodec.pages.plots import STYLE as PLOT_STYLE
from nfcodec.pages.recording import GETTING_READY, SEARCH, WORDS, WRITTEN, Recording
from nfcodec.version import __version__

if TYPE_CHECKING:
    from nfcodec.fitting.request import Event

SHARES_STYLE = """
td.bar { width: 40%; min-width: 8rem; }
th.part { min-width: 11rem; white-space: normal; }
td.bar div { height: 0.9em; background: var(--none); border-radius: 2px; }
"""

SHOWN_DB, SHOWN_FACTOR = 25.0, 3.0
"""How far below the file's PSNR the plot goes at most, and how many times its bits."""

MOST_SHARES = 40
"""Rows of the table of bytes; further small ones are put together."""

Report = Mapping[str, Any]
"""As `nfcodec.codec.Encoded.report`, with "png_bytes" and "bound_bytes"."""


def encoding_page(
    original: Source,
    decoded: Source,
    report: Report,
    recording: Recording,
    shares: Sequence[Share],
    said: Sequence[str],
) -> str:
    """The whole page as HTML.

    Args:
        original, decoded: the picture, and what the file decodes to.
        recording: of the encode, finished.
        shares: of the file.
        said: sentences about the file.
    """
    original, decoded = named(original, decoded)
    return document(
        f"{decoded.name}, made from {original.name}",
        [f"Encoded by nfcodec {__version__}."],
        main(
            section("The file", facts(_facts(report)), *map(paragraph, said), _settings(report)),
            section("The fit", *_fit(report, recording)),
            section("Where the bits went", _shares(shares, report)),
            *pictures(original, decoded),
        ),
        style=STYLE + MAP_STYLE + PLOT_STYLE + SHARES_STYLE,
    )


def _facts(report: Report) -> list[tuple[str, str]]:
    psnr, target = report["psnr_db"], report["target_psnr_db"]
    asked = f"{report['target_bytes']:,} bytes" if "target_bytes" in report else _decibels(target)
    return [
        ("bytes", f"{report['bytes']:,}"),
        ("bits a pixel", number(report["bpp"], 3)),
        ("PSNR", _decibels(psnr)),
        ("asked for", asked),
        ("seconds", number(report["seconds"], 1)),
    ]


def _decibels(psnr_db: float | None) -> str:
    return "no loss" if psnr_db is None else f"{psnr_db:.2f} dB"


def _settings(report: Report) -> str:
    def size(n_bytes: int | None) -> str | None:
        return None if n_bytes is None else f"{n_bytes:,} bytes, {n_bytes / report['bytes']:.2f} times the file"

    rows: list[tuple[str, str | None]] = [
        ("picture", f"{report['width']} x {report['height']}, {report['channels']} x {report['depth']} bits a pixel"),
        ("the same as a PNG", size(report["png_bytes"])),
        ("its samples as they are", size(report["raw_bytes"])),
        ("lower bound, as the order is random", size(report["bound_bytes"])),
        ("field", report["field"]),
        ("weights", f"{report['parameters']:,}, {report['fitted']}"),
        ("effort", str(report["effort"])),
        ("transforms", report["transform"]),
        ("seed that the bytes depend on", None if report["seed"] is None else str(report["seed"])),
        ("engine and device", f"{report['engine']}, {report['device']}" if report["engine"] else None),
    ]
    return table("The encode", ("", ""), [[name, value] for name, value in rows if value is not None], long=(0, 1))


# ------------------------------------------------------------------------------------------------------------ fit


def _fit(report: Report, recording: Recording) -> list[str]:
    events = [event for event in recording.events if event.phase != GETTING_READY and not _says_nothing_new(event)]
    tasks = _tasks(events)
    parts = [legend([task for task in tasks if len(tasks) <= len(COLOURS)]), *_plots(report, events)]
    rows: list[list[Cell]] = []
    for phase in recording.phases.values():
        bits = phase.bits_per_pixel
        name = WORDS.get(phase.name, phase.name)
        task = f"{phase.task}: " if phase.task else ""
        rows.append([task + name, phase.seconds, phase.begins, phase.steps, phase.psnr_db, bits])
    columns = (
        "what was done",
        "seconds",
        "times",
        "steps or trials",
        "PSNR in dB at its end",
        "bits a pixel at its end",
    )
    tried = [[each["field"], each["effort"], each["bytes"], each["psnr_db"] or math.inf] for each in report["tried"]]
    if len(tried) > 1:
        tried_columns = "field", "effort", "bytes", "PSNR in dB"
        parts += [heading("Files that were compared"), table("Files that were compared", tried_columns, tried)]
    parts += [heading("Phases"), table("Phases of the encode", columns, rows), paragraph(_ABOUT_PHASES, "notes")]
    messages = (f"<li>{text_of(each)}</li>\n" for each in recording.messages)
    told = "".join(messages)
    return [*parts, f"{heading('What was said')}<ul>\n{told}</ul>\n" if told else ""]


_ABOUT_PHASES = (
    "The PSNR is that of the samples at each moment: of real weights while they are fitted, of rounded ones afterwards."
    " Trials of a search stand for themselves, as points. Bits are those of the field's main symbols, by the model that"
    " the fit has of them at that moment: what a file takes in the end may be half as much more or less. Where none are"
    " shown, they were not counted. Circles are files that were written and decoded again, with all their bits."
)


def _plots(report: Report, events: Sequence[Event]) -> list[str]:
    return [plot.svg for plot in (_psnr_plot(report, events), _bits_plot(report, events)) if plot is not None]


def _psnr_plot(report: Report, events: Sequence[Event]) -> Plot | None:
    seen = [event.psnr_db for event in events if math.isfinite(event.psnr_db)]
    seconds = _seconds(events)
    if not seconds or not seen:
        return None
    target: float | None = None if "target_bytes" in report else report["target_psnr_db"]
    high = max(seen if target is None else [*seen, target]) + 1
    low = max(min(seen), min(report["psnr_db"] or math.inf, high) - SHOWN_DB) - 1
    level = None if target is None else (target, f"asked for: {target:g} dB")
    said = f"It ends at {_decibels(report['psnr_db'])}."
    lines, marks = _drawn(events, _psnr_of)
    return Plot("PSNR in dB", said, seconds, low, high, lines, marks, level)


def _bits_plot(report: Report, events: Sequence[Event]) -> Plot | None:
    seen = [event.bits_per_pixel for event in events if math.isfinite(event.bits_per_pixel)]
    seconds = _seconds(events)
    if not seconds or len(seen) < 2:
        return None
    high = 1.05 * min(max(seen), SHOWN_FACTOR * report["bpp"])
    lines, marks = _drawn(events, _bits_of)
    return Plot("Bits a pixel", f"They end at {report['bpp']:.3f}.", seconds, 0.0, high, lines, marks)


def _seconds(events: Sequence[Event]) -> float:
    return max((event.seconds for event in events), default=0.0)


def _psnr_of(event: Event) -> float:
    return event.psnr_db


def _bits_of(event: Event) -> float:
    return event.bits_per_pixel


def _drawn(events: Sequence[Event], value: Callable[[Event], float]) -> tuple[list[Line], list[Mark]]:
    """A line for each run of events of a phase that have a value, and a mark for each file."""
    tasks, lines, marks = _tasks(events), list[Line](), list[Mark]()
    for (task, phase), run in groupby(events, lambda event: (event.task, event.phase)):
        seen = [event for event in run if math.isfinite(value(event))]
        points: list[Point] = [(event.seconds, value(event)) for event in seen]
        colour = tasks.index(task) if len(tasks) <= len(COLOURS) else 0
        if phase == WRITTEN:
            marks += [Mark(point, colour, _file(event)) for point, event in zip(points, seen, strict=True)]
        elif points:
            lines.append(Line(points, colour, joined=phase != SEARCH))
    return lines, marks


def _tasks(events: Sequence[Event]) -> list[str]:
    """In the order in which they begin."""
    return list(dict.fromkeys(event.task for event in events))


def _says_nothing_new(event: Event) -> bool:
    """Whether it tells that a file will be written, or which one was kept."""
    return event.phase == WRITTEN and math.isnan(event.bits_per_pixel)


def _file(event: Event) -> str:
    return f"a file of {event.bits_per_pixel:.3f} bits a pixel, {event.psnr_db:.2f} dB"


# ----------------------------------------------------------------------------------------------------------- bits


def _shares(shares: Sequence[Share], report: Report) -> str:
    shown = _largest(shares)
    total, n_pixels = report["bytes"], report["pixels"]
    most = max(share.n_bytes for share in shown)
    rows = "".join(
        f'<tr><th scope="row" class="part">{text_of(share.part)}</th>'
        f'<td class="number">{number(share.n_bytes, 0)}</td>'
        f'<td class="number">{number(100 * share.n_bytes / total, 1)}</td>'
        f'<td class="number">{number(8 * share.n_bytes / n_pixels, 4)}</td>'
        f'<td class="number">{"" if share.n_numbers is None else f"{share.n_numbers:,}"}</td>'
        f'<td class="number">{number(8 * share.n_bytes / share.n_numbers) if share.n_numbers else ""}</td>'
        f'<td class="bar" aria-hidden="true"><div style="width: {100 * share.n_bytes / most:.1f}%"></div></td></tr>\n'
        for share in shown
    )
    columns = ("part of the file", "bytes", "%", "bits a pixel", "numbers", "bits a number")
    head = "".join(f'<th scope="col"{_kind(i)}>{name}</th>' for i, name in enumerate(columns))
    return (
        '<div class="scroll" role="region" aria-label="Bytes of the parts of the file">\n<table>\n'
        f'<thead><tr>{head}<td aria-hidden="true"></td></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n'
        + paragraph(_ABOUT_SHARES, "notes")
    )


_ABOUT_SHARES = (
    "Weights share one stream, so the bytes of each of them are right to within a few; all of them add up to the file."
    " Numbers are the parameters that a part holds, where these are its own."
)


def _kind(column: int) -> str:
    return ' class="number"' if column else ""


def _largest(shares: Sequence[Share]) -> list[Share]:
    """The largest ones in their order, and one for all others."""
    if len(shares) <= MOST_SHARES:
        return list(shares)
    kept = sorted(range(len(shares)), key=lambda i: -shares[i].n_bytes)[: MOST_SHARES - 1]
    others = [share for i, share in enumerate(shares) if i not in set(kept)]
    rest = Share(f"{len(others):,} smaller parts", sum(share.n_bytes for share in others))
    return [*(shares[i] for i in sorted(kept)), rest]
