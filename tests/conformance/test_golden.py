"""The golden files decode to the same samples on every run, thread count and processor kernel."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nfcodec

FOLDER = Path(__file__).with_name("golden")
FILES = sorted(FOLDER.glob("*.nfc"))
SLOPES = [path for path in FILES if path.name.startswith("slopes-")]
FROZEN = "9acad153465eb8f1b312b9344414dc32f436f9f14016e9aee1e9ab05a3475f72"

DECODE_ALL = """
import hashlib, sys
from pathlib import Path
import nfcodec
digest = hashlib.sha256()
for path in sorted(Path(sys.argv[1]).glob("*.nfc")):
    digest.update(nfcodec.decode_array(path.read_bytes()).tobytes())
print(digest.hexdigest())
"""


def test_there_are_enough():
    assert len(FILES) >= 24


def test_the_files_are_frozen():
    others = [path for path in FILES if path not in SLOPES]
    message = "golden files define the format: see make_golden.py before changing one"
    assert hashlib.sha256(b"".join(path.read_bytes() for path in others)).hexdigest() == FROZEN, message
    frozen = (FOLDER / "slopes.sha256").read_text(encoding="ascii").strip()
    assert hashlib.sha256(b"".join(path.read_bytes() for path in SLOPES)).hexdigest() == frozen, message


def test_the_context_networks_are_those_of_the_format():
    """Files depend on every weight, so docs/format.md states their digest."""
    root = FOLDER.parents[2]
    section = (root / "docs" / "format.md").read_text(encoding="utf-8").split("### 5.5 Context networks")[1]
    digest = hashlib.sha256((root / "nfcodec" / "fields" / "wavelet" / "contexts.bin").read_bytes()).hexdigest()
    assert re.search(r"[0-9a-f]{64}", section).group() == digest


def test_the_filters_are_those_of_the_format():
    root = FOLDER.parents[2]
    digest = hashlib.sha256((root / "nfcodec" / "fields" / "wavelet" / "filters.bin").read_bytes()).hexdigest()
    section = (root / "docs" / "format.md").read_text(encoding="utf-8").split("### 4.2 ngp")[1]
    assert re.search(r"[0-9a-f]{64}", section).group() == digest


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_decodes_to_the_expected_samples(path):
    decoded, expected = nfcodec.decode_array(path.read_bytes()), np.load(path.with_suffix(".npy"))
    assert decoded.dtype == expected.dtype
    assert np.array_equal(decoded, expected)


@pytest.mark.parametrize(
    "environment",
    [
        {"OPENBLAS_NUM_THREADS": "1"},
        {"OPENBLAS_NUM_THREADS": "2"},
        {"OPENBLAS_CORETYPE": "Haswell"},
        {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1"},
    ],
    ids=str,
)
def test_decoding_does_not_depend_on_the_machine(environment):
    expected = hashlib.sha256(b"".join(np.load(path.with_suffix(".npy")).tobytes() for path in FILES)).hexdigest()
    run = subprocess.run(
        [sys.executable, "-c", DECODE_ALL, str(FOLDER)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == expected
