"""Manual pages of the command line, made from its help: `python -m release.man_pages` writes them to release/man."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from nfcodec.cli import VERBS, command
from nfcodec.cli._verb import Verb
from nfcodec.version import __version__

FOLDER = Path(__file__).parent / "man"
PROGRAM = "nfcodec"
TAGLINE = "pictures as the weights of small neural fields"


def pages() -> dict[str, str]:
    """The text of each page, by the name of its file."""
    top = click.Context(command, info_name=PROGRAM, **command.context_settings)
    found = {f"{PROGRAM}.1": _page(PROGRAM, f"nfcodec - {TAGLINE}", _of_program(top))}
    for verb in VERBS:
        each = command.get_command(top, verb)
        assert isinstance(each, Verb)
        context = click.Context(each, info_name=verb, parent=top, max_content_width=110)
        name = f"{PROGRAM}-{verb}"
        found[f"{name}.1"] = _page(name, f"{name} - {_brief(each)}", _of_verb(each, context))
    return found


def _page(name: str, about: str, body: Iterator[str]) -> str:
    head = f'.TH {_escaped(name.upper())} 1 "" "nfcodec {__version__}" "nfcodec"'
    return "\n".join([head, ".SH NAME", _escaped(about), *body]) + "\n"


def _of_program(context: click.Context) -> Iterator[str]:
    yield from _section("SYNOPSIS", [f"\\fB{PROGRAM}\\fP \\fIVERB\\fP [\\fIOPTIONS\\fP] .."])
    yield from _section("DESCRIPTION", _paragraphs(command.help or ""))
    yield ".SH VERBS"
    for verb in VERBS:
        each = command.get_command(context, verb)
        assert each is not None
        yield from _item(f"\\fB{PROGRAM} {_escaped(verb)}\\fP", _brief(each))
    yield from _options(command, context)
    pages = [f"\\fB{PROGRAM}\\-{verb}\\fP(1)" for verb in VERBS]
    yield from _section("SEE ALSO", [", ".join(pages)])


def _of_verb(verb: Verb, context: click.Context) -> Iterator[str]:
    arguments = [each.make_metavar(context) for each in verb.params if isinstance(each, click.Argument)]
    words = " ".join(f"\\fI{_escaped(each)}\\fP" for each in arguments)
    yield from _section(
        "SYNOPSIS", [f"\\fB{PROGRAM} {_escaped(verb.name or '')}\\fP [\\fIOPTIONS\\fP] {words}".strip()]
    )
    yield from _section("DESCRIPTION", _paragraphs(verb.help or ""))
    yield from _options(verb, context)
    for title, rows in verb.lists.items():
        yield f".SH {_escaped(title.upper())}"
        for name, text in rows().items():
            yield from _item(f"\\fB{_escaped(name)}\\fP", text)
    if verb.epilog:
        yield from _section("EXAMPLE", [_escaped(verb.epilog.removeprefix("Example: "))])
    yield from _section("SEE ALSO", [f"\\fB{PROGRAM}\\fP(1), which lists the exit codes"])


def _options(of: click.Command, context: click.Context) -> Iterator[str]:
    yield ".SH OPTIONS"
    for each in of.get_params(context):
        record = each.get_help_record(context) if isinstance(each, click.Option) else None
        if record is not None:
            yield from _item(f"\\fB{_escaped(record[0])}\\fP", record[1])


def _section(title: str, lines: Iterator[str] | list[str]) -> Iterator[str]:
    yield f".SH {title}"
    yield from lines


def _item(name: str, text: str) -> Iterator[str]:
    yield from (".TP", name, _escaped(" ".join(text.split())))


def _paragraphs(text: str) -> Iterator[str]:
    """A docstring's paragraphs; those that click leaves as they are, behind a backspace, stay so here."""
    for i, paragraph in enumerate(re.split(r"\n\s*\n", inspect.cleandoc(text))):
        if i:
            yield ".PP"
        if paragraph.startswith("\b"):
            yield from (".nf", *map(_escaped, paragraph.splitlines()[1:]), ".fi")
        else:
            yield _escaped(" ".join(paragraph.split()))


def _brief(of: click.Command) -> str:
    """The first sentence of a verb's help, as part of a line."""
    first = " ".join((of.help or "").split("\n\n")[0].split())
    sentence = re.split(r"(?<=[^.])\. ", first)[0].rstrip(".")
    return sentence[0].lower() + sentence[1:]


def _escaped(text: str) -> str:
    """Text as it is, to a program that takes some characters for commands."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\`").replace("'", "\\(aq")
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


def main() -> None:
    """Write all pages, and remove those of verbs that are gone."""
    made = pages()
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.1"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
