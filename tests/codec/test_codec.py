from __future__ import annotations

import hashlib
import math
import time

import numpy as np
import pytest

from nfcodec.codec import EncodeOptions, decode, encode, inspect, verify
from nfcodec.errors import FormatError, LimitError, TargetNotReachedError, UsageError
from nfcodec.exact.field import FieldSpec
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.plan import default_ngp
from nfcodec.fields.siren.field import Siren
from nfcodec.format import ALPHA, HEADER, ICC, PLANES, WEIGHTS, Header, read_chunks, write_chunks
from nfcodec.limits import DEFAULT_LIMITS, Limits
from nfcodec.metrics import psnr_db
from nfcodec.raster import Raster

SMALL_SIREN = Siren(width=20, hidden_layers=2)
METADATA = {"icc": b"profile" * 40, "exif": b"Exif\0\0II*\0", "xmp": b"<x:xmpmeta/>"}


def picture(height=16, width=16, channels=3, depth=8, alpha=False, metadata=None) -> Raster:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:height, 0:width]
    planes = [120 + 70 * np.sin(x / (4 + c)) * np.cos(y / 5) + 2 * x for c in range(channels + alpha)]
    noisy = np.stack(planes, axis=2) + rng.normal(0, 2, (height, width, channels + alpha))
    scale = ((1 << depth) - 1) / 255
    array = (noisy.clip(0, 255) * scale).astype(np.uint8 if depth == 8 else np.uint16)
    raster = Raster.from_array(array)
    return Raster(raster.samples, raster.alpha, metadata or {})


either_ngp = pytest.mark.parametrize("field", ["ngp", "dense"])


def field_of(field: str | FieldSpec, raster: Raster) -> str | FieldSpec:
    """A field, or for "dense" the default one of dense levels, which "ngp" means only where pixels are permuted."""
    geometry = Geometry(raster.height, raster.width, raster.channels)
    return default_ngp(geometry) if field == "dense" else field


def assert_kept(raster: Raster, data: bytes, target_db: float) -> Raster:
    """The promise: what the file decodes to, and that it says so itself."""
    decoded = decode(data)
    assert decoded.samples.shape == raster.samples.shape
    assert decoded.samples.dtype == raster.samples.dtype
    reached_db = psnr_db(decoded.samples, raster.samples, raster.peak)
    assert reached_db >= target_db
    info = inspect(data)
    assert info.target_psnr_db == pytest.approx(target_db, abs=0.011)
    assert info.psnr_db <= reached_db
    assert math.isinf(reached_db) or info.psnr_db > reached_db - 0.011
    if raster.alpha is None:
        assert decoded.alpha is None
    else:
        assert decoded.alpha is not None
        assert np.array_equal(decoded.alpha, raster.alpha)
        assert decoded.alpha.dtype == raster.alpha.dtype
    assert verify(data).ok
    return decoded


@pytest.mark.parametrize("alpha", [False, True], ids=["opaque", "alpha"])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("target_db", [30.0, 55.0])
@either_ngp
def test_every_kind_of_picture(channels, depth, alpha, target_db, field):
    raster = picture(13, 17, channels, depth, alpha)
    assert_kept(raster, encode(raster, EncodeOptions(target_db, field_of(field, raster))).data, target_db)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (1, 7), (7, 1), (13, 17), (64, 1), (65, 3)])
@pytest.mark.parametrize("transform", ["none", "rpp", "zigzag"])
@either_ngp
def test_every_shape(shape, transform, field):
    raster = picture(*shape, alpha=True)
    assert_kept(raster, encode(raster, EncodeOptions(40.0, field_of(field, raster), transform)).data, 40.0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1)])
def test_sirens_of_every_shape(shape):
    raster = picture(*shape)
    options = EncodeOptions(30.0, Siren(width=8, hidden_layers=1), effort=1)
    assert_kept(raster, encode(raster, options).data, 30.0)


@pytest.mark.parametrize("value", [0, 1, 128, 255])
@either_ngp
def test_flat_pictures(value, field):
    raster = Raster.from_array(np.full((9, 9, 3), value, np.uint8))
    data = encode(raster, EncodeOptions(60.0, field_of(field, raster))).data
    assert_kept(raster, data, 60.0)
    assert len(data) < 200


@either_ngp
def test_extreme_pictures(field):
    """Black and white noise: the largest slopes there are."""
    raster = Raster.from_array(np.random.default_rng(0).integers(0, 2, (12, 12)).astype(np.uint8) * 255)
    assert_kept(raster, encode(raster, EncodeOptions(50.0, field_of(field, raster))).data, 50.0)


