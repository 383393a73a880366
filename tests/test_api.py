from __future__ import annotations

import inspect
import json
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nfcodec
from nfcodec import EngineError, FormatError, ImageReadError, TargetNotReachedError, UsageError, WriteError, codec
from nfcodec.codec import EncodeOptions
from nfcodec.fields import Ngp, Pyramid, Siren, TiledSiren, hash_levels, registry
from nfcodec.limits import Limits
from nfcodec.metrics import psnr_db
from nfcodec.raster import Raster

SIREN = Siren(width=16, hidden_layers=1)
QUICK = {"effort": 1}


def array(mode: str = "RGB", depth: int = 8, height: int = 10, width: int = 9) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    planes = [120 + 60 * np.sin(x / (3 + c)) + 5 * y for c in range(len(mode))]
    stacked = np.stack(planes, axis=2) * ((1 << depth) - 1) / 255
    stacked = stacked.astype(np.uint8 if depth == 8 else np.uint16)
    return stacked[:, :, 0] if mode == "L" else stacked


@pytest.fixture(scope="module")
def data() -> bytes:
    return nfcodec.encode(array(), psnr=30, **QUICK)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pil_images(mode):
    image = Image.fromarray(array(mode))
    assert image.mode == mode
    decoded = nfcodec.decode(nfcodec.encode(image, psnr=35, **QUICK))
    assert (decoded.mode, decoded.size) == (mode, image.size)
    n_color = len(mode.rstrip("A"))
    ours, source = (np.asarray(each).reshape(10, 9, -1) for each in (decoded, image))
    assert psnr_db(ours[:, :, :n_color], source[:, :, :n_color], 255) >= 35
    assert np.array_equal(ours[:, :, n_color:], source[:, :, n_color:])


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("depth", [8, 16])
def test_arrays(mode, depth):
    source = array(mode, depth)
    decoded = nfcodec.decode_array(nfcodec.encode(source, psnr=45, **QUICK))
    assert (decoded.shape, decoded.dtype) == (source.shape, source.dtype)
    if mode in ("L", "RGB"):
        assert psnr_db(decoded, source, (1 << depth) - 1) >= 45
    else:
        assert np.array_equal(decoded[:, :, -1], source[:, :, -1])
        assert psnr_db(decoded[:, :, :-1], source[:, :, :-1], (1 << depth) - 1) >= 45


def test_a_gray_16_bit_picture_is_a_pil_image():
    source = array("L", 16)
    decoded = nfcodec.decode(nfcodec.encode(Image.fromarray(source), psnr=50, **QUICK))
    assert decoded.mode.startswith("I")
    assert psnr_db(np.asarray(decoded).astype(np.uint16), source, 65_535) >= 50


def test_16_bit_colour_is_no_pil_image():
    data = nfcodec.encode(array("RGB", 16), psnr=30, **QUICK)
    with pytest.raises(UsageError, match=r"16-bit colour .* nfcodec\.decode_array gives an array") as caught:
        nfcodec.decode(data)
    assert "image_bytes" not in str(caught.value)
    assert nfcodec.decode_array(data).dtype == np.uint16


def test_metadata_travels_with_pil_images():
    image = Image.fromarray(array())
    exif = Image.Exif()
    exif[0x010E] = "a picture"
    image.info.update(icc_profile=b"profile" * 30, exif=exif.tobytes(), xmp=b"<x:xmpmeta/>")
    decoded = nfcodec.decode(nfcodec.encode(image, psnr=30, **QUICK))
    for key in ("icc_profile", "exif", "xmp"):
        assert decoded.info[key] == image.info[key]
    assert decoded.getexif()[0x010E] == "a picture"


def test_the_resolution_travels_with_pil_images():
    image = Image.fromarray(array())
    image.info["dpi"] = (300, 150)
    decoded = nfcodec.decode(nfcodec.encode(image, psnr=30, **QUICK))
    assert decoded.info["dpi"] == (300, 150)
    again = nfcodec.decode(nfcodec.encode(decoded, psnr=30, **QUICK))
    assert (again.info["dpi"], again.info["exif"]) == ((300, 150), decoded.info["exif"])


def test_rasters(data):
    raster = Raster.from_array(array())
    assert nfcodec.encode(raster, psnr=30, **QUICK) == data


