"""The version stands in three places, and the wheel has what is promised."""

from __future__ import annotations

import re
from pathlib import Path

from nfcodec.version import VERSION, __version__
from release import smoke

ROOT = Path(__file__).parents[2]


def test_versions_agree():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r'^version = "(.+)"$', project, re.MULTILINE) == [__version__]
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [__version__]
    assert __version__ == ".".join(map(str, VERSION))


def test_all_supported_pythons_are_tried():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ((least, below),) = re.findall(r'^requires-python = ">=3\.(\d+),<3\.(\d+)"$', project, re.MULTILINE)
    assert [f"python3.{minor}" for minor in range(int(least), int(below))] == smoke.PYTHONS


def test_manual_pages_are_shipped():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"release/man" = "{smoke.MAN_PAGE.parent.as_posix()}"' in project