TRANSFORMS = [
    "rpp", "zigzag", "inversion", "standardize", "scale:0.5", "scale:2", "center:1", "center:2", "gamma:0.5", "gamma:2",
    "standardize+rpp", "gamma:2+zigzag+rpp",
]  # fmt: skip


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("field", ["ngp", "dense", SMALL_SIREN], ids=["ngp", "dense", "siren"])
def test_every_transform(field, transform):
    raster = picture()
    encoded = encode(raster, EncodeOptions(25.0, field_of(field, raster), transform, seed=3, effort=1, max_steps=600))
    assert_kept(raster, encoded.data, 25.0)
    info = inspect(encoded.data)
    assert (info.transform, info.seed) == (encoded.report["transform"], 3 if "rpp" in transform else None)
    assert (PLANES in read_chunks(encoded.data)) == ("zigzag" in transform)
    side_info = inspect(encoded.data).side_info_bytes
    assert side_info == encoded.report["side_info_bytes"]
    if transform == "rpp":
        assert side_info == 11  # how many transforms, which one, the algorithm and its seed
    assert bool(encoded.report["warnings"]) == ("rpp" in transform or "zigzag" in transform)


@pytest.mark.parametrize("alpha", [False, True])
def test_metadata_is_kept(alpha):
    raster = picture(9, 7, alpha=alpha, metadata=METADATA)
    data = encode(raster, EncodeOptions(30.0)).data
    assert assert_kept(raster, data, 30.0).metadata == METADATA
    assert inspect(data).metadata == ["icc", "exif", "xmp"]
    assert read_chunks(data)[ICC] != METADATA["icc"]
    bare = encode(picture(9, 7, alpha=alpha), EncodeOptions(30.0)).data
    assert decode(bare).samples.tolist() == decode(data).samples.tolist()


def test_overhead_is_small():
    """Everything in a plain RGB file that is not weights."""
    for field, size in (("ngp", 64), ("ngp", 20), ("dense", 64), ("dense", 20), ("siren", 16)):
        raster = picture(size, size)
        options = EncodeOptions(25.0, field_of(field, raster), max_steps=300 if field == "siren" else 0, effort=1)
        data = encode(raster, options).data
        assert len(data) - len(read_chunks(data)[WEIGHTS]) <= 100


def test_report_matches_the_file():
    raster, events = picture(), []
    encoded = encode(raster, EncodeOptions(33.0, SMALL_SIREN, effort=1), events.append)
    report, info = encoded.report, inspect(encoded.data)
    assert report["bytes"] == info.bytes == len(encoded.data)
    assert report["bpp"] == info.bpp == 8 * len(encoded.data) / 256
    assert (report["pixels"], report["width"], report["height"], report["channels"]) == (256, 16, 16, 3)
    assert report["psnr_db"] == psnr_db(decode(encoded.data).samples, raster.samples, 255)
    assert (report["reached"], report["field"], report["engine"]) == (True, "siren", "numba")
    assert report["parameters"] == info.parameters
    assert report["steps"] > 0
    assert 0 < report["fit_seconds"] <= report["seconds"]
    assert next(event for event in events if event.phase != "prepare").phase == "fit"
    assert events[0].seconds >= 0


def test_the_same_seed_gives_the_same_bytes():
    raster = picture()
    for field, transform in (("ngp", "rpp"), ("ngp", "none"), ("dense", "none"), (SMALL_SIREN, "rpp")):
        options = EncodeOptions(30.0, field_of(field, raster), transform, seed=11, effort=2, device="cpu")
        assert encode(raster, options).data == encode(raster, options).data


def test_seeds_permute_differently():
    raster = picture()
    a, b = (encode(raster, EncodeOptions(30.0, transform="rpp", seed=seed)).data for seed in (1, 2**64 - 1))
    assert (inspect(a).seed, inspect(b).seed) == (1, 2**64 - 1)
    assert read_chunks(a)[WEIGHTS] != read_chunks(b)[WEIGHTS]


# ------------------------------------------------------------------------------------------------- when it goes wrong


def test_target_not_reached():
    options = EncodeOptions(60.0, SMALL_SIREN, max_steps=2)
    with pytest.raises(TargetNotReachedError, match="of 60 dB") as caught:
        encode(picture(), options)
    assert 0 < caught.value.psnr_db < 60


def test_best_effort():
    raster = picture()
    encoded = encode(raster, EncodeOptions(60.0, SMALL_SIREN, max_steps=2, best_effort=True))
    assert encoded.report["reached"] is False
    assert encoded.report["psnr_db"] < 60
    assert psnr_db(decode(encoded.data).samples, raster.samples, 255) == encoded.report["psnr_db"]
    assert inspect(encoded.data).target_psnr_db == 60


def test_time_limit():
    began = time.monotonic()
    options = EncodeOptions(90.0, SMALL_SIREN, time_limit_s=0.2, best_effort=True)
    assert encode(picture(), options).report["reached"] is False
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "options",
    [
        {"psnr_db": 0.0},
        {"psnr_db": -1.0},
        {"psnr_db": 150.1},
        {"psnr_db": math.nan},
        {"psnr_db": math.inf},
        {"seed": -1},
        {"seed": 1 << 64},
        {"effort": 0},
        {"effort": 10},
        {"max_steps": -1},
        {"time_limit_s": 0.0},
        {"time_limit_s": math.nan},
        {"device": "tpu"},
    ],
    ids=str,
)
def test_options_are_validated(options):
    with pytest.raises(UsageError):
        EncodeOptions(**options)


