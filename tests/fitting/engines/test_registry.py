"""Which engine is taken, and what is said where one is not there or lacks something."""

from __future__ import annotations

import pytest

from nfcodec.errors import EngineError, UsageError
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import HashLevel
from nfcodec.fields.siren import numba as siren_numba
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fields.table.field import Pyramid, Table
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fitting import engines
from nfcodec.fitting.engines import Objective, registry
from nfcodec.fitting.engines.numba import engine as numba_engine
from nfcodec.fitting.engines.numba.engine import NumbaEngine
from tests.fitting.engines.starts import rough as start

SIREN, DENSE = Siren(width=10, hidden_layers=2), Pyramid(2, hidden=6)
HASHED = Ngp((HashLevel(7.25, 9, 88, 2), HashLevel(20.5, 22, 128, 2)), hidden=(8, 8))
NO_TORCH = "torch is not installed (pip install 'nfcodec[torch]')"
NO_NUMBA = "numba is not installed (pip install numba)"


@pytest.fixture
def let_be_installed(monkeypatch):
    """Let the packages of engines that are installed be these."""

    def let(*names: str) -> None:
        monkeypatch.setattr(registry.importlib.util, "find_spec", lambda name: name if name in names else None)

    return let


@pytest.fixture
def let_there_be_a_gpu(monkeypatch):
    monkeypatch.setattr(registry, "has_cuda_device", lambda: True)


def test_engines_by_name(make_problem):
    problem = make_problem(SIREN)
    assert engines.engine_names() == ["cuda", "numba", "tinycudann", "torch"]
    for name in ("auto", "numba"):
        engine = engines.create(name, "cpu", problem, start(problem), Objective(), 0)
        assert (engine.name, engine.device) == ("numba", "cpu")
    with pytest.raises(UsageError, match="torch"):
        engines.create("abacus", "cpu", problem, start(problem), Objective(), 0)
    lines = dict(engines.report())
    assert sorted(lines) == engines.engine_names()
    assert lines["numba"].startswith("numba ")


def test_torch_by_name(make_problem):
    pytest.importorskip("torch")
    problem = make_problem(SIREN)
    engine = engines.create("torch", "cpu", problem, start(problem), Objective(), 0)
    assert (engine.name, engine.device) == ("torch", "cpu")
    assert dict(engines.report())["torch"].startswith("torch ")


def test_auto_takes_engines_that_have_the_field(make_problem, monkeypatch, let_be_installed, let_there_be_a_gpu):
    asked = []

    def refuse(path):
        asked.append({path: name for name, path in registry.ENGINES.items()}[path])
        raise ImportError("not today")

    monkeypatch.setattr(registry, "load", refuse)

    def order(field, device):
        asked.clear()
        messages = []
        with pytest.raises(EngineError, match=r"cannot be imported: not today$"):
            engines.create("auto", device, make_problem(field), {}, Objective(), 0, messages.append)
        assert len(messages) == len(asked) - 1
        return list(asked)

    let_be_installed("numba", "torch")
    assert order(SIREN, "auto") == ["cuda", "torch", "numba"]
    assert order(SIREN, "cuda") == ["cuda", "torch"]
    assert order(SIREN, "cpu") == ["numba", "torch"]
    assert order(DENSE, "auto") == ["torch", "numba"]
    assert order(HASHED, "auto") == ["cuda", "torch", "numba"]
    assert order(Wavelet(2), "auto") == ["numba"]
    let_be_installed("numba", "torch", "tinycudann")
    assert order(HASHED, "auto") == ["cuda", "tinycudann", "torch", "numba"]
    assert order(HASHED, "cuda") == ["cuda", "tinycudann", "torch"]
    assert order(SIREN, "auto") == ["cuda", "torch", "numba"]


@pytest.mark.parametrize(
    ("field", "device", "messages"),
    [
        (SIREN, "auto", [f"engine 'cuda' steps aside: {NO_TORCH}"]),
        (DENSE, "auto", [f"engine 'torch' steps aside: {NO_TORCH}"]),
        (SIREN, "cpu", []),
        (Wavelet(2), "auto", []),
    ],
    ids=repr,
)
def test_auto_without_torch(make_problem, let_be_installed, let_there_be_a_gpu, field, device, messages):
    """It takes numba, and says so once where the machine has a GPU that torch could use."""
    let_be_installed("numba")
    problem, told = make_problem(field), []
    engine = engines.create("auto", device, problem, start(problem), Objective(), 0, told.append)
    assert engine.name == "numba"
    assert [message for message in told if "compiling" not in message] == messages


