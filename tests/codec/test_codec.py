from __future__ import annotations

import hashlib
import math
import time
from dataclasses import asdict, replace

import numpy as np
import pytest

from nfcodec.codec import EncodeOptions, decode, decoder, encode, inspect, verify
from nfcodec.errors import EngineError, FormatError, LimitError, TargetNotReachedError, UsageError
from nfcodec.exact.arithmetic import Step
from nfcodec.fields import Siren, Table, registry
from nfcodec.format import ALPHA, HEADER, ICC, PLANES, WEIGHTS, Header, read_chunks, write_chunks
from nfcodec.limits import DEFAULT_LIMITS, Limits
from nfcodec.metrics import psnr_db
from nfcodec.raster import Raster
from tests.codec.pictures import METADATA, SMALL_SIREN, field_of, flat, picture

either_field = pytest.mark.parametrize("field", ["auto", "pyramid"])


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


@pytest.mark.parametrize(("alpha", "target_db"), [(False, 55.0), (True, 30.0)], ids=["opaque", "alpha"])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
@either_field
def test_every_kind_of_picture(channels, depth, alpha, target_db, field):
    raster = picture(9, 11, channels, depth, alpha)
    options = EncodeOptions(target_db, field_of(field, raster), effort=1)
    assert_kept(raster, encode(raster, options).data, target_db)


def test_all_is_as_promised_without_any_options():
    raster = picture(13, 17)
    encoded = encode(raster, EncodeOptions())
    assert_kept(raster, encoded.data, 40.0)
    assert encoded.report["field"] == "wavelet"


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (1, 7), (7, 1), (64, 1), (65, 3)])
@pytest.mark.parametrize("transform", ["none", "rpp", "zigzag"])
@either_field
def test_every_shape(shape, transform, field):
    raster = picture(*shape, alpha=True)
    options = EncodeOptions(40.0, field_of(field, raster), transform, effort=1)
    assert_kept(raster, encode(raster, options).data, 40.0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1)])
def test_sirens_of_every_shape(shape):
    raster = picture(*shape)
    options = EncodeOptions(30.0, Siren(width=8, hidden_layers=1), effort=1)
    assert_kept(raster, encode(raster, options).data, 30.0)


GRADUALLY = {
    "1x1": picture(1, 1),
    "1x7": picture(1, 7),
    "7x1": picture(7, 1),
    "flat": flat(128),
    "16 bits and alpha": picture(9, 11, depth=16, alpha=True),
}


@pytest.mark.parametrize("raster", GRADUALLY.values(), ids=GRADUALLY.keys())
def test_gradient_steps_keep_the_promise_too(raster):
    for target_db in (36.0, 58.0):
        assert_kept(raster, encode(raster, EncodeOptions(target_db, "auto", effort=2)).data, target_db)


@pytest.mark.parametrize("value", [0, 1, 128, 255])
@either_field
def test_flat_pictures(value, field):
    raster = flat(value)
    data = encode(raster, EncodeOptions(58.0, field_of(field, raster), effort=1)).data
    assert_kept(raster, data, 58.0)
    assert len(data) < 200


@either_field
def test_extreme_pictures(field):
    """Black and white noise: the largest slopes there are."""
    raster = Raster.from_array(np.random.default_rng(0).integers(0, 2, (12, 12)).astype(np.uint8) * 255)
    assert_kept(raster, encode(raster, EncodeOptions(50.0, field_of(field, raster), effort=1)).data, 50.0)


TRANSFORMS = [
    "rpp", "zigzag", "inversion", "standardize", "scale:0.5", "scale:2", "center:1", "center:2", "gamma:0.5", "gamma:2",
    "standardize+rpp", "gamma:2+zigzag+rpp", "zigzag+rpp+zigzag",
]  # fmt: skip


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("field", ["auto", "pyramid", SMALL_SIREN], ids=["auto", "pyramid", "siren"])
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
    assert "warnings" not in encoded.report  # nothing that was asked for is worth one


@pytest.mark.parametrize("alpha", [False, True])
def test_metadata_is_kept(alpha):
    raster = picture(9, 7, alpha=alpha, metadata=METADATA)
    data = encode(raster, EncodeOptions(30.0, effort=1)).data
    assert assert_kept(raster, data, 30.0).metadata == METADATA
    assert inspect(data).metadata == ["icc", "exif", "xmp"]
    assert read_chunks(data)[ICC] != METADATA["icc"]
    bare = encode(picture(9, 7, alpha=alpha), EncodeOptions(30.0, effort=1)).data
    assert decode(bare).samples.tolist() == decode(data).samples.tolist()


