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
from nfcodec.codec.document import parse
from nfcodec.fields import registry
from nfcodec.format import WEIGHTS
from nfcodec.limits import DEFAULT_LIMITS

FOLDER = Path(__file__).with_name("golden")
FILES = sorted(FOLDER.glob("*.nfc"))
ROOT = Path(__file__).parents[2]
FORMAT = ROOT / "docs" / "reference" / "format.md"

DECODE_ALL = """
import hashlib, sys
from pathlib import Path
import nfcodec
digest = hashlib.sha256()
for path in sorted(Path(sys.argv[1]).glob("*.nfc")):
    digest.update(nfcodec.decode_array(path.read_bytes()).tobytes())
print(digest.hexdigest())
"""


def test_the_files_are_frozen():
    """They define the format: see make_golden.py before changing one."""
    digest = hashlib.sha256()
    for path in FILES:
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    assert digest.hexdigest() == (FOLDER / "golden.sha256").read_text(encoding="ascii").strip()


def test_they_have_every_field_and_every_order():
    documents = [parse(path.read_bytes(), DEFAULT_LIMITS) for path in FILES]
    fields = {document.field.wire_id: document for document in documents}
    assert fields.keys() == {wire_id for known in registry.fields().values() for wire_id in known}
    known = {(wire_id, order) for wire_id, each in fields.items() for order in each.field.orders(each.geometry)}
    assert {(document.field.wire_id, document.chunks[WEIGHTS][0]) for document in documents} == known


@pytest.mark.parametrize(
    ("section", "file"), [("Wavelets", "filters.bin"), ("Context networks", "contexts.bin")], ids=str
)
def test_what_the_package_ships_is_what_the_format_says(section, file):
    """Files depend on every weight, so docs/reference/format.md states their digest."""
    text = FORMAT.read_text(encoding="utf-8")
    _, here = re.split(rf"^#+ [\d.]+ {section}$", text, flags=re.MULTILINE)
    digest = hashlib.sha256((ROOT / "nfcodec" / "fields" / "wavelet" / file).read_bytes()).hexdigest()
    assert re.search(r"[0-9a-f]{64}", here).group() == digest


def test_docstrings_name_sections_that_there_are():
    sections = set(re.findall(r"^#+ [\d.]+ (.+)$", FORMAT.read_text("utf-8"), re.MULTILINE))
    sources = [path.read_text("utf-8") for path in (ROOT / "nfcodec").rglob("*.py")]
    named = {name for text in sources for name in re.findall(r'docs/reference/format\.md,\s+"([^"]+)"', text)}
    assert named
    assert named <= sections
    assert not [text for text in sources if re.search(r"docs/reference/format\.md,\s+section", text)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_decodes_to_the_expected_samples(path):
    decoded, expected = nfcodec.decode_array(path.read_bytes()), np.load(path.with_suffix(".npy"))
    assert decoded.dtype == expected.dtype
    assert np.array_equal(decoded, expected)


@pytest.mark.parametrize(
    ("threads", "kernels"),
    [
        pytest.param("1", {}, marks=pytest.mark.slow),
        pytest.param("2", {}, marks=pytest.mark.slow),
        pytest.param("2", {"OPENBLAS_CORETYPE": "Haswell"}, marks=pytest.mark.slow),
        ("2", {"OPENBLAS_CORETYPE": "Prescott"}),  # the least like any machine of today
    ],
    ids=str,
)
def test_decoding_does_not_depend_on_the_machine(threads, kernels):
    expected = hashlib.sha256(b"".join(np.load(path.with_suffix(".npy")).tobytes() for path in FILES)).hexdigest()
    run = subprocess.run(
        [sys.executable, "-c", DECODE_ALL, str(FOLDER)],
        env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, **kernels},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == expected
