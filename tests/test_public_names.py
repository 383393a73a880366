"""What of nfcodec is public: the names are listed here, so that a change of them is seen; and who may use what."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

import nfcodec
from nfcodec.fields import registry

ROOT = Path(__file__).parents[1]

PUBLIC = {
    "nfcodec": """
        EngineError FormatError ImageReadError LimitError Limits NfcError NfcFile NotNfcError
        TargetNotReachedError UnsupportedError UsageError WriteError __version__ decode decode_array encode
        encode_with_report fields inspect load open register_pillow save
    """,
    "nfcodec.fields": """
        Field Geometry Grid HashLevel Ngp Parameters Pyramid Role Samples Siren Table Tensor TiledSiren Wavelet
        asked_for estimator family family_name field_names hash_levels safe_scale
    """,
    "nfcodec.fields.grid": """
        BareProducts Descent GridProgram Iteration TorchGrid TorchProgram gain_of grid_start part_seconds soft_iteration
        soft_round
    """,
    "nfcodec.fields.ngp": """
        RECIPES Recipe sized_ngp
    """,
    "nfcodec.fields.siren": """
        KFAC_RATES OMEGA_0 PAPER RECIPES Kfac Recipe Start default_siren initial initial_for well_started
    """,
    "nfcodec.fields.table": """
        RECIPES Recipe default_pyramid start
    """,
    "nfcodec.fields.wavelet": """
        ACTIVATION_BITS CONTEXT_INPUT_BITS CONTEXT_OUTPUT_BITS CONTEXT_WEIGHT_BITS FILTER_SIDE
        FILTER_WEIGHT_BITS MAX_FILTERS MAX_SCALE N_INPUTS N_KINDS N_ORIENTATIONS N_PASSES RECIPES
        SMALLEST_LOG2 UNEXPECTED Network Recipe WaveletProblem WaveletShape default_field n_inputs runs
        synthesis unpack_networks
    """,
    "nfcodec.fitting": """
        TABLE_BOUND Adam Clock Context Engine Event Family FitResult Goal Halt Lossless LosslessPolicy Objective
        Optimizer Picture Plan Problem Psnr Rates Request Sampling Schedule Session Size Solution Stage Stats
        Trial Weights fit quantize uniform_start
    """,
    "nfcodec.fitting.engines": """
        Adam Engine Halt Objective Rates Stats check_installed create engine_names for_request gradient_seconds
        has_cuda_device report usable
    """,
    "nfcodec.pages": """
        Side document wipe
    """,
}
"""What experiments may use, too; the command line is public as well (tests/cli)."""

PLAIN = (
    "nfcodec.codec",
    "nfcodec.errors",
    "nfcodec.limits",
    "nfcodec.metrics",
    "nfcodec.raster",
    "nfcodec.transforms",
    "nfcodec.workers",
)
MAY_BE_IMPORTED = {*PUBLIC, *PLAIN}
"""All that benchmarks/ and examples/ take names from: those in `__all__` where there is one, else those without `_`."""


@pytest.mark.parametrize("module", PUBLIC)
def test_these_names_are_public(module):
    assert importlib.import_module(module).__all__ == PUBLIC[module].split()


@pytest.mark.parametrize("module", sorted(MAY_BE_IMPORTED))
def test_every_public_name_is_there(module):
    loaded = importlib.import_module(module)
    names = getattr(loaded, "__all__", [])
    assert len(set(names)) == len(names)
    assert [name for name in names if not hasattr(loaded, name)] == []


@pytest.mark.parametrize("module", ["nfcodec", "nfcodec.codec", "nfcodec.fields"])
def test_other_names_are_not(module):
    with pytest.raises(AttributeError, match="frog"):
        importlib.import_module(module).frog  # noqa: B018


@pytest.mark.parametrize("module", ["nfcodec", "nfcodec.codec", "nfcodec.fields"])
def test_names_that_are_not_loaded_yet_are_listed(module):
    code = f"import {module}\nassert set({module}.__all__) <= set(dir({module}))"
    assert module in loaded_after(code)


def test_all_errors_are_of_one_kind():
    errors = [getattr(nfcodec, name) for name in nfcodec.__all__ if name.endswith("Error")]
    assert errors
    assert all(issubclass(error, nfcodec.NfcError) for error in errors)


def loaded_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after running some code."""
    program = f"{code}\nimport sys\nprint(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(found.stdout.split())


