"""Searches for the best rate, and what a record keeps of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.paper.acceleration import Search, doubtful, milestones, thinned
from benchmarks.records.store import run_jobs

SEARCH = Search(
    "set", "image", "abc", side=16, field="siren", width=8, precision="fp32", transform="rpp", target_db=25.0,
    max_steps=60, log2_rates=(-8, -9, -10, -11), first_log2_rate=-9,
)  # fmt: skip
QUICK = replace(SEARCH, width=12, target_db=16.0)
"""The best rate is the highest, 2^-8; the search begins with 2^-9."""

PICTURE = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)


def test_a_stacked_search_finds_what_the_engine_finds() -> None:
    # At 16 dB: further on the two go apart by more than a step's progress, as their sums are rounded differently.
    jobs = [replace(QUICK, transform=chain) for chain in ("none", "rpp", "scale:2")]
    stacked = [replace(job, engine="stacked") for job in jobs]
    assert len({str(job.companions) for job in stacked}) == 1
    ours = run_jobs(jobs, [PICTURE] * 3, "")
    theirs = run_jobs(stacked, [PICTURE] * 3, "")
    assert all(row["reached"] for row in ours)
    assert [(row["steps"], row["log2_rate"]) for row in ours] == [(row["steps"], row["log2_rate"]) for row in theirs]


def test_a_search_whose_target_is_not_reached_says_so() -> None:
    row = run_jobs([replace(SEARCH, target_db=90.0, max_steps=5)], [PICTURE], "")[0]
    assert (row["reached"], row["steps"]) == (False, 5)
    assert {run["ending"] for run in row["runs"]} == {"capped"}


def test_a_rate_that_was_given_up_too_early_is_found_when_the_record_is_checked() -> None:
    right = run_jobs([QUICK], [PICTURE], "")[0]
    slow = run_jobs([replace(QUICK, log2_rates=(-9, -10, -11))], [PICTURE], "")[0]
    assert slow["steps"] > right["steps"]
    early = {**right["runs"][0], "log2_rate": right["log2_rate"], "ending": "dominated", "steps": 1}
    wrong = {**slow, **{name: right[name] for name in ("key", "log2_rates")}}
    wrong["runs"] = [early, *slow["runs"]]
    assert doubtful(wrong) == [early]
    assert Search.of(wrong) == QUICK
    found = QUICK.rechecked(wrong, PICTURE)
    assert found["log2_rate"] == right["log2_rate"] == -8
    assert {name: found[name] for name in ("steps", "milestones", "curve")} == {
        name: right[name] for name in ("steps", "milestones", "curve")
    }
    assert doubtful(found) == []


def test_a_rate_that_loses_again_leaves_the_record_as_it_is() -> None:
    row = run_jobs([QUICK], [PICTURE], "")[0]
    runs = [{**run, "ending": "stalled", "steps": 3} if run["log2_rate"] == -10 else run for run in row["runs"]]
    assert len(doubtful({**row, "runs": runs})) == 1
    found = QUICK.rechecked({**row, "runs": runs}, PICTURE)
    assert list(found) == ["runs"]
    assert [(run["log2_rate"], run["ending"]) for run in found["runs"]] == [
        (run["log2_rate"], run["ending"]) for run in row["runs"]
    ]


def test_records_of_other_settings_are_no_searches() -> None:
    row = run_jobs([QUICK], [PICTURE], "")[0]
    with pytest.raises(ValueError, match="of no search"):
        Search.of({**row, "side": 17})
    assert doubtful({**row, "reached": False}) == []


def test_milestones_and_thinned_curves() -> None:
    curve = [10.0, 21.0, 19.0, 31.0, 51.0]
    assert milestones(curve) == {"20": 1, "25": 3, "30": 3, "35": 4, "40": 4, "45": 4, "50": 4}
    assert thinned(curve) == [[i, psnr] for i, psnr in enumerate(curve)]
    long = thinned([float(i) for i in range(5000)])
    assert long[0] == [0, 0.0]
    assert long[-1] == [4999, 999.0]
    assert len(long) <= 40
