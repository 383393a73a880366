"""The decoder written from docs/reference/format.md alone reads every golden file to the same samples."""

import ast
import importlib.util
from pathlib import Path

import numpy as np
import pytest

import nfcodec

HERE = Path(__file__).parent
GOLDEN = sorted((HERE / "golden").glob("*.nfc"))


@pytest.fixture(scope="module")
def decoder():
    spec = importlib.util.spec_from_file_location("independent_decoder", HERE / "decoder.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_golden_files():
    assert GOLDEN


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_decodes_golden_file_exactly(decoder, path: Path):
    samples, alpha, _ = decoder.decode(path.read_bytes())
    expected = np.load(path.with_suffix(".npy"))
    assert samples.dtype == expected.dtype
    assert alpha is None or alpha.dtype == expected.dtype
    planes = samples if alpha is None else np.dstack([samples, alpha])
    np.testing.assert_array_equal(planes, expected.reshape(*expected.shape[:2], -1))


REDUCED = {
    "wavelet-primes": 4, "wavelet-7-levels": 8, "wavelet-7-levels-1x13": 128, "wavelet-gray16": 4, "wavelet-29x1": 2,
    "wavelet-standardize": 8, "wavelet-filters-gray": 4, "wavelet-rgba": 4, "residual-rgb": 8, "residual-rgba16": 2,
    "pyramid-gray-alpha": 4, "pyramid-rgb-sympower": 2, "grid-gray": 8,
}  # fmt: skip


@pytest.mark.parametrize("name", REDUCED)
def test_reduces_golden_file_exactly(decoder, name: str):
    data, scale = (HERE / "golden" / f"{name}.nfc").read_bytes(), REDUCED[name]
    samples, alpha, _ = decoder.decode(data, scale)
    planes = samples if alpha is None else np.dstack([samples, alpha])
    found = nfcodec.decode_array(data, scale=scale)
    assert found.dtype == planes.dtype
    np.testing.assert_array_equal(found.reshape(planes.shape), planes)


@pytest.mark.parametrize("path", GOLDEN[:3], ids=lambda path: path.stem)
def test_refuses_damage(decoder, path: Path):
    data = path.read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    for damaged in (data[:-1], data + b"\0", bytes(flipped), data[:8] + b"\2" + data[9:]):
        with pytest.raises(ValueError):  # noqa: PT011 (any reason will do)
            decoder.decode(damaged)


def test_shares_no_code_with_the_codec():
    tree = ast.parse((HERE / "decoder.py").read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name.split(".")[0] for name in imported} & {"nfcodec", "constriction", ""}