@pytest.mark.parametrize("mode", ["L", "RGBA"])
@pytest.mark.parametrize("depth", [8, 16])
def test_lossless(mode, depth):
    source = array(mode, depth)
    data = nfcodec.encode(source, lossless=True, effort=1)
    assert np.array_equal(nfcodec.decode_array(data), source)
    info = nfcodec.inspect(data)
    assert (info.psnr_db, info.target_psnr_db) == (float("inf"), float("inf"))


@pytest.mark.parametrize("budget", [{"size": 190}, {"bpp": 8 * 190 / 90}], ids=str)
def test_sizes(budget):
    encoded = nfcodec.encode_with_report(array(), field="wavelet", **budget, **QUICK)
    assert 170 < len(encoded.data) <= 190
    assert encoded.report["target_bytes"] == 190


def test_sizes_out_of_reach():
    with pytest.raises(TargetNotReachedError):
        nfcodec.encode(array(), size=40, **QUICK)


def test_what_is_done_unless_told():
    noise = np.random.default_rng(0).integers(-4, 5, (20, 22, 3))
    encoded = nfcodec.encode_with_report((array(height=20, width=22) * 0.7 + noise).astype(np.uint8))
    info = nfcodec.inspect(encoded.data)
    assert (info.target_psnr_db, info.field, info.transform) == (40, "wavelet", "none")
    assert encoded.report["recipe"] == asdict(registry.family("wavelet").recipes[5])


@pytest.mark.parametrize(
    ("field", "transform", "name"),
    [
        ("auto", "rpp", "table"),
        ("samples", "none", "samples"),
        ("wavelet", "rpp", "wavelet"),
        ("table", "none", "table"),
        ("siren", "none", "siren"),
        ("ngp", "none", "ngp"),
        (SIREN, "rpp", "siren"),
        (Pyramid(1), "none", "table"),
        (Ngp(hash_levels(2, 2, 6, 4, 2.0), (8,)), "none", "ngp"),
    ],
    ids=str,
)
def test_fields(field, transform, name):
    encoded = nfcodec.encode_with_report(array("L"), psnr=20, field=field, transform=transform, **QUICK)
    assert encoded.report["field"] == nfcodec.inspect(encoded.data).field == name
    assert psnr_db(nfcodec.decode_array(encoded.data), array("L"), 255) >= 20


def test_a_field_that_the_engine_cannot_fit():
    with pytest.raises(EngineError, match="wavelets"):
        nfcodec.encode(array(), field="wavelet", engine="torch")


def test_fields_transforms_and_seeds():
    data = nfcodec.encode(array(), psnr=25, field=SIREN, transform="standardize+rpp", seed=9, effort=1)
    info = nfcodec.inspect(data)
    assert (info.field, info.seed, info.width, info.height) == ("siren", 9, 9, 10)
    assert info.transform.startswith("standardize")
    assert psnr_db(nfcodec.decode_array(data), array(), 255) >= 25


def test_report():
    events = []
    encoded = nfcodec.encode_with_report(array(), psnr=25, field=SIREN, effort=1, on_event=events.append)
    assert encoded.report["bytes"] == len(encoded.data)
    assert encoded.report["fitted"] == f"by {encoded.report['steps']} gradient steps"
    assert max(event.psnr_db for event in events) >= 25


def test_unreachable_targets():
    with pytest.raises(TargetNotReachedError):
        nfcodec.encode(array(), psnr=70, field=SIREN, max_steps=1)
    assert nfcodec.encode(array(), psnr=70, field=SIREN, max_steps=1, best_effort=True)


@pytest.mark.parametrize(
    "options",
    [
        {"psnr": 0},
        {"field": "x"},
        {"transform": "x"},
        {"seed": -1},
        {"size": 0},
        {"bpp": 0.0},
        {"psnr": 40, "size": 300},
        {"bpp": 2.0, "lossless": True},
    ],
    ids=str,
)
def test_bad_options(options):
    with pytest.raises(UsageError):
        nfcodec.encode(array(), **options)


WRONG = [
    ("psnr", ["40", True, np.nan, 151, 10**400, [40]]),
    ("size", ["900", 900.0, True, 0, [900]]),
    ("bpp", ["1", np.inf, True, -1]),
    ("lossless", [1, None, "yes"]),
    ("field", [None, 5, ["siren"], b"auto", Siren, 1.5]),
    ("transform", [None, ["rpp"], 5, b"rpp"]),
    ("seed", [1.5, None, "1", True, -1, 1 << 64]),
    ("effort", [1.5, None, "1", True, 0, 10]),
    ("device", [None, 5, np.zeros(3), "gpu"]),
    ("engine", [None, 5, ["torch"], "x"]),
    ("max_steps", [1.5, "3", True, -1]),
    ("time_limit_s", ["1", np.nan, 0, True]),
    ("best_effort", [1, None, "yes"]),
    ("on_event", [5, "print"]),
    ("limits", [5, {"max_pixels": 9}, Limits]),
]