def test_overhead_is_small():
    """Everything in a plain RGB file that is not weights."""
    for field, size in (("auto", 40), ("auto", 9), ("pyramid", 64), ("pyramid", 20), ("siren", 9)):
        raster = picture(size, size)
        options = EncodeOptions(25.0, field_of(field, raster), max_steps=300 if field == "siren" else 0, effort=1)
        data = encode(raster, options).data
        assert len(data) - len(read_chunks(data)[WEIGHTS]) <= 100


def test_report_matches_the_file():
    raster, events = picture(), []
    encoded = encode(raster, EncodeOptions(33.0, SMALL_SIREN, effort=1), events.append)
    report, info = encoded.report, inspect(encoded.data)
    assert report["bytes"] == info.bytes == len(encoded.data)
    assert report["bpp"] == info.bpp == 8 * len(encoded.data) / 99
    assert (report["pixels"], report["width"], report["height"], report["channels"]) == (99, 11, 9, 3)
    assert report["psnr_db"] == psnr_db(decode(encoded.data).samples, raster.samples, 255)
    assert (report["reached"], report["field"], report["engine"]) == (True, "siren", "numba")
    assert report["parameters"] == info.parameters
    assert report["steps"] > 0
    assert 0 < report["fit_seconds"] <= report["seconds"]
    assert next(event for event in events if event.phase != "prepare").phase == "fit"
    assert events[0].seconds >= 0


FITTED = [
    ("auto", "none", "wavelet", False),
    ("wavelet", "rpp", "wavelet", False),
    ("auto", "rpp", "table", False),
    ("table", "none", "table", False),
    ("table", "zigzag", "table", False),
    ("siren", "none", "siren", True),
    ("ngp", "none", "ngp", True),
    (Table(), "none", "table", False),
    (SMALL_SIREN, "none", "siren", True),
]


@pytest.mark.parametrize(("field", "transform", "name", "stepped"), FITTED, ids=str)
def test_report_and_info_name_the_family_and_say_how_it_was_fitted(field, transform, name, stepped):
    options = EncodeOptions(22.0, field, transform, effort=1, max_steps=60, best_effort=True)
    encoded = encode(picture(), options)
    report, info = encoded.report, inspect(encoded.data)
    assert (report["field"], info.field) == (name, name)
    assert report["recipe"] == asdict(registry.family(name).recipes[1])
    if stepped:
        assert report["fitted"] == f"by {report['steps']} gradient steps"
        assert info.fitted == "by gradient steps"
        assert 0 < report["fit_steps"] <= report["steps"]
    else:
        assert report["fitted"] == info.fitted == "solved in closed form, without gradient steps"
        assert (report["steps"], report["fit_steps"], report["engine"]) == (0, 0, None)


@pytest.mark.parametrize("shape", [(40, 48, 3), (7, 9, 1)], ids=str)
def test_gradient_steps_on_wavelets_are_reported_too(shape):
    """Also where they brought nothing, and the analysis is in the file."""
    encoded = encode(picture(*shape), EncodeOptions(36.0, "wavelet", effort=2))
    report, info = encoded.report, inspect(encoded.data)
    assert report["steps"] > 0
    if report["engine"] is None:
        assert report["fitted"] == f"solved in closed form; {report['steps']} gradient steps brought nothing"
        assert info.fitted == "solved in closed form, without gradient steps"
    else:
        assert report["fitted"] == f"by {report['steps']} gradient steps"
        assert info.fitted == "by gradient steps"


def test_the_same_seed_gives_the_same_bytes():
    raster = picture()
    for field, transform in (("auto", "rpp"), ("auto", "none"), ("pyramid", "none"), (SMALL_SIREN, "rpp")):
        options = EncodeOptions(30.0, field_of(field, raster), transform, seed=11, effort=2, device="cpu")
        assert encode(raster, options).data == encode(raster, options).data


