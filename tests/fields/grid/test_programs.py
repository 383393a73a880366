"""Which engine fits grids on which device, and what is said where it cannot."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from nfcodec.errors import EngineError
from nfcodec.fields.grid.cost import TORCH_TIMES
from nfcodec.fields.grid.family import GridFamily
from nfcodec.fields.grid.programs import PROGRAMS, engine_for, load_program, runs_on_gpu
from nfcodec.fitting.engines import registry
from nfcodec.fitting.family import Context
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.request import Request
from nfcodec.raster import Raster
from nfcodec.transforms import Chain


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


def test_only_torch_runs_on_a_gpu(machine):
    assert runs_on_gpu("auto", "cuda")
    assert runs_on_gpu("torch", "auto")
    assert not runs_on_gpu("torch", "cpu")
    assert not runs_on_gpu("auto", "auto")
    machine("numba", "torch", has_gpu=False)
    assert not runs_on_gpu("torch", "auto")


def test_plans_for_torch_on_the_cpu_are_slow():
    """And not those for a GPU."""
    samples = np.zeros((40, 50, 3), np.uint8)
    picture = Picture.of(Raster.from_array(samples), Chain.prepare([], samples, 0))
    session = GridFamily().begin(picture, Context(lambda picture, request: lambda rows, cols: [1000.0]))

    def plan(engine, device):
        return session.plans(Request(Psnr(30.0), 1, 0, engine, device))[0]

    numba, torch, gpu = plan("auto", "auto"), plan("torch", "cpu"), plan("auto", "cuda")
    assert torch.stages[0].seconds == pytest.approx(TORCH_TIMES * numba.stages[0].seconds)
    assert gpu.stages == numba.stages
    assert torch.memory_bytes > numba.memory_bytes