@pytest.mark.parametrize(
    ("name", "value"),
    [pytest.param(name, value, id=f"{name}-{i}") for name, values in WRONG for i, value in enumerate(values)],
)
@pytest.mark.parametrize("transform", ["none", "rpp"])
def test_a_wrong_argument_is_named(name, value, transform):
    options = {"effort": 1, "transform": transform, name: value}
    with pytest.raises(UsageError, match=rf"^{name} must be .*, not .") as caught:
        nfcodec.encode(array("L"), **options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "options",
    [
        {"psnr": np.float32(35)},
        {"psnr": np.float16(35), "time_limit_s": np.float32(100)},
        {"size": np.int64(300)},
        {"bpp": np.float32(30)},
        {"lossless": np.True_, "best_effort": np.False_},
        {"seed": np.uint64((1 << 64) - 1), "transform": "rpp", "effort": np.int32(1)},
        {"max_steps": np.int64(3), "field": Siren(np.int64(8), np.uint8(1)), "best_effort": np.True_},
        {"field": Pyramid(np.int16(1), np.int64(0)), "psnr": np.float64(30)},
        {"field": Ngp(list(hash_levels(np.int8(2), np.int8(2), 6, 4, np.float32(2))), np.array([8])), "psnr": 20},
        {"field": TiledSiren(np.int64(1), 2, np.array([4, 4])), "max_steps": 3, "best_effort": True},
    ],
    ids=lambda options: "-".join(options),
)
def test_numpy_scalars_are_numbers(options):
    """Warnings are errors here, and a report is JSON."""
    encoded = nfcodec.encode_with_report(array("L"), **{"effort": 1, **options})
    assert json.loads(json.dumps(encoded.report)) == {
        **encoded.report, "recipe": json.loads(json.dumps(encoded.report["recipe"]))
    }  # fmt: skip
    assert nfcodec.decode_array(encoded.data).shape == (10, 9)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Siren("a"), "width"),
        (lambda: Siren(1.5), "width"),
        (lambda: Siren(8, hidden_layers=None), "hidden_layers"),
        (lambda: Siren(8, frequencies=17), "frequencies"),
        (lambda: TiledSiren(0, 1, ()), "rows"),
        (lambda: TiledSiren(1, 2, (4,)), "widths"),
        (lambda: TiledSiren(1, 2, (4, 4.5)), r"widths\[1\]"),
        (lambda: TiledSiren(1, 1, 4), "widths"),
        (lambda: Pyramid(8), "coarsest"),
        (lambda: Pyramid(1, "x"), "hidden"),
        (lambda: Ngp((), (8,)), "levels"),
        (lambda: Ngp(None), "levels"),
        (lambda: Ngp([5]), r"levels\[0\]"),
        (lambda: Ngp(hash_levels(2, 2, 6, 4, 2.0), (0,)), r"hidden\[0\]"),
        (lambda: Ngp.instant(76.5), "longer_side"),
        (lambda: Ngp.instant(64, "20"), "log2_table_size"),
        (lambda: hash_levels("a", 2, 6, 4, 2.0), "n_levels"),
        (lambda: hash_levels(2, 2, 6, 1, 2.0), "base_resolution"),
        (lambda: hash_levels(2, 2.0, 6, 4, 2.0), "features"),
        (lambda: hash_levels(2, 2, 6, 4, "2"), "per_level_scale"),
    ],
)
def test_a_wrong_argument_of_a_field_is_named(make, name):
    with pytest.raises(UsageError, match=rf"^{name} must .*, not "):
        make()


def test_all_that_encode_have_the_same_options():
    """And the defaults of `nfcodec.codec.EncodeOptions`; an unknown one is Python's own error."""
    encode, with_report, save = (
        inspect.signature(each).parameters for each in (nfcodec.encode, nfcodec.encode_with_report, nfcodec.save)
    )
    assert encode == with_report == {name: each for name, each in save.items() if name not in ("path", "overwrite")}
    renamed = {"psnr_db": "psnr", "size_bytes": "size"}
    options = {renamed.get(each.name, each.name): each.default for each in fields(EncodeOptions)}
    assert options == {
        name: each.default for name, each in encode.items() if name not in ("image", "on_event", "limits")
    }
    with pytest.raises(TypeError, match="colour"):
        nfcodec.encode(array(), colour="red")  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize(
    "image",
    [
        np.full((4, 4), 1.5, np.float32),
        np.zeros((4, 4), np.int32),
        np.zeros(4, np.uint8),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
    ],
    ids=str,
)
def test_bad_arrays(image):
    with pytest.raises(UsageError):
        nfcodec.encode(image)


