"""What the report says of whole encodes."""

from __future__ import annotations

import pytest

from benchmarks.records.store import Row
from benchmarks.report import encodes
from benchmarks.report.encode_groups import SOLVED
from benchmarks.report.grouping import used_family
from benchmarks.report.table import markdown


def encode(
    family: str, transform: str, n_bytes: int, *seconds: float, field: str = "auto", steps: int = 90, image: str = "a",
    target_db: float = 40.0, seed: int = 0,
) -> list[Row]:  # fmt: skip
    """Repetitions of one encode."""
    settings = {"field": field, "transform": transform, "side": 0, "gray": False, "target_db": target_db, "effort": 5}
    results = {"family": family, "bytes": n_bytes, "fit_steps": steps // 3, "steps": steps, "reached": True}
    names = {"study": "codec", "dataset": "kodak", "image": image, "seed": seed}
    return [{**names, **settings, **results, "repeat": i, "encode_seconds": each} for i, each in enumerate(seconds)]


AUTO = [*encode("wavelet", "none", 1000, 4.0, 9.0, 4.2), *encode("table", "rpp", 3000, 2.1, 2.0, 2.2, steps=0)]


def test_encodes_are_medians_over_repetitions_and_ratios_against_no_transform() -> None:
    (table,) = encodes.tables(AUTO)
    columns = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [(row["fitted"], row["transform"], row["seconds"]) for row in columns] == [
        ("wavelet", "none", 4.2), ("table", "rpp", 2.1),
    ]  # fmt: skip
    assert columns[1]["seconds against no transform"].value == pytest.approx(0.5)  # pyright: ignore
    assert columns[1]["bytes against no transform"].value == 3.0  # pyright: ignore
    assert [row["gradient steps"] for row in columns] == ["30, 90 in all", SOLVED]
    assert columns[1]["steps against no transform"] is None
    assert "Instant-NGP" not in markdown(table)


def test_encodes_that_gave_up_are_bounds_and_their_bytes_are_not_compared() -> None:
    missed = [{**row, "reached": False} for row in encode("ngp", "rpp", 300, 8.0, field="ngp", steps=9000)]
    rows = [*encode("ngp", "none", 1000, 4.0, field="ngp"), *missed]
    (table,) = encodes.tables(rows)
    steps, _, seconds, _, size = table.rows[1][6:]
    assert (str(steps), str(seconds), size) == (">= 100.00", ">= 2.00", None)
    assert encodes.sentences(rows) == [
        "At 40 dB, rpp took >= 2.00 times the seconds of the picture as it is (bytes do not compare, as not all encodes"
        " reached it): `ngp`, fitted in 9,000 gradient steps, against `ngp`, fitted in 90 gradient steps."
    ]
    (overview,) = [encodes.overview(rows)]
    assert overview is not None
    assert overview.rows[0][-1] == "3,000 steps, time x >= 2.00"
    reference_missed = [{**row, "reached": not row["reached"]} for row in rows]
    (table,) = encodes.tables(reference_missed)
    assert str(table.rows[1][6]) == "<= 100.00"


def test_wavelet_and_table_are_compared_also_when_asked_for_by_name() -> None:
    named = [
        *encode("table", "rpp", 3000, 2.0, field="table", steps=0),
        *encode("table", "none", 5000, 2.0, field="table", steps=0),
        *encode("wavelet", "none", 1000, 4.0, field="wavelet"),
    ]
    (table,) = encodes.tables(named)
    cells = {row[1:3]: row[10] for row in table.rows}
    assert cells.pop(("wavelet", "none")) == 1
    assert {way: cell.value for way, cell in cells.items()} == {  # pyright: ignore
        ("table", "rpp"): 3.0, ("table", "none"): 5.0,
    }  # fmt: skip


def test_auto_is_compared_with_itself_where_it_took_different_fields() -> None:
    rows = [
        *encode("wavelet", "none", 1000, 4.0), *encode("table", "rpp", 2000, 2.0, steps=0),
        *encode("grid", "none", 500, 90.0, image="b"), *encode("table", "rpp", 4000, 2.0, image="b", steps=0),
        *encode("wavelet", "none", 800, 4.0, field="wavelet", image="b"),
    ]  # fmt: skip
    (table,) = encodes.tables(rows)
    cells = {row[1:3]: (row[3], row[10]) for row in table.rows}
    assert cells.pop(("wavelet or grid", "none")) == (2, 1)
    assert {way: (n, cell.value) for way, (n, cell) in cells.items()} == {  # pyright: ignore
        ("table", "rpp"): (2, 5.0), ("wavelet", "none"): (1, 1.6),
    }  # fmt: skip


def test_seeds_of_a_picture_count_as_one() -> None:
    rows = [
        *encode("ngp", "none", 1000, 4.0, field="ngp"), *encode("ngp", "rpp", 2000, 4.0, field="ngp"),
        *encode("ngp", "none", 500, 4.0, field="ngp", seed=1), *encode("ngp", "rpp", 2000, 4.0, field="ngp", seed=1),
        *encode("ngp", "none", 700, 4.0, field="ngp", image="b"),
        *encode("ngp", "rpp", 700, 4.0, field="ngp", image="b"),
    ]  # fmt: skip
    (table,) = encodes.tables(rows)
    assert [row[3] for row in table.rows] == [2, 2]
    assert table.rows[1][10].value == 2.0  # pyright: ignore  # of 3 and 1


def test_each_family_has_its_own_reference() -> None:
    siren = [
        *encode("siren", "none", 8000, 1.0, field="siren", target_db=50.0),
        *encode("siren", "rpp", 8800, 1.0, field="siren", target_db=50.0, steps=81),
    ]
    ngp = [*encode("ngp", "none", 6000, 9.0, field="ngp"), *encode("ngp", "rpp", 9000, 9.0, field="ngp")]
    summary = encodes.summary([*AUTO, *siren, *ngp])
    assert summary is not None
    text = markdown(summary)
    assert "| table | 40 dB | rpp | solved in closed form | - | 0.50 | 3000 | 3.00 |" in text
    assert "| siren | 50 dB | rpp | 27, 81 in all | 0.90 | 1.00 | 8800 | 1.10 |" in text
    assert "| ngp | 40 dB | rpp | 30, 90 in all | 1.00 | 1.00 | 9000 | 1.50 |" in text
    assert summary.notes[0].startswith("1 picture (whole pictures, RGB).")
    assert encodes.summary([]) is None
    ngp[1]["reached"] = False
    summary = encodes.summary(ngp)
    assert summary is not None
    assert [row[1] for row in summary.rows] == ["40 dB", "40 dB, reached on 0 of 1"]


def test_the_same_in_words() -> None:
    (sentence,) = encodes.sentences(AUTO)
    assert sentence == (
        "At 40 dB, rpp took 0.50 times the seconds and 3.00 times the bytes of the picture as it is: `table`, solved in"
        " closed form, against `wavelet`, fitted in 90 gradient steps."
    )


def test_the_family_of_records_that_do_not_name_it() -> None:
    assert used_family({"field": "ngp", "transform": "none"}) == "wavelet"
    assert used_family({"field": "ngp", "transform": "standardize+rpp"}) == "table"
    assert used_family({"field": "siren", "transform": "rpp"}) == "siren"
    assert used_family({"field": "ngp", "transform": "none", "family": "ngp"}) == "ngp"


def test_the_overview_has_a_column_for_each_transform() -> None:
    ngp = [*encode("ngp", "none", 6000, 9.0, field="ngp"), *encode("ngp", "sympower", 9000, 9.0, field="ngp")]
    overview = encodes.overview([*AUTO, *ngp])
    assert overview is not None
    assert overview.columns == ("fitted", "to", "none", "rpp", "sympower")
    assert overview.rows == (
        ("wavelet", "40 dB", "30 steps, 1,000 bytes", "table: no steps, time x 0.50, bytes x 3.00", None),
        ("ngp", "40 dB", "30 steps, 6,000 bytes", None, "30 steps, time x 1.00, bytes x 1.50"),
    )
    assert encodes.overview([]) is None
