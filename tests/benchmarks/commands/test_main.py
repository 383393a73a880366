"""One way to run everything."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

from benchmarks.commands import main

TRAININGS = [["train", "contexts"], ["train", "filters"]]


@pytest.mark.parametrize("verb", [[name] for name in main.commands] + TRAININGS, ids=" ".join)
def test_every_verb_says_what_it_does(verb: list[str]) -> None:
    result = CliRunner().invoke(main, [*verb, "--help"])
    assert result.exit_code == 0, result.output
    assert f"Usage: main {' '.join(verb)} " in result.output
