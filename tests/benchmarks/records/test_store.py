"""Records: keys, files that were cut short, resuming."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.paper.acceleration import Search
from benchmarks.paper.encode import Encode
from benchmarks.records.store import REQUIRED, Row, Store, read, run_jobs

SEARCH = Search(
    "set", "image", "abc", side=16, field="siren", width=8, precision="fp32", transform="rpp", target_db=25.0,
    max_steps=60, log2_rates=(-8, -9, -10, -11), first_log2_rate=-9,
)  # fmt: skip
PICTURE = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)


def record(key: str, value: int = 0) -> Row:
    """What every record has."""
    return {**dict.fromkeys(REQUIRED, ""), "key": key, "value": value}


def line(key: str) -> tuple[bytes, bytes]:
    """A record in a file, in two halves."""
    text = json.dumps(record(key)).encode() + b"\n"
    return text[:9], text[9:]


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
    assert {"transform", "log2_rates", "runs", "steps", "torch", "threads", "load", *REQUIRED} <= set(row)
    again = run_jobs([SEARCH], [PICTURE], "c0ffee")[0]
    assert [run["psnr_db"] for run in row["runs"]] == [run["psnr_db"] for run in again["runs"]]


def test_a_store_goes_on_after_a_line_that_was_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "records.jsonl"
    store = Store(path)
    store.append(record("a", 1))
    store.append(record("b", 2))
    with path.open("a") as file:
        file.write('{"key": "c", "val')
    again = Store(path)
    assert again.keys == {"a", "b"}
    again.append(record("c", 3))
    assert [row["value"] for row in read(path)] == [1, 2, 3]


def test_who_appends_waits_for_another_program_that_does(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "records.jsonl"
    Store(path).append(record("a"))
    program = (
        "import json, sys; from pathlib import Path; from benchmarks.records.store import Store\n"
        "store = Store(Path(sys.argv[1])); print('ready', flush=True); store.append(json.loads(sys.argv[2]))"
    )
    with path.open("ab") as mine:
        fcntl.flock(mine, fcntl.LOCK_EX)
        first, rest = line("b")
        mine.write(first)
        mine.flush()
        other = subprocess.Popen(
            [sys.executable, "-c", program, str(path), json.dumps(record("c"))], stdout=subprocess.PIPE
        )
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(0.5)
        mine.write(rest)
    other.communicate()
    assert other.returncode == 0
    assert [row["key"] for row in read(path)] == ["a", "b", "c"]


def test_a_store_does_not_touch_a_line_that_another_program_is_writing(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    Store(path).append(record("a"))
    with path.open("ab") as other:
        first, rest = line("b")
        other.write(first)
        other.flush()
        assert Store(path).keys == {"a"}
        other.write(rest)
    assert [row["key"] for row in read(path)] == ["a", "b"]


def test_of_two_records_with_one_key_the_last_counts(tmp_path: Path) -> None:
    store = Store(tmp_path / "r.jsonl")
    store.append(record("a", 1))
    store.append(record("a", 2))
    assert [row["value"] for row in read(tmp_path / "r.jsonl")] == [2]


def test_a_folder_stands_for_the_files_of_records_in_it(tmp_path: Path) -> None:
    for i, name in enumerate(("b.jsonl", "a.jsonl")):
        Store(tmp_path / name).append(record(name, i))
    (tmp_path / "README.md").write_text("no record")
    assert [row["value"] for row in read(tmp_path)] == [1, 0]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no files of records"):
        list(read(tmp_path / "empty"))


def test_a_store_without_a_file_remembers_keys_only() -> None:
    store = Store(None)
    store.append(record("a"))
    assert store.keys == {"a"}


def test_damage_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(json.dumps(record("a")) + '\n{"key": "b"}\n')
    with pytest.raises(ValueError, match="line 2: not a record; a record has key, study, sha256,"):
        list(read(tmp_path / "r.jsonl"))
