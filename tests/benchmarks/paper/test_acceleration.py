"""Searches for the best rate, and what a record keeps of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.paper.acceleration import Search, milestones, thinned
from benchmarks.records.store import run_jobs

SEARCH = Search(
    "set", "image", "abc", side=16, field="siren", width=8, precision="fp32", transform="rpp", target_db=25.0,
    max_steps=60, log2_rates=(-8, -9, -10, -11), first_log2_rate=-9,
)  # fmt: skip
PICTURE = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)


def test_a_stacked_search_finds_what_the_engine_finds() -> None:
    # At 16 dB: further on the two go apart by more than a step's progress, as their sums are rounded differently.
    jobs = [replace(SEARCH, transform=chain, width=12, target_db=16.0) for chain in ("none", "rpp", "scale:2")]
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


def test_milestones_and_thinned_curves() -> None:
    curve = [10.0, 21.0, 19.0, 31.0, 51.0]
    assert milestones(curve) == {"20": 1, "25": 3, "30": 3, "35": 4, "40": 4, "45": 4, "50": 4}
    assert thinned(curve) == [[i, psnr] for i, psnr in enumerate(curve)]
    long = thinned([float(i) for i in range(5000)])
    assert long[0] == [0, 0.0]
    assert long[-1] == [4999, 999.0]
    assert len(long) <= 40
