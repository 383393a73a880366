"""Encoding and decoding where torch is not installed, and that the CPU's fits do not even ask for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nfcodec.fields import registry
from nfcodec.metrics import psnr_db

ROOT = Path(__file__).parents[1]
PSNR_DB = 30.0
NO_TORCH = "torch is not installed (pip install 'nfcodec[torch]')"

WITHOUT = f"""
import json, sys
hidden, asked = ("torch", "triton", "tinycudann"), set()
def notice(event, arguments):
    if event == "import" and arguments[0].partition(".")[0] in hidden:
        asked.add(arguments[0])
sys.modules.update(dict.fromkeys(hidden))
sys.addaudithook(notice)
sys.path.insert(0, {str(ROOT)!r})
import nfcodec
from nfcodec.cli import main
from nfcodec.lazy import load
"""
"""Programs begin with it: what GPUs need cannot be imported, and whoever tries to is noted in `asked`."""

ENCODE = f"""
for field in {list(registry.FAMILIES)}:
    for transform in ("none", "rpp"):
        picture = load("PIL.Image:open")("picture.png")
        encoded = nfcodec.encode_with_report(picture, psnr={PSNR_DB}, field=field, transform=transform, effort=3)
        nfcodec.decode(encoded.data).save(f"{{field}}-{{transform}}.png")
        print(json.dumps([field, transform, encoded.report["engine"]]))
print(json.dumps(sorted(asked)))
"""


@pytest.fixture
def run(tmp_path):
    """Run a program without torch, in a folder with a small picture; returns it with its output."""
    y, x = np.mgrid[0:16, 0:20]
    samples = 120 + 70 * np.sin(x / 3) * np.cos(y / 4) + np.random.default_rng(0).normal(0, 4, (16, 20))
    Image.fromarray(samples.clip(0, 255).astype(np.uint8)).save(tmp_path / "picture.png")

    def call(program: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", WITHOUT + program]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return call


def test_every_family_encodes_and_decodes(run, tmp_path):
    found = run(ENCODE)
    assert found.returncode == 0, found.stderr
    *encodes, asked = map(json.loads, found.stdout.splitlines())
    assert asked == []
    assert [encode[:2] for encode in encodes] == [[f, t] for f in registry.FAMILIES for t in ("none", "rpp")]
    assert {engine for *_, engine in encodes} == {"numba", None}  # None where no steps were taken
    assert {field for field, _, engine in encodes if engine == "numba"} >= {"siren", "ngp"}
    original = np.asarray(Image.open(tmp_path / "picture.png"))
    for field, transform, _ in encodes:
        decoded = np.asarray(Image.open(tmp_path / f"{field}-{transform}.png"))
        assert psnr_db(original, decoded, 255) >= PSNR_DB, field


def test_the_command_line_encodes_and_decodes(run, tmp_path):
    verbs = (["encode", "picture.png", "a.nfc", "-e", "1"], ["decode", "a.nfc", "b.png"], ["verify", "a.nfc"])
    found = run(f"print(json.dumps([[main(verb) for verb in {verbs}], sorted(asked)]))")
    assert json.loads(found.stdout.splitlines()[-1]) == [[0, 0, 0], []], found.stderr
    assert (tmp_path / "b.png").exists()


@pytest.mark.parametrize(
    ("options", "engine"),
    [
        (["--engine", "torch"], "torch"),
        (["--engine", "cuda"], "cuda"),
        (["--device", "cuda"], "cuda"),
        (["--field", "siren", "--engine", "torch", "--device", "cpu"], "torch"),
        (["--field", "ngp", "--device", "cuda"], "cuda"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_needs_torch_says_so_in_a_line(run, tmp_path, options, engine):
    found = run(f"sys.exit(main({['encode', 'picture.png', 'a.nfc', *options]}))")
    assert found.returncode == 1
    assert found.stderr == f"nfcodec: error: the engine {engine!r} is not available: {NO_TORCH}\n"
    assert found.stdout == ""
    assert not (tmp_path / "a.nfc").exists()


def test_the_doctor_says_what_is_missing_for_what(run):
    found = run("main(['doctor'])\nprint(sorted(asked))")
    *rows, asked = found.stdout.splitlines()
    assert asked == "[]"
    lines = {" ".join(row.split()) for row in rows}
    assert f"engine cuda for siren, ngp: not available: {NO_TORCH}" in lines
    assert f"engine torch for table, siren, ngp: not available: {NO_TORCH}" in lines
    assert any(line.startswith("engine numba for wavelet, table, siren, ngp: numba ") for line in lines)


def test_attempts_to_import_torch_are_noticed(run):
    """Or the tests above would prove nothing."""
    found = run(
        "try: load('nfcodec.fitting.engines.torch:TorchEngine')\n"
        "except ModuleNotFoundError: print('not found', sorted(asked))"
    )
    assert found.stdout == "not found ['torch']\n", found.stderr
