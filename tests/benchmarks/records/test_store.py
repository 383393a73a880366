"""Records: keys, files that were cut short, resuming."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmarks.commands import main
from benchmarks.paper.acceleration import Encode, Search, milestones, thinned
from benchmarks.records.store import Store, read, run_jobs

SEARCH = Search(
    "set", "image", "abc", side=16, field="siren", width=8, precision="fp32", transform="rpp", target_db=25.0,
    max_steps=60, log2_rates=(-8, -9, -10, -11), first_log2_rate=-9,
)  # fmt: skip
PICTURE = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)


def test_keys_are_of_what_matters() -> None:
    assert replace(SEARCH, dataset="other", image="name").key == SEARCH.key
    for change in (
        {"sha256": "d"}, {"side": 17}, {"width": 9}, {"transform": "none"}, {"seed": 1}, {"max_steps": 61},
        {"log2_rates": (-8,)}, {"precision": "fp16"}, {"first_log2_rate": None},
    ):  # fmt: skip
        assert replace(SEARCH, **change).key != SEARCH.key
    assert Encode("set", "image", "abc", 16, True, "siren", "rpp", 25.0).key != SEARCH.key


def test_a_record_holds_the_settings_the_results_and_the_surroundings() -> None:
    row = run_jobs([SEARCH], [PICTURE], "c0ffee")[0]
    assert json.loads(json.dumps(row))["key"] == SEARCH.key
    assert {"study", "transform", "log2_rates", "runs", "steps", "commit", "processor", "torch", "threads"} <= set(row)
    again = run_jobs([SEARCH], [PICTURE], "c0ffee")[0]
    assert [run["psnr_db"] for run in row["runs"]] == [run["psnr_db"] for run in again["runs"]]


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


def test_a_store_goes_on_after_a_line_that_was_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "records.jsonl"
    store = Store(path)
    store.append({"key": "a", "value": 1})
    store.append({"key": "b", "value": 2})
    with path.open("a") as file:
        file.write('{"key": "c", "val')
    again = Store(path)
    assert again.keys == {"a", "b"}
    again.append({"key": "c", "value": 3})
    assert [row["value"] for row in read(path)] == [1, 2, 3]


def test_of_two_records_with_one_key_the_last_counts(tmp_path: Path) -> None:
    store = Store(tmp_path / "r.jsonl")
    store.append({"key": "a", "value": 1})
    store.append({"key": "a", "value": 2})
    assert [row["value"] for row in read(tmp_path / "r.jsonl")] == [2]


def test_damage_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"key": "a"}\n{"no": "key"}\n')
    with pytest.raises(ValueError, match="line 2: not a record"):
        list(read(tmp_path / "r.jsonl"))


def test_milestones_and_thinned_curves() -> None:
    curve = [10.0, 21.0, 19.0, 31.0, 51.0]
    assert milestones(curve) == {"20": 1, "25": 3, "30": 3, "35": 4, "40": 4, "45": 4, "50": 4}
    assert thinned(curve) == [[i, psnr] for i, psnr in enumerate(curve)]
    long = thinned([float(i) for i in range(5000)])
    assert long[0] == [0, 0.0]
    assert long[-1] == [4999, 999.0]
    assert len(long) <= 40


def test_the_command_resumes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Image.fromarray(PICTURE + ord(name)).save(tmp_path / f"{name}.png")
    records = tmp_path / "records" / "r.jsonl"
    options = ["acceleration", "--set", str(tmp_path), "--side", "16", "--width", "8", "--psnr", "25"]
    options += ["--transform", "rpp", "--max-steps", "50", "--records", str(records)]
    first = CliRunner().invoke(main, [*options, "--images", "1"])
    assert first.exit_code == 0, first.output
    assert "2 runs, 0 of them recorded already" in first.output
    second = CliRunner().invoke(main, options)
    assert "4 runs, 2 of them recorded already" in second.output
    assert len(list(read(records))) == 4
    assert "4 runs, 4 of them recorded already" in CliRunner().invoke(main, options).output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--transform", "sort"], "unknown transform"),
        (["--protocol", "codec", "--processes", "2"], "one at a time"),
        (["--set", "no-such-set"], "no-such-set"),
        (["--side", "0"], "needs a --side"),
        (["--engine", "stacked", "--precision", "fp16"], "fp32"),
    ],
)
def test_what_cannot_be_done_is_said(options: list[str], message: str, tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    command = ["acceleration", "--set", str(tmp_path), "--records", str(tmp_path / "r.jsonl"), "--side", "16", *options]
    result = CliRunner().invoke(main, command)
    assert result.exit_code != 0
    assert message in result.output


def test_the_codec_protocol_measures_whole_encodes(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    records = tmp_path / "r.jsonl"
    command = [
        "acceleration",
        "--protocol",
        "codec",
        "--field",
        "ngp",
        "--set",
        str(tmp_path),
        "--side",
        "16",
        "--gray",
    ]
    command += ["--transform", "rpp", "--psnr", "35", "--effort", "1", "--records", str(records)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    rows = {row["transform"]: row for row in read(records)}
    assert set(rows) == {"none", "rpp"}
    for row in rows.values():
        assert row["reached"]
        assert row["psnr_db"] >= 35
        assert 0 < row["encode_seconds"] <= row["process_seconds"]
        assert row["bpp"] == pytest.approx(8 * row["bytes"] / 256)
