"""The text of docs/reference/results.md with tables of records, and the tables that only this page has."""

from __future__ import annotations

import re

import pytest

from benchmarks.records.store import Row
from benchmarks.report.kodak import tables
from benchmarks.report.results import TEXT, narrowed, results, unbroken
from benchmarks.report.table import Table
from tests.benchmarks.report.test_tables import paper_row

TABLE = Table("t", "T", ("name", "a one", "a two", "b"), (("x", 1, None, 2), ("y", None, None, 3)), ("A note.",))


def rate(image: str, setting: float, bpp: float, **more: object) -> Row:
    row = {"study": "rate", "dataset": "kodak", "image": image, "setting": setting, "psnr_db": setting, "bpp": bpp}
    usual = {"codec": "nfcodec", "field": "auto", "family": "wavelet", "transform": "none", "effort": 5, "seed": 0}
    return {**row, **usual, "bytes": round(1000 * bpp), "encode_seconds": 2.0, "decode_seconds": 0.5, **more}


def test_columns_are_chosen_and_rows_that_have_none_go() -> None:
    assert narrowed(TABLE, ["name", "a *"]) == Table(
        "t", "T", ("name", "a one", "a two"), (("x", 1, None),), ("A note.",)
    )
    assert narrowed(TABLE, ["*"]) == TABLE
    with pytest.raises(ValueError, match="table t has no column c, but name; a one; a two; b"):
        narrowed(TABLE, ["name", "c"])


def test_lines_in_braces_are_replaced() -> None:
    rows = [paper_row("a", "none", 100), paper_row("a", "rpp", 50)]
    text = results(rows, "Before.\n\n{{answer}}\n\n{{table-1-*: pict*; rpp}}\n\nAfter {{answer}}.\n")
    assert text.startswith("Before.\n\n1. On 1 picture of kodak with SIREN, 128 x 128, ")
    assert "| pictures and setting | rpp |\n| --- | --- |\n| kodak, the paper, 512\u00a0x\u00a0512 | 1.26 |\n" in text
    assert "| kodak, 128\u00a0x\u00a0128 | 2.00 |" in text
    assert text.endswith("\n\nAfter {{answer}}.\n")


def test_narrow_columns_break_no_interval_and_no_size() -> None:
    text = "a, 8 x 8 | 0.5 [0.4, 0.6] | [-1.0, +2]"
    assert unbroken(text) == "a, 8\u00a0x\u00a08 | 0.5 [0.4,\u00a00.6] | [-1.0,\u00a0+2]"


def test_a_table_that_the_records_do_not_give_is_noticed() -> None:
    with pytest.raises(ValueError, match="the records give no table frog-\\*"):
        results([], "{{frog-*}}\n")


def test_the_text_has_no_figures_of_its_own() -> None:
    text = re.sub(r"```.*?```", "", TEXT.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert "{{answer}}" in text
    assert not re.findall(r"\d\.\d|\d %|\d times", text.replace("95 % bootstrap intervals", ""))


def test_files_are_held_against_others_of_the_same_picture() -> None:
    rows = [
        *(rate(image, 30.0, bpp, field="siren", family="siren") for image, bpp in (("one", 0.2), ("two", 0.6))),
        *(rate(image, db, db / 100) for image in ("one", "two") for db in (30.0, 40.0)),
        *(rate(image, 40.0, bpp, transform="rpp", family="table") for image, bpp in (("one", 0.8), ("two", 3.2))),
    ]
    named = {table.name: table for table in tables(rows)}
    assert named["seconds-kodak"].rows == (
        ("siren", "30 dB", 2, 2.0, 0.5), ("wavelet", "30 dB", 2, 2.0, 0.5), ("wavelet", "40 dB", 2, 2.0, 0.5),
    )  # fmt: skip
    ours, wavelet = named["sirens-kodak"].rows
    assert ours == ("`siren`", 2, pytest.approx(0.4), pytest.approx(0.4), 0.2, 0.6, None)
    assert wavelet[-1] == "1 of 2"
    assert named["permuted-kodak"].rows == (("rpp", "40 dB", 2, pytest.approx(4.0), 2.0, 8.0),)
    assert tables([]) == []
