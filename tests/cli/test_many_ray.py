"""Many files on a real Ray cluster with two workers, one of which is killed while it works."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from nfcodec.cli import main
from tests.cli.commands import PNG
from tests.cli.many_works import DEEDS
from tests.ray_cluster import started

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "benchmarks" / "data" / "sample.png"

with_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed (extra: ray)")

SENT = """
from ray import cloudpickle
from tests.cli import many_works
cloudpickle.register_pickle_by_value(many_works)
"""
"""For a program whose deeds workers cannot import."""

OPTIONS = ["--field", "samples", "--lossless", "--json"]
N_FILES = 4


def worker_at_work(pid):
    """The process of a worker that works, among those that come from a process; waits for one."""
    for _ in range(600):
        listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
        rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
        parents = {int(row[0]): int(row[1]) for row in rows}
        for found in (int(row[0]) for row in rows if row[2].startswith("ray::_attempt")):
            above = found
            while above in parents and above != pid:
                above = parents[above]
            if above == pid:
                return found
        time.sleep(0.05)
    return pytest.fail("no worker has begun")


def calling(command, cluster):
    """Start a command that may use a cluster."""
    environment = {**cluster.environment, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def cluster():
    with started(2) as cluster:
        yield cluster


@pytest.mark.slow
@with_ray
def test_a_worker_that_is_killed_loses_nothing(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture = Image.open(SAMPLE).resize((480, 320))
    for i in range(N_FILES):
        picture.rotate(5 * i).save(f"{i}.png")
    Path("bad.png").write_bytes(PNG[:60])
    command = [sys.executable, "-m", "nfcodec", "encode", "-r", ".", "-o", "out", *OPTIONS, "--ray", cluster.address]
    with calling(command, cluster) as process:
        os.kill(worker_at_work(cluster.pid), signal.SIGKILL)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 3, err
    lines = {line["input"]: line for line in map(json.loads, out.splitlines())}
    assert len(out.splitlines()) == len(lines) == N_FILES + 1
    assert lines["./bad.png"]["kind"] == "ImageReadError"
    assert "(raylet)" in err
    assert f"5 files: {N_FILES} encoded, 1 failed" in err
    assert sorted(os.listdir("out")) == [f"{i}.nfc" for i in range(N_FILES)]
    assert main(["encode", "0.png", "here.nfc", *OPTIONS]) == 0
    assert Path("out/0.nfc").read_bytes() == Path("here.nfc").read_bytes()


@pytest.mark.slow
@with_ray
def test_a_call_that_is_terminated(cluster, tmp_path, monkeypatch):
    """Ray wraps what a signal raises, and has a handler of its own."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("a.txt", "one"), ("b.txt", "sleep")):
        Path(name).write_text(text)
    with calling(
        [sys.executable, "-c", SENT + DEEDS, "a.txt", "b.txt", "-r", "--ray", cluster.address], cluster
    ) as process:
        assert process.stderr
        assert process.stderr.readline() == "a.txt has become one\n"
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert err.splitlines() == ["so far, of 2 files: 1 done", "nfcodec: terminated (SIGTERM)"]


@with_ray
def test_there_is_no_such_cluster(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    command = [sys.executable, "-m", "nfcodec", "encode", "a.png", "--ray", "127.0.0.1:1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert "no Ray cluster at '127.0.0.1:1': " in done.stderr


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="ray is installed")
def test_without_ray_there_is_a_clear_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(PNG)
    assert main(["encode", "a.png", "--ray", "auto"]) == 2
    assert "pip install 'nfcodec[ray]'" in capsys.readouterr().err
