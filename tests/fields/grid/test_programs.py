"""Which engine fits grids on which device, and what is said where it cannot."""

from __future__ import annotations

import sys

import pytest

from nfcodec.errors import EngineError
from nfcodec.fields.grid.family import GridFamily
from nfcodec.fields.grid.programs import PROGRAMS, engine_for, load_program
from nfcodec.fitting.engines import registry


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """One with these packages, and a GPU or none; numba, torch and a GPU unless it is changed."""

    def let(*packages: str, has_gpu: bool = True) -> None:
        monkeypatch.setattr(registry.importlib.util, "find_spec", lambda name: name if name in packages else None)
        monkeypatch.setattr(registry, "has_cuda_device", lambda: has_gpu)

    let("numba", "torch")
    return let


@pytest.mark.parametrize(
    ("engine", "device", "expected"),
    [
        ("auto", "auto", "numba"),
        ("auto", "cpu", "numba"),
        ("auto", "cuda", "torch"),
        ("auto", "cuda:1", "torch"),
        ("numba", "auto", "numba"),
        ("numba", "cpu", "numba"),
        ("torch", "auto", "torch"),
        ("torch", "cpu", "torch"),
        ("torch", "cuda", "torch"),
    ],
)
def test_the_engine_that_is_meant(engine, device, expected):
    assert engine_for(engine, device) == expected
    assert GridFamily().refuses(None, engine, device) is None


NO_TORCH = "the engine 'torch' is not available: torch is not installed (pip install 'nfcodec[torch]')"
NO_NUMBA = "the engine 'numba' is not available: numba is not installed (pip install numba)"
NO_DEVICE = "there is no CUDA device to fit the field of grids on, and 'cuda' asks for one"


@pytest.mark.parametrize(
    ("engine", "device", "packages", "has_gpu", "reason"),
    [
        ("numba", "cuda", ["numba", "torch"], True, "the engine 'numba' runs on the CPU only"),
        (
            "tinycudann",
            "cuda",
            ["numba", "torch", "tinycudann"],
            True,
            "the engine 'tinycudann' cannot fit the field of grids; engines that can: numba, torch",
        ),
        ("auto", "cuda", ["numba"], True, NO_TORCH),
        ("torch", "auto", ["numba"], False, NO_TORCH),
        ("auto", "auto", ["torch"], True, NO_NUMBA),
        ("auto", "cuda", ["numba", "torch"], False, NO_DEVICE),
        ("torch", "cuda", ["numba", "torch"], False, NO_DEVICE),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(machine, engine, device, packages, has_gpu, reason):
    machine(*packages, has_gpu=has_gpu)
    assert GridFamily().refuses(None, engine, device) == reason
    with pytest.raises(EngineError) as caught:
        load_program(engine, device)
    assert str(caught.value) == reason


def test_a_damaged_library_is_an_engine_error(monkeypatch):
    monkeypatch.setitem(sys.modules, PROGRAMS["torch"].partition(":")[0], None)
    with pytest.raises(EngineError, match=r"^the engine 'torch' cannot be imported: "):
        load_program("torch", "cpu")
