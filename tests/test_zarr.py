"""Pictures as chunks of zarr's arrays, through numcodecs (zarr's format 2) and through zarr's own codecs (format 3)."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nfcodec
from nfcodec.errors import FormatError, NotNfcError, UsageError
from nfcodec.lazy import load
from nfcodec.metrics import psnr_db
from tests.codec.pictures import picture

numcodecs = pytest.importorskip("numcodecs")

Nfc, as_picture = (load(f"nfcodec.numcodecs:{name}") for name in ("Nfc", "as_picture"))

ROOT = Path(__file__).parents[1]
EXACT = {"lossless": True, "effort": 1, "field": "samples"}
LOSSY = {"psnr": 35, "effort": 1, "field": "table"}


def array_of(shape: tuple[int, ...], depth: int = 8) -> np.ndarray:
    """(H, W) or (H, W, C)."""
    channels = shape[2] if len(shape) == 3 else 1
    raster = picture(*shape[:2], channels=1 if channels < 3 else 3, depth=depth, alpha=channels in (2, 4))
    return raster.to_array().reshape(shape)


# ---------------------------------------------------------------------------------------------------------- numcodecs


@pytest.mark.parametrize("shape", [(23, 37), (23, 37, 1), (23, 37, 2), (23, 37, 3), (23, 37, 4), (1, 1), (2, 1, 3)])
@pytest.mark.parametrize("depth", [8, 16])
def test_chunks_there_and_back(shape, depth):
    array = array_of(shape, depth)
    codec = Nfc(**EXACT)
    data = codec.encode(array)
    assert data == nfcodec.encode(array, **EXACT)
    for given in (data, memoryview(data), np.frombuffer(data, np.uint8)):
        np.testing.assert_array_equal(codec.decode(given).reshape(shape), array)
    out = np.empty(shape, array.dtype)
    assert codec.decode(data, out=out) is out
    np.testing.assert_array_equal(out, array)


def test_lossy_chunks():
    array = array_of((23, 37, 3))
    data = Nfc(**LOSSY).encode(array)
    assert len(data) < array.nbytes / 5
    assert psnr_db(array, Nfc(lossless=True).decode(data), 255) >= 35


@pytest.mark.parametrize(
    ("shape", "of_picture"),
    [((1, 1, 9, 7), (9, 7)), ((1, 9, 7), (9, 7)), ((1, 1, 9, 7, 3), (9, 7, 3)), ((1, 9, 3), (1, 9, 3))],
)
def test_axes_of_length_1_are_left_out(shape, of_picture):
    assert as_picture(np.zeros(shape, np.uint8)).shape == of_picture


def test_memory_is_what_counts():
    array = np.asfortranarray(array_of((23, 37)))
    back = Nfc(**EXACT).decode(Nfc(**EXACT).encode(array))
    np.testing.assert_array_equal(back.ravel(), array.ravel(order="K"))
    np.testing.assert_array_equal(Nfc(**EXACT).decode(Nfc(**EXACT).encode(array[::2, ::-1])), array[::2, ::-1])


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (np.zeros((5, 5), np.float32), "not <f4"),
        (np.zeros((5, 5), bool), r"not \|b1"),
        (np.zeros((5, 5), ">u2"), "not >u2"),
        (b"bytes", r"not \|S5"),
        (np.zeros(5, np.uint8), r"its shape is \(5,\)"),
        (np.zeros((2, 9, 7), np.uint8), r"its shape is \(2, 9, 7\)"),
        (np.zeros((2, 9, 7, 3), np.uint8), r"its shape is \(2, 9, 7, 3\)"),
        (np.asfortranarray(np.zeros((9, 7, 3), np.uint8)), r"in C's order"),
    ],
)
def test_what_is_no_picture(chunk, message):
    with pytest.raises(UsageError, match=message):
        Nfc(**EXACT).encode(chunk)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say what of the array may be lost"),
        ({"lossless": False}, "say what of the array may be lost"),
        ({"psnr": 400}, "psnr must be a number"),
        ({"psnr": 30, "bpp": 1}, "exclude each other"),
        ({"psnr": 30, "field": nfcodec.fields.Siren(width=8)}, "field must be a name"),
        ({"psnr": 30, "transform": "frog"}, "frog"),
    ],
)
def test_what_cannot_be_asked_for(options, message):
    with pytest.raises(UsageError, match=message):
        Nfc(**options)


def test_damaged_chunks_are_noticed():
    data = bytearray(Nfc(**EXACT).encode(array_of((23, 37))))
    data[-9] ^= 1
    with pytest.raises(FormatError):
        Nfc(**EXACT).decode(data)
    with pytest.raises(NotNfcError):
        Nfc(**EXACT).decode(b"something else")


@pytest.mark.parametrize(
    "codec", [Nfc(psnr=np.float32(35)), Nfc(size=np.int64(900), seed=7, transform="rpp"), Nfc(**EXACT)]
)
def test_configurations(codec):
    config = json.loads(json.dumps(codec.get_config()))
    assert config["id"] == "nfcodec"
    assert ("lossless" in config) == codec.lossless
    again = Nfc.from_config({key: value for key, value in config.items() if key != "id"})
    assert again == codec == pickle.loads(pickle.dumps(codec))
    assert Nfc(bpp=1) != codec
    assert repr(again).startswith("Nfc(bpp=None, effort=")


# --------------------------------------------------------------------------------------------------------------- zarr


@pytest.fixture
def zarr():
    if sys.version_info < (3, 11):
        pytest.skip("zarr's format 3 needs Python 3.11")
    return pytest.importorskip("zarr")


@pytest.fixture
def known(monkeypatch, zarr):
    """Let both libraries find the codecs as they do by the entry points of an installed package."""
    from nfcodec.zarr import NfcCodec

    numcodecs.registry.register_codec(Nfc)
    zarr.registry.register_codec("nfcodec", NfcCodec)
    return zarr


CHUNKED = [((60, 80), (30, 40), 16), ((31, 43, 3), (20, 40, 3), 8), ((2, 1, 31, 40), (1, 1, 20, 40), 8)]
"""Shapes of arrays and chunks, and bits of samples; some chunks reach over the end."""


def filled(array, shape, depth) -> np.ndarray:
    rows = int(np.prod(shape[:-2])) if len(shape) == 4 else 1
    values = array_of((rows * shape[-2], shape[-1]) if len(shape) != 3 else shape, depth).reshape(shape)
    array[...] = values
    return values


@pytest.mark.parametrize(("shape", "chunks", "depth"), CHUNKED)
@pytest.mark.parametrize("format", [2, 3])
def test_arrays_there_and_back(known, shape, chunks, depth, format, tmp_path):
    from nfcodec.zarr import NfcCodec

    how = {"compressors": Nfc(**EXACT)} if format == 2 else {"serializer": NfcCodec(**EXACT), "compressors": None}
    array = known.create_array(
        tmp_path / "a", shape=shape, chunks=chunks, dtype=f"uint{depth}", zarr_format=format, **how
    )
    values = filled(array, shape, depth)
    again = known.open_array(tmp_path / "a", mode="r")
    np.testing.assert_array_equal(again[...], values)
    np.testing.assert_array_equal(again[..., 7:20, 1], values[..., 7:20, 1])
    files = [
        path for path in (tmp_path / "a").rglob("*") if path.is_file() and not path.name.startswith((".z", "zarr"))
    ]
    assert len(files) == np.prod([-(-size // chunk) for size, chunk in zip(shape, chunks, strict=True)])
    assert all(nfcodec.open(path).verify() for path in files)


def test_lossy_arrays_with_shards(known, tmp_path):
    from nfcodec.zarr import NfcCodec

    array = known.create_array(
        tmp_path / "a", shape=(64, 80), chunks=(32, 40), shards=(64, 80), dtype="uint8", serializer=NfcCodec(**LOSSY),
        compressors=None,
    )  # fmt: skip
    values = filled(array, (64, 80), 8)
    again = known.open_array(tmp_path / "a", mode="r")
    assert psnr_db(values[:, :, None], again[...][:, :, None], 255) >= 35
    assert sum(path.stat().st_size for path in (tmp_path / "a" / "c").rglob("*") if path.is_file()) < values.nbytes / 3


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("format", [2, 3])
def test_orders_in_memory(known, order, format):
    from nfcodec.zarr import NfcCodec

    how = {"compressors": Nfc(**EXACT), "order": order} if format == 2 else {"serializer": NfcCodec(**EXACT)}
    with known.config.set({"array.order": order}):
        array = known.create_array({}, shape=(30, 50), chunks=(20, 20), dtype="uint16", zarr_format=format, **how)
        values = filled(array, (30, 50), 16)
        np.testing.assert_array_equal(array[...], values)


@pytest.mark.parametrize(("dtype", "chunks"), [("float32", (20, 20)), ("int16", (20, 20)), ("uint8", (20,))])
def test_arrays_that_hold_no_pictures(known, dtype, chunks):
    from nfcodec.zarr import NfcCodec

    with pytest.raises(UsageError, match="a chunk must be"):
        known.create_array({}, shape=chunks, chunks=chunks, dtype=dtype, serializer=NfcCodec(**EXACT))


def test_chunks_of_another_array_are_refused(known):
    from nfcodec.zarr import NfcCodec

    store: dict = {}
    for dtype, shape in (("uint16", (20, 20)), ("uint8", (20, 10))):
        array = known.create_array(store, shape=shape, chunks=shape, dtype=dtype, serializer=NfcCodec(**EXACT),
                                   compressors=None, name=dtype)  # fmt: skip
        filled(array, shape, 16 if dtype == "uint16" else 8)
    for here, there in (("uint8", "uint16"), ("uint16", "uint8")):
        swapped = {**store, f"{here}/c/0/0": store[f"{there}/c/0/0"]}
        with pytest.raises(FormatError, match="not the shape or the type"):
            known.open_array(swapped, path=here)[...]


def test_metadata_of_zarr(known):
    from nfcodec.zarr import NfcCodec

    codec = NfcCodec(psnr=35, effort=1)
    assert NfcCodec.from_dict(json.loads(json.dumps(codec.to_dict()))) == codec == pickle.loads(pickle.dumps(codec))
    assert NfcCodec(psnr=36) != codec
    with pytest.raises(NotImplementedError):
        codec.compute_encoded_size(100, None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="frog"):
        NfcCodec(psnr=35, frog=1)


# -------------------------------------------------------------------------------------------------------- entry points

USE = """
import sys, numpy as np, numcodecs, zarr
values = np.arange(600, dtype=np.uint16).reshape(20, 30)
codec = numcodecs.get_codec({"id": "nfcodec", "lossless": True, "effort": 1, "field": "samples"})
assert type(codec).__module__ == "nfcodec.numcodecs"
for version, path in ((2, sys.argv[1]), (3, sys.argv[2])):
    array = zarr.open_array(path, mode="r")
    assert array.metadata.zarr_format == version
    assert (array[...] == values).all()
