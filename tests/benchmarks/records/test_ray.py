"""Ray on a real cluster, to which the packages are sent as they are here."""

from __future__ import annotations

import importlib.util
import json
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
from tests.ray_cluster import Cluster, started


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """With one processor, so that one worker imports torch and numba."""
    with started(1) as cluster:
        yield cluster


def records(path: Path) -> list[dict[str, Any]]:
    return sorted((json.loads(line) for line in path.read_text().splitlines()), key=lambda row: row["key"])


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed (extra: ray)")
def test_a_search_on_a_ray_cluster_gives_the_same_records(cluster: Cluster, tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    options = ["acceleration", "--set", str(tmp_path), "--side", "16", "--width", "12", "--psnr", "20"]
    options += ["--transform", "rpp", "--max-steps", "200", "--records"]
    result = CliRunner().invoke(main, [*options, str(tmp_path / "here.jsonl")])
    assert result.exit_code == 0, result.output
    command = [sys.executable, "-m", "benchmarks", *options, str(tmp_path / "ray.jsonl"), "--ray", cluster.address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=cluster.environment)
    assert done.returncode == 0, done.stderr
    ours, theirs = records(tmp_path / "here.jsonl"), records(tmp_path / "ray.jsonl")
    assert [row["key"] for row in ours] == [row["key"] for row in theirs]
    assert len(ours) == 2
    assert all(row["reached"] for row in ours)
    for one, other in zip(ours, theirs, strict=True):
        assert one["steps"] == other["steps"]
        assert one["curve"] == other["curve"]