@pytest.mark.parametrize(
    "options", [{"field": "wavelet"}, {"transform": "zag"}, {"field": SMALL_SIREN, "engine": "abacus"}], ids=str
)
def test_unknown_names(options):
    with pytest.raises(UsageError, match=r"known|there are"):
        encode(picture(), EncodeOptions(**options))


def test_limits():
    raster = picture()
    with pytest.raises(LimitError):
        encode(raster, EncodeOptions(), limits=Limits(max_pixels=255))
    with pytest.raises(LimitError):
        encode(raster, EncodeOptions(field=Siren(64)), limits=Limits(max_parameters=10_000))
    data = encode(raster, EncodeOptions(30.0)).data
    for limits in (Limits(max_pixels=255), Limits(max_file_bytes=100), Limits(max_macs=9)):
        with pytest.raises(LimitError):
            decode(data, limits)
        with pytest.raises(LimitError):
            inspect(data, limits)


def rebuilt(data: bytes, changes=None, **header) -> bytes:
    """The file with other header fields or chunks, and good CRCs."""
    from dataclasses import replace

    chunks = read_chunks(data)
    head = replace(Header.unpack(chunks[HEADER], DEFAULT_LIMITS), **header)
    return write_chunks({**chunks, HEADER: head.pack(), **(changes or {})})


@pytest.fixture(scope="module")
def data() -> bytes:
    return encode(picture(alpha=True), EncodeOptions(30.0, transform="zigzag")).data


def test_a_wrong_digest_is_noticed(data):
    wrong = rebuilt(data, digest=bytes(8))
    with pytest.raises(FormatError, match="digest"):
        decode(wrong)
    verification = verify(wrong)
    assert not verification.ok
    assert verification.expected == "0" * 16
    assert verification.digest == inspect(data).digest


def test_the_digest_is_of_samples_and_alpha(data):
    decoded = decode(data)
    content = decoded.samples.tobytes() + decoded.alpha.tobytes()
    assert inspect(data).digest == hashlib.sha256(content).hexdigest()[:16]


@pytest.mark.parametrize(
    "change",
    [
        {"width": 15},
        {"height": 400},
        {"channels": 1},
        {"alpha": False},
        {"steps": b""},
        {"steps": bytes(100)},
        {"chain": b"\0"},
        {"chain": b"\0\0"},
        {"chain": b"\x09" + b"\x01" * 9},
        {"chain": b"\1\xfe"},
        {"field_id": 77},
        {"field": b""},
        {"changes": {ALPHA: b"\1\2\3\4"}},
        {"changes": {PLANES: b""}},
        {"changes": {WEIGHTS: b""}},
        {"changes": {ICC: b"no zstd"}},
    ],
    ids=str,
)
def test_inconsistent_files_are_refused(data, change):
    with pytest.raises(FormatError):
        decode(rebuilt(data, **change))


def test_a_header_of_another_depth_is_no_crash(data):
    with pytest.raises(FormatError):
        decode(rebuilt(data, depth=16))


@pytest.mark.parametrize("transform", ["none", "rpp", "scale:1000", "gamma:0.05"])
@pytest.mark.parametrize(("shape", "depth"), [((9, 8), 8), ((9, 8), 16), ((1, 1), 16)])
@either_ngp
def test_the_highest_target_ends_in_a_file_or_in_a_clear_word(shape, depth, transform, field):
    samples = np.random.default_rng(5).integers(0, 2**depth, (*shape, 1)).astype(np.uint16 if depth == 16 else np.uint8)
    raster = Raster(samples)
    try:
        data = encode(raster, EncodeOptions(150.0, field_of(field, raster), transform)).data
    except TargetNotReachedError:
        assert depth == 16 or ":" in transform, "8-bit samples can be had without loss"
    else:
        assert np.array_equal(decode(data).samples, samples)


@pytest.mark.parametrize(("shape", "psnr_db"), [((1, 40, 3), 20.0), ((7, 5, 1), 20.0), ((1, 2, 1), 50.0)])
def test_a_siren_fits_noise_in_a_few_pixels(shape, psnr_db):
    samples = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert encode(Raster(samples, None), EncodeOptions(psnr_db, "siren")).report["reached"]


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 3), (5, 5, 1)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_siren_fits_one_colour_at_any_target(shape, value):
    for target_db in (20.0, 90.0):
        raster = Raster(np.full(shape, value, np.uint8), None)
        assert encode(raster, EncodeOptions(target_db, "siren")).report["reached"]
