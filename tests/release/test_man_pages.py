"""The manual pages: as the help is now, and as `man` understands them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from release.man_pages import FOLDER, pages

ROOT = Path(__file__).parents[2]


def test_pages_are_as_the_help():
    """`make man` makes them anew; in a process of its own, as other tests may have added transforms to this one."""
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.1")}
    program = "import json; from release.man_pages import pages; print(json.dumps(pages()))"
    made = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found == json.loads(made.stdout)


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
@pytest.mark.parametrize("name", ["nfcodec.1", "nfcodec-encode.1"])
def test_pages_are_understood(name):
    path = str(FOLDER / name)
    done = subprocess.run(["groff", "-man", "-Tascii", "-ww", "-P-c", path], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    for word in ("SYNOPSIS", "OPTIONS", "--help"):
        assert word in done.stdout.replace("\b", "") or f"{word[0]}\b{word[0]}" in done.stdout


def test_every_option_is_in_its_page():
    page = pages()["nfcodec-decode.1"].replace("\\-", "-")
    for option in ("--format", "--quality", "--strip", "--overwrite", "-h, --help"):
        assert option in page
