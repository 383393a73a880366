"""The notebook in examples/ runs from its first cell to its last, at a tiny size."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

plt = pytest.importorskip("matplotlib.pyplot")
pytest.importorskip("torch")

NOTEBOOK = Path(__file__).parents[2] / "examples" / "transforms.ipynb"
TINY = {"SIDE": 16, "HALFWAY_DB": 20, "TARGET_DB": 25, "MAX_STEPS": 60, "LOG2_RATES": (-8, -9)}


def cells(kind: str) -> list[dict[str, Any]]:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_the_notebook_is_kept_without_outputs() -> None:
    ids = [cell["id"] for kind in ("code", "markdown") for cell in cells(kind)]
    assert len(set(ids)) == len(ids) > 10
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells("code"))


def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Cell by cell as a kernel would, with smaller numbers after the cell of parameters."""
    monkeypatch.chdir(NOTEBOOK.parent)
    monkeypatch.setattr(sys, "path", [*sys.path])  # the first cell adds to it
    plt.switch_backend("agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells("code"):
        exec(compile("".join(cell["source"]), str(NOTEBOOK), "exec"), names)
        if "parameters" in cell["metadata"].get("tags", []):
            assert set(TINY) <= set(names)
            names |= TINY
    figures = [plt.figure(number) for number in plt.get_fignums()]
    try:
        assert [len(figure.axes) for figure in figures] == [8, 5, 1, 12]
        for figure in figures:
            figure.savefig(tmp_path / "figure.png")
    finally:
        plt.close("all")
    printed = capsys.readouterr().out
    for chain, (fitted, _) in names["fits"].items():
        assert fitted.curve[-1] >= TINY["TARGET_DB"], chain
        assert f"{chain:<14}" in printed
    assert "K-FAC, root" in printed
    learned = np.asarray(figures[3].axes[0].images[0].get_array())
    assert np.corrcoef(learned.reshape(-1), names["picture"].reshape(-1))[0, 1] > 0.5
