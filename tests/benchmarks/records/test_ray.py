"""Ray on a real cluster, to which the packages are sent as they are here."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("torch")

from benchmarks.commands import main

CLUSTER = """
import ray
started = ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
print(started.address_info["gcs_address"], flush=True)
input()
"""
"""With one processor, so that one worker imports torch and numba."""


@pytest.fixture(scope="session")
def cluster() -> Iterator[tuple[str, dict[str, str]]]:
    """Its address, and the environment of who may use it: in a process of its own, as ray leaves warnings behind."""
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", CLUSTER], env=environment, **pipes) as process:
        assert process.stdout
        yield process.stdout.readline().strip(), environment
        process.communicate("\n", timeout=60)


def records(path: Path) -> list[dict[str, Any]]:
    return sorted((json.loads(line) for line in path.read_text().splitlines()), key=lambda row: row["key"])


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed (extra: ray)")
def test_a_search_on_a_ray_cluster_gives_the_same_records(cluster: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    options = ["acceleration", "--set", str(tmp_path), "--side", "16", "--width", "12", "--psnr", "20"]
    options += ["--transform", "rpp", "--max-steps", "200", "--records"]
    result = CliRunner().invoke(main, [*options, str(tmp_path / "here.jsonl")])
    assert result.exit_code == 0, result.output
    address, environment = cluster
    command = [sys.executable, "-m", "benchmarks", *options, str(tmp_path / "ray.jsonl"), "--ray", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    ours, theirs = records(tmp_path / "here.jsonl"), records(tmp_path / "ray.jsonl")
    assert [row["key"] for row in ours] == [row["key"] for row in theirs]
    assert len(ours) == 2
    assert all(row["reached"] for row in ours)
    for one, other in zip(ours, theirs, strict=True):
        assert one["steps"] == other["steps"]
        assert one["curve"] == other["curve"]