assert not {"numba", "torch"} & set(sys.modules)
"""


def test_installed_codecs_are_found_by_name(known, tmp_path):
    """A program that reads arrays imports nothing of nfcodec. An installation is played by its metadata alone."""
    tomllib = pytest.importorskip("tomllib")
    from nfcodec.zarr import NfcCodec

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {group: project["entry-points"][group] for group in ("numcodecs.codecs", "zarr.codecs")}
    installed = tmp_path / "installed" / "nfcodec-0.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: nfcodec\nVersion: 0.0\n", encoding="utf-8")
    lines = [
        line for group, names in groups.items() for line in (f"[{group}]", *(f"{k} = {v}" for k, v in names.items()))
    ]
    (installed / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    values = np.arange(600, dtype=np.uint16).reshape(20, 30)
    for format, how in ((2, {"compressors": Nfc(**EXACT)}), (3, {"serializer": NfcCodec(**EXACT)})):
        path = tmp_path / str(format)
        known.create_array(path, shape=(20, 30), chunks=(20, 15), dtype="uint16", zarr_format=format, **how)[...] = (
            values
        )
    subprocess.run(
        [sys.executable, "-c", USE, str(tmp_path / "2"), str(tmp_path / "3")],
        cwd=ROOT, env={"PYTHONPATH": f"{installed.parent}:{ROOT}", "PATH": ""}, check=True,
    )  # fmt: skip
