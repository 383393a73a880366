"""Ratios, their means and intervals, and the tables made of records."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.paper.published import ACCELERATION, dataset
from benchmarks.records.store import Row
from benchmarks.report.estimates import Mean, Ratio, Signs, interval, mean_ratio
from benchmarks.report.table import Table, markdown, shown
from benchmarks.report.tables import tables


def paper_row(image: str, transform: str, steps: int, *, reached: bool = True, folder: str = "kodak") -> Row:
    settings = {"field": "siren", "width": 128, "side": 128, "precision": "fp32", "target_db": 50.0, "seed": 0}
    row = {"key": f"{folder}{image}{transform}", "study": "paper", "dataset": folder, "image": image, **settings}
    row |= {"transform": transform, "max_steps": 1000, "reached": reached, "steps": steps}
    found = {"seconds": steps / 10, "log2_rate": -9, "milestones": {"30": steps // 2, "50": steps}, "curve": [[0, 1.0]]}
    return row | (found if reached else {})


def of(name: str, rows: list[Row]) -> Table:
    return next(table for table in tables(rows) if table.name.startswith(name))


def test_table_1_is_the_mean_of_the_ratios() -> None:
    rows = [
        paper_row("a", "none", 100),
        paper_row("a", "rpp", 50),
        paper_row("b", "none", 90),
        paper_row("b", "rpp", 90),
    ]
    table = of("table-1", rows)
    theirs, ours = table.rows
    assert table.columns == ("pictures and setting", "n", "rpp")
    mean = ours[2]
    assert isinstance(mean, Mean)
    assert (mean.value, mean.n, mean.sign) == (1.5, 2, "")
    assert ours[:2] == ("kodak, 128 x 128", 2)
    assert theirs == ("kodak, the paper, 512 x 512", 24, ACCELERATION["siren", "kodak"]["rpp"])
    assert "| 1.50 |" in markdown(table)  # no interval for two pictures


def test_runs_that_hit_the_cap_make_bounds() -> None:
    reference, slow = paper_row("a", "none", 100), paper_row("a", "gamma:0.5", 1000, reached=False)
    table = of("table-1", [reference, slow])
    mean = table.rows[1][2]
    assert isinstance(mean, Mean)
    assert (mean.value, mean.sign, mean.n_bounds) == (0.1, "<=", 1)
    assert of("steps", [reference, slow]).rows == (("kodak", "a", 100, "> 1000"),)


def test_bounds_both_ways_and_unknown_ratios() -> None:
    ratios = [Ratio.of(100, True, 50, True), Ratio.of(1000, False, 50, True), Ratio.of(100, True, 1000, False)]
    mean = Mean.of([*ratios, Ratio.of(1000, False, 1000, False)])
    assert mean is not None
    assert (mean.sign, mean.n, mean.n_bounds, mean.n_unknown) == ("~", 3, 2, 1)
    assert Mean.of([Ratio.of(1, False, 1, False)]) is None
    assert str(Mean.of(ratios[:2])) == ">= 11.00"
    assert str(Mean.of(ratios[1:2])) == ">= 20.00"


def test_the_interval_is_the_bootstrap_s() -> None:
    values = np.random.default_rng(1).normal(2.0, 0.5, 40)
    low, high = interval(values)
    normal = 1.96 * values.std() / math.sqrt(40)
    assert low == pytest.approx(values.mean() - normal, abs=0.03)
    assert high == pytest.approx(values.mean() + normal, abs=0.03)
    assert [math.isnan(interval(values[:n])[0]) for n in (1, 4, 5)] == [True, True, False]
    few, many = (Mean.of([Ratio(value, "exact") for value in values[:n]]) for n in (4, 5))
    assert "[" not in str(few)
    assert "[" in str(many)


def test_the_median_and_the_geometric_mean_stand_beside_the_mean() -> None:
    mean = Mean.of([Ratio(value, "exact") for value in (0.5, 1.0, 8.0)])
    assert mean is not None
    assert (mean.value, mean.median) == (pytest.approx(9.5 / 3), 1.0)
    assert mean.geometric == pytest.approx(4 ** (1 / 3))


def test_seeds_of_which_nothing_is_known_are_left_out() -> None:
    assert mean_ratio([Ratio(2.0, "exact"), Ratio(9.0, "unknown")]) == Ratio(2.0, "exact")
    assert mean_ratio([Ratio(2.0, "at most"), Ratio(1.0, "exact")]) == Ratio(1.5, "at most")
    assert mean_ratio([Ratio(2.0, "at most"), Ratio(1.0, "at least")]).kind == "unknown"
    assert mean_ratio([Ratio(9.0, "unknown")]).kind == "unknown"


def test_the_sign_test_is_exact_and_counts_what_bounds_tell() -> None:
    signs = Signs.of([Ratio(1.2, "exact")] * 7 + [Ratio(0.9, "exact")])
    assert (signs.faster, signs.slower) == (7, 1)
    assert signs.p == pytest.approx(2 * (1 + 8) / 2**8)
    bounds = [Ratio(0.5, "at most"), Ratio(1.5, "at most"), Ratio(1.5, "at least"), Ratio(0.5, "at least")]
    assert (Signs.of(bounds).faster, Signs.of(bounds).slower) == (1, 1)
    assert Signs.of([Ratio(1.0, "exact"), Ratio(3.0, "unknown")]) == Signs(0, 0, 1.0)


def test_all_transforms_are_ranked_and_held_against_rpp() -> None:
    rows = [
        paper_row("a", chain, steps) for chain, steps in {"none": 120, "rpp": 60, "blocks:8": 40, "lines": 240}.items()
    ]
    table = of("transforms", rows)
    assert [row[0] for row in table.rows] == ["blocks:8", "rpp", "lines"]
    assert [row[3].value for row in table.rows] == [1.5, 1.0, 0.25]  # pyright: ignore
    assert [row[5] for row in table.rows] == ["1 of 1", "1 of 1", "0 of 1"]


def test_several_seeds_of_a_picture_count_as_one() -> None:
    first = [paper_row("a", "none", 100), paper_row("a", "rpp", 50), paper_row("b", "none", 100)]
    second = [row | {"seed": 1} for row in (paper_row("a", "none", 100), paper_row("a", "rpp", 100))]
    table = of("transforms", [*first, paper_row("b", "rpp", 200), *second])
    (row,) = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert (row["n"], row["pictures with fewer steps than without"]) == (2, "1 of 2")
    for column in ("times fewer steps than without", "times fewer seconds than without"):
        assert isinstance(row[column], Mean)
        assert (row[column].value, row[column].n) == (1.0, 2)


def test_table_2_has_the_paper_beside_ours() -> None:
    rows = [
        paper_row("a", "none", 100),
        paper_row("a", "rpp", 60),
        paper_row("b", "none", 50),
        paper_row("b", "rpp", 50),
    ]
    assert of("table-2", rows).rows == (
        ("kodak", "none", "ours", 2, 37.5, 75.0, 0.5),
        ("kodak", "none", "paper", 24, 105.8, 1371.4, 0.08),
        ("kodak", "rpp", "ours", 2, 27.5, 55.0, 0.5),
        ("kodak", "rpp", "paper", 24, 851.8, 1100.5, 0.79),
    )


def test_tables_2_and_3_count_several_seeds_of_a_picture_as_one() -> None:
    of_a = [paper_row("a", transform, 100) for transform in ("none", "rpp")]
    of_b = [paper_row("b", transform, 300) for transform in ("none", "rpp")]
    rows = [*of_a, *of_b, *(row | {"seed": 1, "milestones": {"30": 100, "50": 300}} for row in of_a)]
    ours = [row for row in of("table-2", rows).rows if row[2] == "ours"]
    ratio = pytest.approx((5 / 12 + 1 / 2) / 2)
    assert ours == [("kodak", name, "ours", 2, 112.5, 250.0, ratio) for name in ("none", "rpp")]

    watched = [row | {"study": "dynamics", "line": [20.0 + row["seed"], 50.0]} for row in rows]
    for row in watched:
        variance = {"20": 4.0, "30": 2.0 + 4.0 * row["seed"]} if row["image"] == "a" else {"20": 8.0}
        row["squared_error_variance"] = variance if row["transform"] == "none" else {"20": 2.0, "30": 1.0}
    none, rpp, ratio = (row[3:] for row in of("table-3", watched).rows if row[2] == "ours")
    assert none == (2, 6.0, 4.0, None, None)
    assert rpp == (2, 2.0, 1.0, None, None)
    assert ratio == (2, 3.0, 4.0, None, None)
    lowest = next(row for row in of("barrier", watched).rows if row[2] == "ours")
    assert lowest == ("kodak", "none", "ours", 2, (20.5 + 20.0) / 2, 20.0)


def test_tables_3_and_of_lines_have_any_transform_that_was_watched() -> None:
    fits = {"none": ("a", "b"), "rpp": ("a",), "sympower": ("b",)}
    more = {"study": "dynamics", "line": [20.0, 50.0], "squared_error_variance": {"20": 4.0}}
    watched = [paper_row(image, transform, 9) | more for transform, images in fits.items() for image in images]
    ours = [row[1:5] for row in of("table-3", watched).rows if row[2] == "ours"]
    assert ours == [
        ("none", "ours", 2, 4.0), ("rpp", "ours", 1, 4.0), ("none / rpp, mean of the ratios", "ours", 1, 1.0),
        ("sympower", "ours", 1, 4.0), ("none / sympower, mean of the ratios", "ours", 1, 1.0),
    ]  # fmt: skip
    assert [row[1] for row in of("barrier", watched).rows if row[2] == "ours"] == ["none", "rpp", "sympower"]


def test_the_set_ups_say_how_often_the_best_rate_was_at_an_end_of_the_grid() -> None:
    rows = [paper_row("a", name, 9) | {"log2_rates": [-8, -9, -10], "log2_rate": rate}
            for name, rate in (("none", -8), ("rpp", -9), ("zigzag", -10), ("scale:2", -8))]  # fmt: skip
    table = of("setups", [*rows, paper_row("b", "none", 9) | {"log2_rates": [-8, -9], "log2_rate": -8}])
    assert dict(zip(table.columns, table.rows[-1], strict=True))["best rate the highest, the lowest"] == "2, 1 of 4"


def test_the_set_ups_count_searches_that_gave_a_rate_up_too_early() -> None:
    early, late = ({"runs": [{"ending": "dominated", "steps": steps}]} for steps in (24, 25))
    rows = [paper_row("a", name, 100) | more for name, more in (("none", early), ("rpp", late), ("zigzag", {}))]
    table = of("setups", rows)
    assert dict(zip(table.columns, table.rows[-1], strict=True))["in doubt"] == 1


def test_the_set_ups_say_how_many_seeds_there_are_and_what_is_short() -> None:
    rows = [paper_row("a", name, 9) | {"seed": seed, "precision": "fp16-loss"}
            for name in ("none", "rpp") for seed in (0, 1)]  # fmt: skip
    for more, said in (([], "2"), ([paper_row("b", "none", 9) | {"precision": "fp16-loss"}], "2 (fewer for some)")):
        table = of("setups", [*rows, *more])
        found = dict(zip(table.columns, table.rows[-1], strict=True))
        assert (found["seeds"], found["16 bits"]) == (said, "parameters, gradients")


def test_the_paper_s_datasets_are_known_by_the_folder() -> None:
    assert [dataset(name) for name in ("kodak", "clic-512", "div2k-lr-x2", "mine")] == ["kodak", "clic", "div2k", None]


def test_cells() -> None:
    assert [shown(cell) for cell in (None, float("nan"), 3, 2.345, 12345.6, 1.5e-5, "x")] == [
        "-", "-", "3", "2.35", "12346", "1.50e-05", "x",
    ]  # fmt: skip
