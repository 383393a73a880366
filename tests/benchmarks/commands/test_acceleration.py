"""The verb with both protocols."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("torch")

from benchmarks.commands import main
from benchmarks.paper.acceleration import Search
from benchmarks.records.store import read
from benchmarks.report.grouping import Setup

PICTURE = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)


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
    twice = CliRunner().invoke(main, [*options, "--images", "1", "--seed", "1", "--seed", "1"])
    assert "2 runs, 0 of them recorded already" in twice.output  # what is asked for twice is run once


def test_single_pictures_can_be_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Image.fromarray(PICTURE + ord(name)).save(tmp_path / f"{name}.png")
    records = tmp_path / "r.jsonl"
    command = ["acceleration", "--set", str(tmp_path), "--side", "16", "--width", "8", "--psnr", "20"]
    command += ["--transform", "rpp", "--max-steps", "20", "--records", str(records), "--picture"]
    assert CliRunner().invoke(main, [*command, "b"]).exit_code == 0
    assert [row["image"] for row in read(records)] == ["b", "b"]
    assert "has no picture c; it has a, b" in CliRunner().invoke(main, [*command, "c"]).output


def test_all_combinations_of_settings_are_run_picture_by_picture(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Image.fromarray(PICTURE + ord(name)).save(tmp_path / f"{name}.png")
    records = tmp_path / "r.jsonl"
    command = ["acceleration", "--set", str(tmp_path), "--side", "16", "--field", "ngp", "--psnr", "20"]
    command += ["--transform", "rpp", "--max-steps", "40", "--records", str(records), "--halvings", "1"]
    command += ["--loss", "l2", "--loss", "relative-l2", "--growth", "1.5", "--seed", "0", "--seed", "3"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in records.read_text().splitlines()]
    assert [row["image"] for row in rows] == ["a"] * 8 + ["b"] * 8
    assert {(row["loss"], row["seed"], row["growth"]) for row in rows[:8]} == {
        (loss, seed, 1.5) for loss in ("l2", "relative-l2") for seed in (0, 3)
    }
    assert any(run["log2_rate"] % 1 for row in rows for run in row["runs"])
    assert all(isinstance(run["log2_rate"], int) or run["log2_rate"] % 1 for row in rows for run in row["runs"])
    assert "loss relative-l2, growth 1.5" in result.output


def test_records_with_rates_that_were_given_up_are_checked(tmp_path: Path) -> None:
    folder, records = tmp_path / "set", tmp_path / "r.jsonl"
    folder.mkdir()
    Image.fromarray(PICTURE).save(folder / "a.png")
    command = ["acceleration", "--set", str(folder), "--side", "16", "--width", "8", "--psnr", "20"]
    assert CliRunner().invoke(main, [*command, "--transform", "rpp", "--records", str(records)]).exit_code == 0
    command = ["recheck", str(records), "--data", str(tmp_path)]
    assert "0 searches" in CliRunner().invoke(main, command).output
    rows = list(read(records))
    assert rows[1]["runs"][-1]["log2_rate"] < rows[1]["log2_rate"]
    rows[1]["runs"][-1] |= {"ending": "dominated", "steps": 0}
    records.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert "1 searches gave a rate up before 0.25 of" in result.output
    now = list(read(records))
    assert now[0] == rows[0]
    assert now[1]["runs"][-1]["steps"] > 0
    check = now[1]["rechecks"][0]
    assert (check["early"], check["runs"], check["steps"]) == (0.25, 1, rows[1]["steps"])
    assert {**now[1], "runs": 0} == {**rows[1], "runs": 0, "rechecks": now[1]["rechecks"]}
    assert "0 of 1 searches found a better rate" in result.output
    assert "0 searches" in CliRunner().invoke(main, command).output
    Image.fromarray(PICTURE + 1).save(folder / "a.png")
    records.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "no picture a, or another one of that name" in result.output


@pytest.mark.parametrize("options", [("--candidates",), ("--transform", "rpp", "--transform", "center:2+blocks:8")])
def test_whole_encodes_are_for_what_the_codec_knows(options: tuple[str, ...], tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    command = ["acceleration", "--set", str(tmp_path), "--protocol", "codec", "--records", str(tmp_path / "r.jsonl")]
    result = CliRunner().invoke(main, [*command, *options])
    assert result.exit_code == 2
    assert ("on trial: center:2+blocks:8" if "rpp" in options else "is for --protocol paper") in result.output


def test_an_interrupted_command_says_that_it_can_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")

    def interrupted(self: Search, outcomes: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Search, "result", interrupted)
    command = ["acceleration", "--set", str(tmp_path), "--side", "16", "--width", "8", "--max-steps", "2"]
    result = CliRunner().invoke(main, [*command, "--records", str(tmp_path / "r.jsonl")])
    assert result.exit_code == 130
    assert "the same command goes on" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--transform", "sort"], "unknown transform"),
        (["--protocol", "codec", "--processes", "2"], "one at a time"),
        (["--set", "no-such-set"], "no-such-set"),
        (["--side", "0"], "needs a --side"),
        (["--field", "wavelet"], "is for siren and ngp"),
        (["--engine", "stacked", "--precision", "fp16"], "fp32"),
        (["--protocol", "codec", "--field", "wire"], "wire"),
        (["--field", "wire", "--engine", "stacked"], "fits siren and ngp by Adam"),
        (["--optimiser", "muon", "--engine", "stacked"], "fits siren and ngp by Adam"),
        (["--field", "ngp", "--optimiser", "soap"], "no field 'ngp' in plain PyTorch, but ffn"),
        (["--field", "ffn", "--precision", "fp16"], "are in fp32"),
        (["--field", "ffn", "--table", "15"], "need --field ngp"),
        (["--entries", "0.1"], "need --field ngp"),
        (["--engine", "stacked", "--loss", "relative-l2"], "L2 loss"),
        (["--engine", "stacked", "--device", "cuda"], "no device 'cuda' that PyTorch can use"),
        (["--engine", "torch", "--device", "cuda"], "no device 'cuda' that PyTorch can use"),
        (["--engine", "plain", "--device", "cuda"], "no device 'cuda' that PyTorch can use"),
        (["--engine", "plain", "--device", "mps"], "no device 'mps' that PyTorch can use"),
        (["--rates", "-11", "-9"], "higher rate first"),
        (["--ray", "auto", "--device", "cuda:1"], "Ray chooses the GPU"),
        (["--growth", "1.5"], "need --field ngp"),
        (["--field", "ngp", "--growth", "0.9"], "over 1"),
        (["--loss", "frog"], "'frog' is not one of"),
        (["--field", "ngp", "--growth", "2"], "more than 62,500"),
        (["--psnr", "nan"], "not a finite number"),
        (["--psnr", "inf"], "not in the range"),
        (["--field", "ngp", "--entries", "nan"], "not a finite number"),
        (["--rates", "2000", "-30"], "not in the range"),
        (["--first", "2000"], "not in the range"),
        (["--engine", "plain", "--device", "frog"], "knows no device 'frog'"),
        (["--engine", "stacked", "--device", "frog"], "knows no device 'frog'"),
        (["--field", "ffn", "--adam", "usual"], "are in fp32"),
        (["--gray"], "--gray is for --protocol codec"),
        (["--effort", "5"], "--effort is for --protocol codec"),
        (["--protocol", "codec", "--loss", "l2"], "--loss is for --protocol paper"),
        (["--protocol", "codec", "--max-steps", "3"], "--max-steps is for --protocol paper"),
    ],
)
def test_what_cannot_be_done_is_said(options: list[str], message: str, tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    command = ["acceleration", "--set", str(tmp_path), "--records", str(tmp_path / "r.jsonl"), "--side", "16", *options]
    result = CliRunner().invoke(main, command)
    assert result.exit_code != 0
    assert message in result.output
    assert ("recorded already" in result.output) == ("can use" in message)  # all but that is said before anything runs


def test_fields_and_optimisers_in_plain_torch(tmp_path: Path) -> None:
    Image.fromarray(np.linspace(20, 230, 256).astype(np.uint8).reshape(16, 16)).save(tmp_path / "a.png")
    records = tmp_path / "r.jsonl"
    command = ["acceleration", "--set", str(tmp_path), "--side", "16", "--transform", "sympower", "--psnr", "20"]
    command += ["--max-steps", "60", "--records", str(records)]
    features = ["--field", "ffn", "--width", "12", "--optimiser", "adam", "--optimiser", "kfac"]
    for more in (features, ["--field", "siren", "--engine", "plain", "--loss", "l1"]):
        result = CliRunner().invoke(main, [*command, *more])
        assert result.exit_code == 0, result.output
    rows = list(read(records))
    found = {(row["field"], row["width"], row["optimiser"], row["loss"], row["transform"]) for row in rows}
    assert found == {
        (*setting, chain)
        for setting in (("ffn", 12, "adam", "l2"), ("ffn", 12, "kfac", "l2"), ("siren", 16, "adam", "l1"))
        for chain in ("none", "sympower")
    }
    assert {row["engine"] for row in rows} == {"plain"}
    assert all(row["reached"] and max(run[1] for run in row["curve"]) >= 20 for row in rows)
    titles = {Setup.of(row).title for row in rows}
    assert titles == {
        "Fourier features 12 wide, 16 x 16, fp32, to 20 dB, at most 60 steps",
        "Fourier features 12 wide, 16 x 16, fp32, K-FAC, to 20 dB, at most 60 steps",
        "SIREN 16 wide, 16 x 16, fp32, loss l1, in plain PyTorch, to 20 dB, at most 60 steps",
    }
    watched = ["dynamics", "--best", str(records), "--set", str(tmp_path), "--side", "16", "--records", str(records)]
    for field in ("ffn", "siren"):
        result = CliRunner().invoke(main, [*watched, "--field", field, "--transform", "sympower"])
        assert result.exit_code == 0, result.output
    seen = [row for row in read(records) if row["study"] == "dynamics"]
    assert {(row["field"], row["optimiser"], row["steps"]) for row in seen} == {
        (row["field"], row["optimiser"], row["steps"]) for row in rows if row["transform"] == "sympower"
    }
    result = CliRunner().invoke(main, [*watched, "--field", "ffn", "--transform", "sympower", "--transform", "zigzag"])
    assert result.exit_code == 1
    assert "no search that arrived for zigzag" in result.output


def test_the_codec_protocol_measures_whole_encodes(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    records = tmp_path / "r.jsonl"
    command = ["acceleration", "--protocol", "codec", "--set", str(tmp_path), "--side", "16", "--gray"]
    command += ["--transform", "rpp", "--psnr", "35", "--effort", "1", "--records", str(records)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    rows = {row["transform"]: row for row in read(records)}
    assert {name: (row["field"], row["family"]) for name, row in rows.items()} == {
        "none": ("auto", "wavelet"), "rpp": ("auto", "table"),
    }  # fmt: skip
    for row in rows.values():
        assert row["reached"]
        assert row["psnr_db"] >= 35
        assert 0 < row["encode_seconds"] <= row["process_seconds"]
        assert row["bpp"] == pytest.approx(8 * row["bytes"] / 256)