@pytest.mark.parametrize("image", ["photo.png", Path("photo.png"), b"PNG", None, 5, [[1, 2]], np.uint8(5)], ids=str)
def test_what_is_no_image(image):
    with pytest.raises(UsageError, match=r"^image must be a Pillow image or a NumPy array .*PIL\.Image\.open"):
        nfcodec.encode(image)


def test_a_file_is_encoded_already(data):
    for image in (data, nfcodec.NfcFile(data)):
        with pytest.raises(UsageError, match=r"already; nfcodec\.decode makes a picture of it"):
            nfcodec.encode(image)


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_big_endian_arrays(mode):
    native = array(mode, 16)
    other = native.astype(native.dtype.newbyteorder())
    assert nfcodec.encode(other, psnr=30, **QUICK) == nfcodec.encode(native, psnr=30, **QUICK)


def test_limits(data):
    with pytest.raises(nfcodec.LimitError):
        nfcodec.encode(array(), limits=Limits(max_pixels=89))
    for read in (nfcodec.decode, nfcodec.decode_array, nfcodec.inspect, nfcodec.NfcFile):
        for limits in (Limits(max_pixels=89), Limits(max_memory_bytes=1e5), Limits(max_work=1e-3)):
            with pytest.raises(nfcodec.LimitError):
                read(data, limits=limits)


def test_limits_of_files(data, tmp_path):
    path, tight = tmp_path / "a.nfc", nfcodec.Limits(max_memory_bytes=1e5)
    path.write_bytes(data)
    for read in (nfcodec.open, nfcodec.load):
        for limits in (tight, Limits(max_file_bytes=len(data) - 1)):
            with pytest.raises(nfcodec.LimitError):
                read(path, limits=limits)
        read(path, limits=None)
    with pytest.raises(nfcodec.LimitError):
        nfcodec.save(array(), tmp_path / "b.nfc", psnr=30, effort=1, limits=tight)
    assert not (tmp_path / "b.nfc").exists()


def test_who_asks_for_more_gets_it(data, tmp_path, monkeypatch):
    """Where a file is over the default limits."""
    monkeypatch.setattr("nfcodec.limits.DEFAULT_LIMITS", Limits(max_pixels=89))
    monkeypatch.setattr("nfcodec.codec.decoder.DEFAULT_LIMITS", Limits(max_pixels=89))
    path, more = tmp_path / "a.nfc", Limits(max_pixels=90)
    path.write_bytes(data)
    for read in (nfcodec.open, nfcodec.load):
        with pytest.raises(nfcodec.LimitError):
            read(path)
    file = nfcodec.open(path, limits=more)
    assert file.verify()
    assert file.image().size == nfcodec.load(path, limits=more).size == (file.info.width, file.info.height)
    assert file.array().shape == array().shape
    assert nfcodec.encode(array(), psnr=30, effort=1, limits=more)


def test_a_file_that_decoders_would_refuse_is_not_written():
    """A limit between what the field alone is known to take before the fit, and what the file turns out to take."""
    encoded = nfcodec.encode_with_report(array(), psnr=30, effort=1)
    work = nfcodec.inspect(encoded.data).work
    with pytest.raises(nfcodec.LimitError, match="decoders would refuse the file: decoding may keep a core busy"):
        nfcodec.encode(array(), psnr=30, effort=1, limits=Limits(max_work=0.99 * work))


@pytest.mark.parametrize("bad", [b"", b"hello", b"\x8bNFC\r\n\x1a\n", b"\x8bNFC\r\n\x1a\n\1\0HEAD"])
def test_other_bytes(bad):
    for read in (nfcodec.decode, nfcodec.decode_array, nfcodec.inspect, nfcodec.NfcFile):
        with pytest.raises(FormatError):
            read(bad)