@pytest.mark.parametrize(
    ("packages", "name", "device", "error"),
    [
        (["numba"], "auto", "cuda", f"the engine 'cuda' is not available: {NO_TORCH}"),
        (["numba"], "torch", "auto", f"the engine 'torch' is not available: {NO_TORCH}"),
        (["numba"], "torch", "cpu", f"the engine 'torch' is not available: {NO_TORCH}"),
        (["torch"], "numba", "cpu", f"the engine 'numba' is not available: {NO_NUMBA}"),
        (
            ["numba", "torch"],
            "tinycudann",
            "auto",
            "the engine 'tinycudann' is not available: "
            "tinycudann is not installed (conda install -c conda-forge tiny-cuda-nn)",
        ),
    ],
)
def test_what_is_asked_for_and_not_installed_is_named(make_problem, let_be_installed, packages, name, device, error):
    let_be_installed(*packages)
    for call in (
        lambda: engines.check_installed(name, device),
        lambda: engines.create(name, device, make_problem(HASHED), {}, Objective(), 0),
    ):
        with pytest.raises(EngineError) as caught:
            call()
        assert str(caught.value) == error


def test_what_is_not_asked_for_need_not_be_installed(let_be_installed):
    """Fields that are solved in closed form need no engine at all."""
    let_be_installed()
    engines.check_installed("auto", "auto")
    let_be_installed("torch")
    engines.check_installed("auto", "cpu")
    engines.check_installed("torch", "cpu")
    engines.check_installed("auto", "cuda")


def test_the_report_says_what_is_missing(let_be_installed):
    let_be_installed("numba")
    lines = dict(engines.report())
    assert lines["numba"].startswith("numba ")
    assert lines["cuda"] == lines["torch"] == f"not available: {NO_TORCH}"
    assert lines["tinycudann"].startswith(f"not available: {NO_TORCH}, tinycudann is not installed (")


@pytest.mark.parametrize(
    ("name", "device", "field", "message"),
    [
        ("torch", "cpu", Wavelet(2), "'torch' cannot fit a Wavelet; engines that can: numba"),
        ("tinycudann", "cuda", Pyramid(1), "'tinycudann' cannot fit a Pyramid; engines that can: numba, torch"),
        ("auto", "cuda", Wavelet(2), "no engine on 'cuda' can fit a Wavelet; engines that can: numba"),
        ("auto", "auto", TiledSiren(1, 1, (4,)), "no engine on 'auto' can fit a TiledSiren; no engine can"),
        ("numba", "cuda", Pyramid(1), "'numba' runs on the CPU only"),
        ("cuda", "cpu", HASHED, "'cuda' runs on CUDA devices only"),
        ("numba", "cpu", Wavelet(2, 3), "wavelets without filters"),
    ],
)
def test_engines_that_cannot_fit_a_field_say_which_can(make_problem, name, device, field, message):
    messages = []
    with pytest.raises(EngineError, match=message):
        engines.create(name, device, make_problem(field), {}, Objective(), 0, messages.append)
    assert messages == []


def test_usable_engines():
    def usable(field):
        return {
            (name, device)
            for name in ("auto", *engines.engine_names(), "abacus")
            for device in ("auto", "cpu", "cuda", "abacus")
            if engines.usable(field, name, device)
        }

    numba = {("numba", "auto"), ("numba", "cpu")}
    torch_anywhere = {("torch", device) for device in ("auto", "cpu", "cuda")}
    anywhere = {("auto", device) for device in ("auto", "cpu", "cuda")}
    assert usable(Wavelet) == usable(Wavelet(3)) == numba | {("auto", "auto"), ("auto", "cpu")}
    assert usable(Pyramid) == numba | torch_anywhere | anywhere
    assert usable(Siren) == numba | torch_anywhere | anywhere | {("cuda", "auto"), ("cuda", "cuda")}
    assert usable(Table) == usable(TiledSiren) == set()


def test_auto_falls_back_and_says_so(make_problem, monkeypatch, let_be_installed):
    def refuse(*_):
        raise EngineError("no room for the cache")

    monkeypatch.setattr(NumbaEngine, "get_ready", refuse)
    problem, messages = make_problem(SIREN), []
    with pytest.raises(EngineError, match=r"no room for the cache$"):
        engines.create("numba", "cpu", problem, start(problem), Objective(), 0)
    let_be_installed("numba")
    with pytest.raises(EngineError) as caught:
        engines.create("auto", "cpu", problem, start(problem), Objective(), 0, messages.append)
    assert str(caught.value) == f"no room for the cache; the engine 'torch' is not available: {NO_TORCH}"
    assert messages == []
    pytest.importorskip("torch")
    let_be_installed("numba", "torch")
    engine = engines.create("auto", "cpu", problem, start(problem), Objective(), 0, messages.append)
    assert engine.name == "torch"
    assert messages == ["engine 'numba' steps aside: no room for the cache"]


def test_kernels_that_cannot_be_compiled(make_problem, monkeypatch):
    def fail(*_):
        raise RuntimeError("no locator available")

    problem = make_problem(SIREN)
    numba_engine._compile.cache_clear()
    monkeypatch.setattr(siren_numba.SirenProgram, "run", fail)
    with pytest.raises(EngineError, match="cannot be compiled: no locator"):
        engines.create("numba", "cpu", problem, start(problem), Objective(), 0)


def test_no_cuda_device(make_problem):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    problem = make_problem(SIREN)
    with pytest.raises(EngineError, match="CUDA"):
        engines.create("torch", "cuda", problem, start(problem), Objective(), 0)
