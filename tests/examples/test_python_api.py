"""The example in examples/ runs as it is."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(Path(__file__).parents[2] / "examples" / "python_api.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("320 x 213 pixels in ")
    assert float(lines[2].removeprefix("measured again: ").removesuffix(" dB")) >= 35
    assert lines[3].startswith("half a file: FormatError: ")