SEEDED = [
    ("auto", "none", 1, None),
    ("table", "standardize", 1, None),
    ("auto", "zigzag", 1, None),
    ("auto", "rpp", 1, 5),
    ("wavelet", "rpp", 1, 5),
    ("auto", "none", 2, 5),  # there are gradient steps
    (SMALL_SIREN, "none", 1, 5),
]


@pytest.mark.parametrize(("field", "transform", "effort", "seed"), SEEDED, ids=str)
def test_a_seed_is_reported_where_bytes_depend_on_it(field, transform, effort, seed):
    """The header names that of the random order alone, without which nothing can be decoded."""
    raster = picture(40, 48)
    options = EncodeOptions(22.0, field, transform, seed=5, effort=effort, max_steps=30, best_effort=True)
    encoded = encode(raster, options)
    assert encoded.report["seed"] == seed
    assert inspect(encoded.data).seed == (seed if "rpp" in transform else None)
    if seed is None:
        assert encode(raster, replace(options, seed=6)).data == encoded.data


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
    "options", [{"field": "frog"}, {"transform": "zag"}, {"field": SMALL_SIREN, "engine": "abacus"}], ids=str
)
def test_unknown_names(options):
    with pytest.raises(UsageError, match=r"known|there are|must be one of"):
        encode(picture(), EncodeOptions(**options))


@pytest.mark.parametrize(
    "options",
    [{"field": "wavelet", "engine": "torch"}, {"field": "table", "engine": "tinycudann"}, {"engine": "tinycudann"}],
    ids=str,
)
def test_what_an_engine_cannot_fit_is_refused_before_the_fit(options):
    events = []
    with pytest.raises(EngineError, match=options["engine"]):
        encode(picture(), EncodeOptions(**options), events.append)
    assert not events


def test_limits():
    raster = picture()
    with pytest.raises(LimitError):
        encode(raster, EncodeOptions(), limits=Limits(max_pixels=98))
    with pytest.raises(LimitError, match="memory"):
        encode(raster, EncodeOptions(field=Siren(64)), limits=Limits(max_memory_bytes=100_000))
    data = encode(raster, EncodeOptions(30.0, effort=1)).data
    for limits in (Limits(max_pixels=98), Limits(max_file_bytes=100), Limits(max_work=1e-3)):
        with pytest.raises(LimitError):
            decode(data, limits)
        with pytest.raises(LimitError):
            inspect(data, limits)


def test_a_picture_that_memory_does_not_hold(monkeypatch):
    data = encode(picture(), EncodeOptions(30.0, effort=1)).data

    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(decoder, "decode_payload", full)
    for read in (decode, verify):
        with pytest.raises(LimitError, match="memory"):
            read(data)


def rebuilt(data: bytes, changes=None, **header) -> bytes:
    """The file with other header fields or chunks, and good CRCs."""
    chunks = read_chunks(data)
    head = replace(Header.unpack(chunks[HEADER], DEFAULT_LIMITS), **header)
    return write_chunks({**chunks, HEADER: head.pack(), **(changes or {})})


@pytest.fixture(scope="module")
def data() -> bytes:
    return encode(picture(alpha=True), EncodeOptions(30.0, transform="zigzag", effort=1)).data


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
        {"width": 10},
        {"height": 400},
        {"channels": 1},
        {"alpha": False},
        {"steps": ()},
        {"steps": (Step(128, 0),) * 50},
        {"chain": b"\0"},
        {"chain": b"\0\0"},
        {"chain": b"\x09" + b"\x01" * 9},
        {"chain": b"\1\xfe"},
        {"field_id": 77},
        {"field": b"\xfe\xfe"},
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
@pytest.mark.parametrize("field", ["auto", "pyramid", SMALL_SIREN], ids=["auto", "pyramid", "siren"])
def test_the_highest_target_ends_in_a_file_or_in_a_clear_word(shape, depth, transform, field):
    samples = np.random.default_rng(5).integers(0, 2**depth, (*shape, 1)).astype(np.uint16 if depth == 16 else np.uint8)
    raster = Raster(samples)
    try:
        data = encode(raster, EncodeOptions(150.0, field_of(field, raster), transform, effort=1, max_steps=40)).data
    except TargetNotReachedError:
        assert depth == 16 or ":" in transform or field == SMALL_SIREN, "8-bit samples can be had without loss"
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
        raster = flat(value, shape)
        assert encode(raster, EncodeOptions(target_db, "siren")).report["reached"]
