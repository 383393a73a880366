"""The files that verbs write when an option names them: pages and maps, and where these are not written."""

import os
from pathlib import Path

import pytest

from nfcodec.cli import compare, encode
from tests.cli.commands import PNG, assert_one_clear_line, files


@pytest.fixture
def two(run, nfc):
    """`run` in a directory with a.png and b.nfc."""
    Path("a.png").write_bytes(PNG)
    Path("b.nfc").write_bytes(nfc)
    return run


def test_compare_writes_a_page_and_a_map(two):
    plain = two("compare", "a.png", "b.nfc")
    result = two("compare", "a.png", "b.nfc", "--html", "out.html", "--diff", "out.png")
    assert (result.code, result.out, result.err) == (0, plain.out, "")
    page = Path("out.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "a.png and b.nfc" in page
    assert f"{len(PNG):,}" in page
    assert Path("out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("option", ["--html", "--diff"])
@pytest.mark.parametrize("overwrite", [(), ("-f",)], ids=["", "-f"])
def test_no_input_is_replaced(two, option, overwrite):
    os.symlink("a.png", "soft")
    os.link("b.nfc", "hard")
    os.mkdir("folder")
    before = {name: Path(name).read_bytes() for name in ("a.png", "b.nfc")}
    for target in ("a.png", "./a.png", "folder/../b.nfc", "soft", "hard"):
        result = two("compare", "a.png", "b.nfc", option, target, *overwrite)
        assert result.code == 2, target
        assert_one_clear_line(result)
        assert "are the same file" in result.err
    assert before == {name: Path(name).read_bytes() for name in before}


@pytest.mark.parametrize(
    ("option", "target"),
    [("--html", "c.png"), ("--html", "c.nfc"), ("--html", "c.jpg"), ("--diff", "c.nfc"), ("--diff", "c.jpg"),
     ("--html", "-"), ("--diff", "-"), ("--html", "link")],
)  # fmt: skip
def test_names_of_other_kinds_of_files_are_refused(two, option, target):
    os.symlink("missing.tiff", "link")
    result = two("compare", "-f", "a.png", "b.nfc", option, target)
    assert result.code == 2
    assert_one_clear_line(result)
    assert files() == ["a.png", "b.nfc", "link"]


def test_both_outputs_at_one_place_are_refused(two):
    result = two("compare", "a.png", "b.nfc", "--html", "out", "--diff", "./out")
    assert result.code == 2
    assert "--html and --diff are the same file" in result.err


@pytest.mark.parametrize("option", ["--html", "--diff"])
def test_what_exists_stays_without_f(two, option):
    Path("out").write_text("mine")
    result = two("compare", "a.png", "b.nfc", option, "out")
    assert result.code == 7
    assert_one_clear_line(result)
    assert Path("out").read_text() == "mine"
    assert two("compare", "a.png", "b.nfc", option, "out", "-f").code == 0
    assert Path("out").read_bytes() != b"mine"
    assert two("compare", "a.png", "b.nfc", option, "missing/out").code == 7


def test_a_page_is_written_whole_or_not_at_all(two, monkeypatch):
    def fail(*_arguments):
        raise MemoryError

    Path("out.html").write_text("old")
    monkeypatch.setattr("nfcodec.pages.comparison.pictures", fail)
    assert two("compare", "a.png", "b.nfc", compare.HTML, "out.html", "-f").code == 6
    assert Path("out.html").read_text() == "old"
    assert files() == ["a.png", "b.nfc", "out.html"]


def test_encode_writes_a_page(two):
    plain = two("encode", "a.png", "plain.nfc", "-e", 1, "--psnr", 30)
    result = two("encode", "a.png", "c.nfc", "-e", 1, "--psnr", 30, "--report", "c.html")
    assert (plain.code, result.code) == (0, 0), result.err
    assert Path("c.nfc").read_bytes() == Path("plain.nfc").read_bytes()
    page = Path("c.html").read_text(encoding="utf-8")
    assert "c.nfc, made from a.png" in page
    assert f"{os.path.getsize('c.nfc'):,}" in page


def test_a_report_of_standard_input_and_output(two):
    result = two("encode", "-", "-", "-e", 1, "--psnr", 30, "--report", "c.html", stdin=PNG)
    assert result.code == 0, result.err
    assert result.out.startswith(b"\x8bNFC")
    assert "standard output, made from standard input" in Path("c.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("target", "code"), [("a.png", 2), ("c.nfc", 2), ("d.nfc", 2), ("d.png", 2), ("-", 2), ("missing/d", 7), ("b", 7)]
)
def test_a_report_that_cannot_be_written_costs_no_encode(two, monkeypatch, target, code):
    Path("b").write_text("mine")
    before = files()
    monkeypatch.setattr("nfcodec.codec.encode", pytest.fail)
    result = two("encode", "a.png", "c.nfc", encode.REPORT, target)
    assert result.code == code, result.err
    assert_one_clear_line(result)
    assert files() == before


def test_no_encode_no_report(two):
    result = two("encode", "a.png", "c.nfc", "-e", 1, "--size", 1, "--report", "c.html")
    assert result.code == 5
    assert files() == ["a.png", "b.nfc"]