@pytest.mark.parametrize("hold", [bytearray, memoryview, lambda data: np.frombuffer(data, np.uint8)])
def test_whatever_holds_bytes(hold, data):
    held = hold(data)
    assert nfcodec.inspect(held) == nfcodec.inspect(data)
    assert codec.verify(held).ok
    assert np.array_equal(nfcodec.decode_array(held), nfcodec.decode_array(data))
    assert nfcodec.decode(held) == nfcodec.decode(data)
    file = nfcodec.NfcFile(held)
    assert (type(file.data), file.data) == (bytes, data)


@pytest.mark.parametrize("bad", ["a.nfc", Path("a.nfc"), None, 5], ids=str)
def test_what_holds_no_bytes(bad):
    for read in (nfcodec.decode, nfcodec.decode_array, nfcodec.inspect, nfcodec.NfcFile, codec.decode, codec.verify):
        with pytest.raises(UsageError, match=r"^data must be .*nfcodec\.open and nfcodec\.load"):
            read(bad)


def test_what_is_no_path(data):
    for bad in (data, bytearray(data), 5, None):
        for read in (nfcodec.open, nfcodec.load):
            with pytest.raises(UsageError, match=r"^path must be .*nfcodec\.decode"):
                read(bad)
        with pytest.raises(UsageError, match=r"^path must be "):
            nfcodec.save(array(), bad)
    with pytest.raises(UsageError, match=r"^overwrite must be True or False, not 'yes'"):
        nfcodec.save(array(), "a.nfc", overwrite="yes")


def test_limits_of_another_type(data, tmp_path):
    path = tmp_path / "a.nfc"
    path.write_bytes(data)
    of_bytes = (nfcodec.decode, nfcodec.decode_array, nfcodec.inspect, nfcodec.NfcFile)
    for read, source in [(read, data) for read in of_bytes] + [(nfcodec.open, path), (nfcodec.load, path)]:
        with pytest.raises(UsageError, match=r"^limits must be an nfcodec\.Limits, not 9"):
            read(source, limits=9)


def test_files(tmp_path, data):
    path = tmp_path / "a.nfc"
    nfcodec.save(array(), path, psnr=30, **QUICK)
    assert path.read_bytes() == data
    with pytest.raises(WriteError):
        nfcodec.save(array(), path, psnr=30)
    nfcodec.save(array(), path, overwrite=True, psnr=20, **QUICK)
    assert path.read_bytes() != data
    file = nfcodec.open(path)
    assert file.info.target_psnr_db == 20
    assert file.verify()
    assert np.array_equal(file.array(), np.asarray(file.image()))
    assert np.array_equal(np.asarray(nfcodec.load(path)), file.array())
    with pytest.raises(ImageReadError):
        nfcodec.open(tmp_path / "b.nfc")


def test_a_failed_save_leaves_no_file(tmp_path):
    with pytest.raises(TargetNotReachedError):
        nfcodec.save(array(), tmp_path / "a.nfc", psnr=70, field=SIREN, max_steps=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_save_replaces_no_picture(tmp_path, monkeypatch, overwrite):
    monkeypatch.setattr(nfcodec, "encode", lambda *_, **__: pytest.fail("it encoded"))
    Image.fromarray(array()).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "picture")
    before = (tmp_path / "picture").read_bytes()
    (tmp_path / "link.nfc").symlink_to("picture")
    with Image.open(tmp_path / "picture") as image:
        for name, words in (("a.PNG", "name of a picture"), ("picture", "comes from"), ("link.nfc", "comes from")):
            with pytest.raises(nfcodec.UsageError, match=words):
                nfcodec.save(image, tmp_path / name, overwrite=overwrite)
    assert (tmp_path / "picture").read_bytes() == before


def test_save_says_how_to_overwrite(tmp_path):
    (tmp_path / "a.nfc").write_bytes(b"old")
    with pytest.raises(WriteError, match=r"a\.nfc exists already; to replace it, say overwrite=True"):
        nfcodec.save(array(), tmp_path / "a.nfc")


def loaded_after(code: str, *arguments: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after running some code."""
    program = f"import sys\n{code}\nprint(' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    command = [sys.executable, "-c", program, *arguments]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_decoding_needs_no_torch(tmp_path, data):
    (tmp_path / "a.nfc").write_bytes(data)
    code = (
        "import nfcodec\nfile = nfcodec.open(sys.argv[1])\n"
        "file.info\nassert file.verify()\nassert file.array().any()\nfile.image()"
    )
    loaded = loaded_after(code, str(tmp_path / "a.nfc"))
    assert {"numpy", "PIL", "constriction"} <= loaded
    assert not loaded & {"torch", "numba", "click", "rich"}
