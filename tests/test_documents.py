"""What the documents say is there: links and anchors, files, records, and commands with their options."""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from PIL import Image

from nfcodec.cli import VERBS, _console
from nfcodec.cli import command as nfcodec_command
from nfcodec.fields import registry
from nfcodec.lazy import load
from nfcodec.transforms import parse_chain, registered

ROOT = Path(__file__).parents[1]
TOP = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "RELEASING.md")]
DOCUMENTS = [*TOP, *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = sorted(
    path for folder in ("nfcodec", "benchmarks", "tests", "examples") for path in (ROOT / folder).rglob("*.py")
)
RECORDS = ROOT / "benchmarks" / "results"
FOLDERS = ("nfcodec", "benchmarks", "tests", "docs", "examples", "release")
"""What a path that a document names begins with, as seen from the root."""

SHELLS = ("", "sh", "bash", "console")
"""Of fenced blocks with commands."""

EXPERIMENTS = 200
"""Wire ids of transforms that no file holds begin here."""

NEEDS = {"benchmarks": "matplotlib"}
"""What has to be installed for a program's commands to be known."""

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


class Block(NamedTuple):
    """A fenced block of a document: the language behind the fence, and the text."""

    language: str
    text: str


def blocks(text: str) -> list[Block]:
    """All fenced blocks."""
    found = re.findall(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [Block(language, textwrap.dedent(inside)) for language, inside in found]


def prose(text: str) -> str:
    """A document without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)


def spans(text: str) -> list[str]:
    """What stands in code spans."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(text))]


# ---------------------------------------------------------------------------------------------------------- links


def links(text: str) -> list[str]:
    """The targets of all links and pictures."""
    return re.findall(r"\]\(([^()\s]+)\)", re.sub(r"`[^`]*`", "``", prose(text)))


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", prose(text), re.MULTILINE):
        kept = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
        number = next(n for n in itertools.count() if (f"{kept}-{n}" if n else kept) not in found)
        found.add(f"{kept}-{number}" if number else kept)
    return found


def broken_links(document: Path, text: str) -> list[str]:
    """Those links to files of the repository that lead nowhere."""
    broken: list[str] = []
    for link in links(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        path = (document.parent / name).resolve() if name else document
        there = path.exists() and path.is_relative_to(ROOT)
        if there and anchor:
            there = anchor in anchors(text if path == document else path.read_text(encoding="utf-8"))
        if not there:
            broken.append(link)
    return broken


@each_document
def test_links_lead_somewhere(document):
    assert broken_links(document, document.read_text(encoding="utf-8")) == []


def test_a_link_that_leads_nowhere_is_noticed():
    text = "# Two words: `a_b`, (c)\n# Two words a_b c\n[good](docs) [good](#two-words-a_b-c-1) `[no link](nowhere.md)`"
    assert broken_links(ROOT / "README.md", text) == []
    assert broken_links(ROOT / "README.md", text + "[bad](docs/frog.md) [bad](#frog)") == ["docs/frog.md", "#frog"]


def test_every_document_is_linked_from_another():
    linked = {
        (document.parent / link.partition("#")[0]).resolve()
        for document in DOCUMENTS
        for link in links(document.read_text(encoding="utf-8"))
        if link.partition("#")[0] and not re.match(r"[a-z]+:", link)
    }
    inside = [document for document in DOCUMENTS if document.is_relative_to(ROOT / "docs")]
    assert [str(document.relative_to(ROOT)) for document in inside if document not in linked] == []


# ---------------------------------------------------------------------------------------------------------- files


def alternatives(pattern: str) -> Iterator[str]:
    """A pattern with its {a,b} written out."""
    found = re.search(r"\{([^{}]*)\}", pattern)
    if found is None:
        yield pattern
        return
    for each in found.group(1).split(","):
        yield from alternatives(pattern[: found.start()] + each + pattern[found.end() :])


def missing(named: list[str], folder: Path = ROOT) -> list[str]:
    """Of names of files and folders, perhaps with wildcards, those that are not there."""
    named = [name.rstrip(".,") for name in named]
    return [name for name in named for each in alternatives(name) if not any(folder.glob(each.rstrip("/")))]


def missing_paths(text: str) -> list[str]:
    """Paths of the repository that a text names and that are not there."""
    return missing(re.findall(rf"(?<![\w/.-])((?:{'|'.join(FOLDERS)})/[\w./*{{}},-]*)", text))


def missing_records(text: str) -> list[str]:
    """Records that a text names, in whatever way, and that are not there."""
    short = [span for span in spans(text) if re.fullmatch(r"[\w*{},-]+\.jsonl?", span)]
    return missing(re.findall(r"benchmarks/results/[\w.*{},-]*", text)) + missing(short, RECORDS)


@each_document
def test_files_that_are_named_are_there(document):
    text = document.read_text(encoding="utf-8")
    assert missing_records(text) == []
    assert [path for span in spans(text) for path in missing_paths(span)] == []


def test_a_file_that_is_not_there_is_noticed():
    assert missing_paths("nfcodec/{cli,codec}/*.py nfcodec/cli/ ../nfcodec/frog.py") == []
    assert missing_paths("nfcodec/frog.py, tests/{cli,frog}") == ["nfcodec/frog.py", "tests/{cli,frog}"]
    text = "see benchmarks/results/*.jsonl, benchmarks/results/frog.jsonl, `tree.json`, and `rate-kodak*.jsonl`."
    assert missing_records(text) == ["benchmarks/results/frog.jsonl", "tree.json"]


def test_sources_name_documents_that_there_are():
    named = {name for path in SOURCES for name in re.findall(r"\bdocs/[\w/-]+\.md", path.read_text(encoding="utf-8"))}
    assert named
    assert sorted(name for name in named - {"docs/frog.md"} if not (ROOT / name).is_file()) == []


# ------------------------------------------------------------------------------------------------------------ code


@each_document
def test_python_compiles(document):
    for block in blocks(document.read_text(encoding="utf-8")):
        if block.language == "python":
            compile(block.text, str(document), "exec")


OF_BENCHMARKS = ("benchmark", "plain-torch")


@pytest.mark.parametrize(
    "name", ["transform", "engine", *(pytest.param(name, marks=pytest.mark.slow) for name in OF_BENCHMARKS)]
)
def test_examples_run(name):
    """The whole examples of docs/extend; that of field.md is tests/contract/toy_family.py."""
    if name in OF_BENCHMARKS and importlib.util.find_spec(NEEDS["benchmarks"]) is None:
        pytest.skip(f"the benchmarks need {NEEDS['benchmarks']}")
    text = (ROOT / "docs" / "extend" / f"{name}.md").read_text(encoding="utf-8")
    (example,) = [block.text for block in blocks(text) if block.language == "python"]
    done = subprocess.run([sys.executable, "-"], input=example, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_scripts_on_records_print_what_the_text_says():
    """Those of docs/why that read the committed records: each number that they print stands in the text."""
    ran = 0
    for document in sorted((ROOT / "docs" / "why").glob("*.md")):
        text = document.read_text(encoding="utf-8")
        scripts = [each.text for each in blocks(text) if each.language == "python"]
        scripts = [script for script in scripts if "benchmarks/results" in script]
        prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        for script in scripts:
            done = subprocess.run(
                [sys.executable, "-"], input=script, cwd=ROOT, capture_output=True, text=True, check=True
            )
            printed = set(re.findall(r"\d+(?:\.\d+)?", done.stdout))
            assert printed
            assert not printed - set(re.findall(r"\d+(?:\.\d+)?", prose)), f"{document.name}: {done.stdout}"
            ran += 1
    assert ran


def use_of_libraries() -> list[Block]:
    """The examples of the page on other people's libraries."""
    text = (ROOT / "docs" / "use" / "pillow.md").read_text(encoding="utf-8")
    return [block for block in blocks(text) if block.language == "python"]


def test_examples_of_libraries_run(tmp_path, monkeypatch):
    """Those of docs/use/pillow.md whose libraries are there, one after the other in a folder with a picture."""
    with Image.open(ROOT / "benchmarks" / "data" / "sample.png") as sample:
        sample.convert("RGB").resize((96, 64)).save(tmp_path / "photo.png", dpi=(300, 300))
    monkeypatch.chdir(tmp_path)
    for block in use_of_libraries():
        needed = re.findall(r"^import (\w+)", block.text, re.MULTILINE)
        if all(importlib.util.find_spec(name) for name in needed):
            if "zarr" in needed:  # what the entry points of an installed nfcodec say; see tests/test_zarr.py
                load("zarr.registry:register_codec")("nfcodec", load("nfcodec.zarr:NfcCodec"))
            exec(compile(block.text, "docs/use/pillow.md", "exec"), {})
    with Image.open("small.png") as small:
        assert small.size == (64, 43)


class Call(NamedTuple):
    """A program that a document has the reader run, and its arguments."""

    program: str
    arguments: tuple[str, ...]


def calls(text: str) -> list[Call]:
    """The calls of our programs in fenced blocks, without pipes, redirections and comments."""
    found: list[Call] = []
    for block in blocks(text):
        lines = block.text.replace("\\\n", " ").splitlines() if block.language in SHELLS else []
        for line in lines:
            if re.match(r"(\$ )?(nfcodec|python -m (nfcodec|benchmarks)) ", line):
                found += filter(None, map(_call, _commands(line.removeprefix("$ "))))
    return found


def _commands(line: str) -> Iterator[list[str]]:
    """The words of each command on a line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, "#"
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("|&;"):
            yield words
            words = []
        elif set(word) <= set("<>"):
            next(lexer)
        else:
            words.append(word)
    yield words


def _call(words: list[str]) -> Call | None:
    if words[:2] == ["python", "-m"]:
        words = words[2:]
    return Call(words[0], tuple(words[1:])) if words and words[0] in ("nfcodec", "benchmarks") else None


def command_of(program: str) -> click.Group:
    """What a program's command line is made of."""
    if program == "nfcodec":
        return nfcodec_command
    if importlib.util.find_spec(NEEDS[program]) is None:
        pytest.skip(f"the commands of {program} need {NEEDS[program]}")
    from benchmarks.commands import main

    return main


def check(call: Call) -> None:
    """Parse a call as the program would, but for files, which need not be there. Raises ClickException."""
    command: click.Command = command_of(call.program)
    context, words = click.Context(command, **command.context_settings), list(call.arguments)
    while isinstance(command, click.Group) and not words[0].startswith("-"):
        inner = command.get_command(context, words[0])
        if inner is None:
            raise click.UsageError(f"{call.program} has no {words[0]}")
        command, context, words = inner, click.Context(inner, context), words[1:]
    try:
        made = command.make_context(command.name, words, context.parent)
        chains = made.params.get("transform"), *(made.params.get("transforms") or ())
        for chain in filter(None, chains):
            parse_chain(chain)
    except click.exceptions.Exit:  # --help and --version
        pass
    finally:
        _console.reset()


@pytest.fixture
def no_files_are_needed(monkeypatch):
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: Path(value))


@each_document
def test_commands_are_understood(document, no_files_are_needed, capsys):
    for call in calls(document.read_text(encoding="utf-8")):
        try:
            check(call)
        except (click.ClickException, ValueError) as error:
            pytest.fail(f"{' '.join((call.program, *call.arguments))}: {error}")


def test_what_no_command_understands_is_noticed(no_files_are_needed):
    text = "```sh\nnfcodec encode a.png - -e 9 \\\n  | nfcodec decode - > b.png  # there and back\nls\n```\n"
    assert calls(text) == [
        Call("nfcodec", ("encode", "a.png", "-", "-e", "9")), Call("nfcodec", ("decode", "-")),
    ]  # fmt: skip
    assert calls(text.replace("```sh", "```text")) == []
    for arguments in ("encode", "encode a --frog", "encode a -e 10", "encode a --field frog", "frog a"):
        with pytest.raises(click.ClickException):
            check(Call("nfcodec", tuple(arguments.split())))
    with pytest.raises(ValueError, match="frog"):
        check(Call("nfcodec", ("encode", "a", "--transform", "rpp+frog")))


@each_document
def test_verbs_that_are_named_are_there(document):
    for program, pattern in (("nfcodec", r"nfcodec"), ("benchmarks", r"python -m benchmarks")):
        named = {
            verb
            for span in spans(document.read_text(encoding="utf-8"))
            for verb in re.findall(rf"^{pattern} ([a-z-]+)", span)
        }
        if named:
            assert named <= set(command_of(program).list_commands(click.Context(command_of(program))))


# --------------------------------------------------------------------------------------------------- tables of options


def test_every_option_is_in_the_documents():
    """docs/use/cli.md names all verbs and their options."""
    text = (ROOT / "docs" / "use" / "cli.md").read_text(encoding="utf-8")
    for verb in VERBS:
        command = nfcodec_command.get_command(click.Context(nfcodec_command), verb)
        assert re.search(rf"`nfcodec {verb}\b", text), verb
        named = {name for each in command.params if isinstance(each, click.Option) for name in each.opts}
        assert sorted(name for name in named if f"`{name}" not in text) == [], verb


def test_every_transform_is_in_the_documents():
    text = (ROOT / "docs" / "use" / "cli.md").read_text(encoding="utf-8")
    names = [name for name, wire_id in registered().items() if wire_id < EXPERIMENTS]
    assert [name for name in names if not re.search(rf"^\| `{name}\b", text, re.MULTILINE)] == []


def shown(value: object) -> str:
    """A setting as the tables of recipes have it; of a sequence of fits, the steps and the factor of each."""
    if isinstance(value, tuple):
        return ", ".join(f"{steps:,}" + ("" if factor == 1 else f" x {factor:g}") for steps, factor in value) or "none"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


@pytest.mark.parametrize("name", registry.FAMILIES)
def test_recipes_are_as_documented(name):
    """The table of recipes in the page of a family, where there is one."""
    text = (ROOT / "docs" / "how" / "fields" / f"{name}.md").read_text(encoding="utf-8")
    found = re.search(r"^\| effort \|(.*)\|\n\| ---.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    if found is None:
        pytest.skip("the page has no table of recipes")
    attributes = [cell.strip().replace(" ", "_") for cell in found.group(1).split("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in found.group(2).splitlines()]
    recipes = registry.family(name).recipes
    assert rows == [
        [str(effort), *(shown(getattr(recipe, each)) for each in attributes)] for effort, recipe in recipes.items()
    ]