@pytest.mark.parametrize(
    "code",
    ["import nfcodec", "import nfcodec.fields", *(f"import nfcodec.fields.{name}" for name in registry.FAMILIES)],
)
def test_importing_loads_nothing_heavy(code):
    loaded = loaded_after(code)
    assert "nfcodec" in loaded
    heavy = {"torch", "numba", "PIL", "numpy", "constriction", "zstandard", "click", "rich", "nfcodec.fitting"}
    assert not loaded & heavy


@pytest.mark.parametrize(
    "code",
    [
        "import nfcodec\nassert nfcodec.fields.Siren(width=8).width == 8 and nfcodec.fields.Wavelet(2)",
        "import nfcodec\nnfcodec.fields.Ngp.instant(768)",
        "from nfcodec import fields\nfields.Table()",
        "import nfcodec\nnfcodec.Limits(max_pixels=9)",
        "from nfcodec import *\nfields.Pyramid(1) and Limits()",
    ],
)
def test_fields_and_limits_are_there_right_after_importing(code):
    """Though importing loads neither; see above."""
    assert not loaded_after(code) & {"torch", "numba", "PIL", "click", "rich", "nfcodec.fitting", "nfcodec.codec"}


def test_fields_load_no_fitting():
    loaded = loaded_after("from nfcodec.fields import *\nassert Siren and Wavelet")
    assert "nfcodec.fields.siren.field" in loaded
    assert not loaded & {"torch", "numba", "PIL", "click", "rich", "nfcodec.fitting", "nfcodec.codec"}


def code_of(path: Path) -> str:
    """The text of a file of Python, or of the cells of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def imported_names(path: Path) -> list[tuple[str, str]]:
    """(module, name) of all that a file imports from nfcodec, with an empty name for the module itself."""
    found: list[tuple[str, str]] = []
    for node in ast.walk(ast.parse(code_of(path), str(path))):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [(node.module, alias.name) for alias in node.names]
    return [(module, name) for module, name in found if module.partition(".")[0] == "nfcodec"]


def is_public(module: str, name: str) -> bool:
    """Whether a name may be imported from a module, or a module that is one of its names."""
    names = getattr(importlib.import_module(module), "__all__", None) if module in MAY_BE_IMPORTED else []
    if names is not None and name in names:
        return True
    if name and _is_module(f"{module}.{name}"):
        return f"{module}.{name}" in MAY_BE_IMPORTED
    return module in MAY_BE_IMPORTED and (not name or (names is None and not name.startswith("_")))


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the parent is no package
        return False


@pytest.mark.parametrize(
    ("code", "strangers"),
    [
        ("import nfcodec, nfcodec.fields, numpy", []),
        ("from nfcodec import encode\nfrom nfcodec.fields import Siren", []),
        ("from nfcodec.fitting import engines\nfrom nfcodec.fitting.engines import create", []),
        ("from nfcodec.raster import Raster", []),
        ("from nfcodec.raster import _check", [("nfcodec.raster", "_check")]),
        ("from nfcodec import _raster", [("nfcodec", "_raster")]),
        ("def f():\n    from nfcodec.wire import ByteReader", [("nfcodec.wire", "ByteReader")]),
        ("from nfcodec import wire", [("nfcodec", "wire")]),
        ("import nfcodec.coding.laplace as laplace", [("nfcodec.coding.laplace", "")]),
        ("from nfcodec.fields.wavelet import fit", [("nfcodec.fields.wavelet", "fit")]),
    ],
)
def test_what_is_not_public_is_noticed(code, strangers, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(code, encoding="utf-8")
    assert [each for each in imported_names(path) if not is_public(*each)] == strangers


def test_benchmarks_and_examples_use_public_names_only():
    folders = [ROOT / "benchmarks", ROOT / "examples"]
    paths = [path for folder in folders for end in ("py", "ipynb") for path in sorted(folder.rglob(f"*.{end}"))]
    assert {path.suffix for path in paths} == {".py", ".ipynb"}
    strangers = {
        f"{path.relative_to(ROOT)}: {module} {name}".rstrip()
        for path in paths
        for module, name in imported_names(path)
        if not is_public(module, name)
    }
    assert sorted(strangers) == []


def test_no_family_names_another():
    """Not even as text, which the import linter does not see, or through the names of nfcodec.fields."""
    root = Path(nfcodec.__file__).parent / "fields"
    families = ("wavelet", "table", "siren", "ngp", "samples", "grid")
    for path in root.glob("*/*.py"):
        text = path.read_text(encoding="utf-8")
        others = [name for name in families if name != path.parent.name and f"nfcodec.fields.{name}" in text]
        assert not others, f"{path} names {others}"
        assert "from nfcodec.fields import" not in text, path
