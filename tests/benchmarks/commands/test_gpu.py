"""The steps for a GPU, as far as a CPU can tell."""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

from benchmarks.commands import main
from benchmarks.speed import gpu
from benchmarks.speed.gpu import SECONDS, Done, Step, plan, run


def test_a_dry_run_lists_the_steps_and_runs_none(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["gpu", "--out", str(tmp_path / "out"), "--dry-run"])
    assert result.exit_code == 0, result.output
    names = ["doctor", "tests", "ngp", "siren", "speed"]
    assert [line.split(":")[0] for line in result.output.splitlines() if "at most" in line] == names
    assert "without tiny-cuda-nn" in result.output
    assert not (tmp_path / "out").exists()


def test_the_verbs_of_the_steps_take_their_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    steps = plan(tmp_path, ["--set", str(tmp_path)], "sample", tmp_path)
    for step in steps:
        if step.command[:2] == ("-m", "benchmarks"):
            verb, *options = step.command[2:]
            assert main.commands[verb].make_context(verb, options).params
    assert [step.name for step in steps if step.background] == ["tinycudann-build"]
    assert sum(step.limit for step in steps if not step.background) < SECONDS + 180


def test_steps_are_stopped_at_their_limits_and_say_how_they_ended(tmp_path: Path) -> None:
    sleep = ("-c", "import time; print('here', flush=True); time.sleep(60)")
    steps = [
        Step("beside", "", ("-c", "print('beside')"), 60, background=True),
        Step("good", "", ("-c", "print('fine')"), 20),
        Step("bad", "", ("-c", "raise SystemExit(3)"), 20),
        Step("long", "", sleep, 1),
    ]
    told: list[str] = []
    done = run(steps, tmp_path, told.append, seconds=60.0)
    assert [(each.name, each.status) for each in done] == [("good", 0), ("bad", 3), ("long", None), ("beside", 0)]
    assert (tmp_path / "good.log").read_text() == "fine\n"
    assert [each["name"] for each in json.loads((tmp_path / "steps.json").read_text())] == [each.name for each in done]
    assert "stopped" in told[2]
    late = run([Step("late", "", sleep, 60)], tmp_path, told.append, seconds=0.0)
    assert "not begun" in late[0].reason


def test_an_interruption_ends_the_steps_that_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[subprocess.Popen[bytes]] = []
    begin = gpu._begin

    def interrupted(process: subprocess.Popen[bytes], seconds: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(gpu, "_begin", lambda step, out: begun.append(begin(step, out)) or begun[-1])
    monkeypatch.setattr(gpu, "_wait", interrupted)
    sleep = ("-c", "import time; time.sleep(60)")
    with pytest.raises(KeyboardInterrupt):
        run([Step("beside", "", sleep, 60, background=True), Step("long", "", sleep, 60)], tmp_path, print)
    assert [process.returncode for process in begun] == [-signal.SIGTERM] * 2


@pytest.mark.parametrize(("status", "exit_code"), [(None, 0), (2, 1)])
def test_it_says_what_is_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int | None, exit_code: int
) -> None:
    ended = [Done("tests", 0, 1.0), Done("siren", status, 1.0, "stopped")]
    monkeypatch.setattr("nfcodec.fitting.engines.has_cuda_device", lambda: True)
    module = importlib.import_module("benchmarks.commands.gpu")
    monkeypatch.setattr(module, "named_pictures", lambda *_: {})
    monkeypatch.setattr(module, "run", lambda *_: ended)
    result = CliRunner().invoke(main, ["gpu", "--out", str(tmp_path / "out")])
    assert result.exit_code == exit_code, result.output
    assert ("not finished: siren;" in result.output) == (status is None)
    assert ("some steps failed" in result.output) == (status is not None)


def test_without_a_device_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nfcodec.fitting.engines.has_cuda_device", lambda: False)
    result = CliRunner().invoke(main, ["gpu", "--out", str(tmp_path / "out")])
    assert result.exit_code != 0
    assert "no CUDA device" in result.output
