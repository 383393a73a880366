"""Files that decode to the very samples: a field, and the residual that it left over."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.codec import Encoded, EncodeOptions, decode, encode, inspect, verify
from nfcodec.codec.document import parse
from nfcodec.coding.payload import decode_payload
from nfcodec.coding.residuals import encode_residual
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import OUTPUT_BITS, Quantized
from nfcodec.exact.field import Field
from nfcodec.fields import Table
from nfcodec.format import HEADER, PLANES, RESIDUAL, WEIGHTS, Header, read_chunks, write_chunks
from nfcodec.limits import DEFAULT_LIMITS
from nfcodec.metrics import psnr_db
from nfcodec.raster import Raster
from tests.codec.pictures import METADATA, SMALL_SIREN, field_of, flat, noise, picture, suited

QUICK = {"effort": 1, "max_steps": 40}
FIELDS = ["suited", "pyramid", SMALL_SIREN]
BELOW, ABOVE = 8, 9

every_field = pytest.mark.parametrize("field", FIELDS, ids=["suited", "pyramid", "siren"])


def lossless(raster: Raster, field: str | Field = "suited", transform: str = "none", **options) -> Encoded:
    field = suited(transform) if field == "suited" else field
    chosen = {**QUICK, "field": field_of(field, raster), "transform": transform, **options}
    return encode(raster, EncodeOptions(**chosen, lossless=True))


def assert_exact(raster: Raster, data: bytes, target_db: float = math.inf) -> Raster:
    decoded = decode(data)
    assert decoded.samples.dtype == raster.samples.dtype
    assert np.array_equal(decoded.samples, raster.samples)
    if raster.alpha is None:
        assert decoded.alpha is None
    else:
        assert decoded.alpha is not None
        assert np.array_equal(decoded.alpha, raster.alpha)
    info = inspect(data)
    assert (info.psnr_db, info.target_psnr_db) == (math.inf, target_db)
    assert verify(data).ok
    return decoded


@pytest.mark.parametrize(("channels", "depth", "alpha"), [(1, 8, True), (1, 16, False), (3, 8, False), (3, 16, True)])
@every_field
def test_every_kind_of_picture(channels, depth, alpha, field):
    raster = picture(9, 8, channels, depth, alpha)
    assert_exact(raster, lossless(raster, field).data)


@pytest.mark.parametrize("transform", ["none", "rpp", "zigzag", "inversion", "gamma:0.5", "standardize+zigzag+rpp"])
@every_field
def test_every_transform(field, transform):
    raster = picture()
    data = lossless(raster, field, transform, seed=5).data
    assert_exact(raster, data)
    chunks = read_chunks(data)
    assert RESIDUAL in chunks
    assert (PLANES in chunks) == ("zigzag" in transform)


@pytest.mark.parametrize("transform", ["rpp", "zigzag", "inversion", "gamma:0.05", "scale:1000"])
def test_16_bit_transforms(transform):
    """Also those of which a field cannot tell all samples apart."""
    raster = picture(9, 8, 1, 16)
    assert_exact(raster, lossless(raster, transform=transform).data)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 17), (17, 1), (2, 2)], ids=str)
@pytest.mark.parametrize("transform", ["none", "rpp"])
@every_field
def test_every_shape(shape, transform, field):
    raster = picture(*shape)
    assert_exact(raster, lossless(raster, field, transform).data)


@every_field
def test_noise(field):
    assert_exact(noise(), lossless(noise(), field).data)


@pytest.mark.parametrize("depth", [8, 16])
@every_field
def test_black_and_white(field, depth):
    """Residuals as large as there are, and samples whose intervals are open."""
    ones = np.random.default_rng(0).integers(0, 2, (9, 9, 3)).astype(np.uint8 if depth == 8 else np.uint16)
    raster = Raster.from_array(ones * ones.dtype.type((1 << depth) - 1))
    assert_exact(raster, lossless(raster, field).data)


@pytest.mark.parametrize("value", [0, 1, 128, 255])
@pytest.mark.parametrize("field", ["suited", "pyramid"])
def test_flat_pictures_need_no_residual(value, field):
    data = lossless(flat(value), field).data
    assert_exact(flat(value), data)
    assert RESIDUAL not in read_chunks(data)
    assert len(data) < 200


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("options", [{"max_steps": 0}, {"time_limit_s": 1e-3}], ids=str)
def test_a_field_that_was_not_fitted_will_do(options, depth):
    raster = picture(9, 8, 3, depth)
    encoded = lossless(raster, SMALL_SIREN, **options)
    assert encoded.report["reached"] is True
    assert_exact(raster, encoded.data)


def test_the_default_siren():
    raster = picture()
    data = lossless(raster, "siren").data
    assert inspect(data).field == "siren"
    assert_exact(raster, data)


def test_more_effort():
    raster = picture()
    assert_exact(raster, lossless(raster, effort=4).data)


def test_metadata_is_kept():
    raster = picture(9, 7, alpha=True, metadata=METADATA)
    assert assert_exact(raster, lossless(raster).data).metadata == METADATA


def test_the_same_seed_gives_the_same_bytes():
    for field, transform in (("suited", "none"), ("suited", "rpp"), (SMALL_SIREN, "none"), ("auto", "none")):
        first, second = (lossless(picture(), field, transform, seed=7, device="cpu").data for _ in range(2))
        assert first == second


def test_report_and_info_say_that_nothing_is_lost():
    raster = picture()
    encoded = lossless(raster)
    report, info = encoded.report, inspect(encoded.data)
    assert math.isinf(encoded.psnr_db)
    assert (report["psnr_db"], report["target_psnr_db"], report["reached"]) == (None, None, True)
    assert report["bytes"] == info.bytes == len(encoded.data)
    assert report["side_info_bytes"] == info.side_info_bytes
    assert info.chunks["RESD"] == len(read_chunks(encoded.data)[RESIDUAL])
    values = info.to_dict()
    assert (values["psnr_db"], values["target_psnr_db"]) == (None, None)
    for each in (report, values, verify(encoded.data).to_dict()):
        json.dumps(each, allow_nan=False)
    assert inspect(encode(raster, EncodeOptions(30.0, effort=1)).data).to_dict()["target_psnr_db"] == 30


# --------------------------------------------------------------------------------- targets that take a lossless file


CHAINS = ["none", "rpp", "inversion"]


@pytest.fixture(scope="module")
def exact_bytes() -> dict[str, int]:
    """What the picture takes without loss, by chain."""
    return {chain: len(lossless(picture(), transform=chain, max_steps=None).data) for chain in CHAINS}


@pytest.mark.parametrize("transform", CHAINS)
@pytest.mark.parametrize("target_db", [61.0, 150.0])
def test_high_targets_take_the_residual(target_db, transform, exact_bytes):
    raster = picture()
    encoded = encode(raster, EncodeOptions(target_db, suited(transform), transform, effort=1))
    assert_exact(raster, encoded.data, target_db)
    assert encoded.report["target_psnr_db"] == target_db
    assert RESIDUAL in read_chunks(encoded.data)
    assert len(encoded.data) <= exact_bytes[transform]


@pytest.mark.parametrize(("depth", "target_db"), [(8, 50.0), (8, 57.0), (16, 75.0), (16, 90.0)])
def test_lower_ones_do_not(depth, target_db):
    raster = picture(depth=depth)
    data = encode(raster, EncodeOptions(target_db, "wavelet", effort=1)).data
    assert RESIDUAL not in read_chunks(data)
    assert psnr_db(decode(data).samples, raster.samples, raster.peak) >= target_db


@pytest.mark.parametrize("target_db", [100.0, 150.0])
def test_high_targets_of_16_bits(target_db):
    raster = picture(depth=16)
    data = encode(raster, EncodeOptions(target_db, "wavelet", effort=1)).data
    assert_exact(raster, data, target_db)
    assert RESIDUAL in read_chunks(data)


@pytest.mark.parametrize("target_db", [98.0, 99.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_no_target_of_16_bits_is_out_of_reach(channels, target_db):
    raster = picture(12, 12, channels, 16)
    data = encode(raster, EncodeOptions(target_db, "wavelet", effort=1)).data
    assert psnr_db(decode(data).samples, raster.samples, raster.peak) >= target_db


@pytest.mark.parametrize("field", ["siren", SMALL_SIREN, "ngp"], ids=["siren", "small siren", "ngp"])
def test_families_that_fit_by_gradient_steps_stay_lossy(field):
    options = EncodeOptions(75.0, field, effort=1, max_steps=40, best_effort=True)
    data = encode(picture(), options).data
    assert RESIDUAL not in read_chunks(data)
    assert inspect(data).target_psnr_db == 75


@pytest.mark.parametrize("field", ["wavelet", "table", "pyramid", Table()], ids=str)
def test_the_policy_is_the_family_s_for_names_and_fields_alike(field):
    raster = picture()
    data = encode(raster, EncodeOptions(75.0, field_of(field, raster), effort=1)).data
    assert_exact(raster, data, 75.0)
    assert RESIDUAL in read_chunks(data)


# ------------------------------------------------------------------------------------------------ when it goes wrong


def with_chunks(data: bytes, changes: dict[bytes, bytes | None], **header) -> bytes:
    """The file with other chunks or header fields, and good CRCs; None removes a chunk."""
    chunks = {**read_chunks(data), **changes}
    head = replace(Header.unpack(read_chunks(data)[HEADER], DEFAULT_LIMITS), **header)
    return write_chunks({**{kind: each for kind, each in chunks.items() if each is not None}, HEADER: head.pack()})


@pytest.fixture(scope="module")
def exact() -> bytes:
    return lossless(picture()).data


@pytest.fixture(scope="module")
def lossy() -> bytes:
    return encode(picture(), EncodeOptions(35.0, "wavelet", effort=1)).data


def constant(value: int, shape=(9, 7, 3), place: int = 0) -> bytes:
    return encode_residual(np.full(shape, value, np.int64), np.full(shape, place, np.int8))


def fitted(data: bytes):
    """What the field alone makes of a file whose chain moves no pixels, and the places of these samples."""
    document = parse(data, DEFAULT_LIMITS)
    header, symbols = document.header, decode_payload(document.field, document.geometry, document.chunks[WEIGHTS])
    weights = {name: Quantized(values, document.steps[name]) for name, values in symbols.items()}
    outputs = document.field.evaluate(document.geometry, weights)
    value_map = document.chain.value_map(header.depth, header.channels, OUTPUT_BITS)
    samples = value_map.to_samples(outputs)
    shape = header.height, header.width, header.channels
    return samples.reshape(shape), value_map.places(outputs, samples).reshape(shape)


def assert_wrong_digest(data: bytes) -> None:
    with pytest.raises(FormatError, match="digest"):
        decode(data)
    assert not verify(data).ok


def test_a_lossless_file_without_its_residual(exact):
    assert_wrong_digest(with_chunks(exact, {RESIDUAL: None}))


def test_a_lossless_file_with_a_residual_of_nothing(exact):
    assert_wrong_digest(with_chunks(exact, {RESIDUAL: constant(0, (9, 11, 3))}))


@pytest.mark.parametrize("transform", ["none", "inversion"])
def test_one_sample_that_is_off_by_one(transform):
    raster = picture()
    data = lossless(raster, transform=transform).data
    samples, places = fitted(data)
    residual = raster.samples - samples.astype(np.int64)
    assert encode_residual(residual, places) == read_chunks(data)[RESIDUAL]
    residual[5, 6, 1] += 1
    wrong = with_chunks(data, {RESIDUAL: encode_residual(residual, places)})
    assert_wrong_digest(wrong)
    off = verify(wrong).raster.samples.astype(int) - raster.samples
    assert (off[5, 6, 1], np.abs(off).sum()) == (1, 1)


def test_a_lossy_file_with_a_residual(lossy):
    samples, places = fitted(lossy)
    residual = np.where(samples < 255, 1, 0)
    wrong = with_chunks(lossy, {RESIDUAL: encode_residual(residual, places)})
    assert_wrong_digest(wrong)
    assert (verify(wrong).raster.samples == samples + residual).all()


def test_a_lossy_file_may_have_a_residual_of_nothing(lossy):
    padded = with_chunks(lossy, {RESIDUAL: constant(0, (9, 11, 3))})
    assert np.array_equal(decode(padded).samples, decode(lossy).samples)
    assert verify(padded).ok


def test_the_residual_is_of_this_field(exact):
    other = lossless(picture(), "pyramid").data
    with pytest.raises(FormatError):
        decode(with_chunks(exact, {RESIDUAL: read_chunks(other)[RESIDUAL]}))
    with pytest.raises(FormatError):
        decode(with_chunks(exact, {WEIGHTS: read_chunks(other)[WEIGHTS]}))


@pytest.mark.parametrize(("value", "place", "residual"), [(0, BELOW, -1), (0, BELOW, -255), (255, ABOVE, 1)])
def test_residuals_that_leave_the_range(value, place, residual):
    """The places here are those of the flat picture; so it is the range that is noticed."""
    data = lossless(flat(value)).data
    largest = 255 if value == 0 else -255
    assert (verify(with_chunks(data, {RESIDUAL: constant(largest, place=place)})).raster.samples == 255 - value).all()
    for read in (decode, verify):
        with pytest.raises(FormatError, match="range"):
            read(with_chunks(data, {RESIDUAL: constant(residual, place=place)}))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\1\1",
        b"\1\1\x80",
        b"\x80\2\1\1" + bytes(64),
        b"\xff\xff\xff\xff\x0f" * 3 + bytes(64),
        b"\1\1\1abc",
        b"\xff\1" * 3 + b"\xaa" * 64,
        b"\xff\1" * 3 + b"\xff" * 4000,
        bytes(4000),
    ],
    ids=["empty", "short", "truncated", "256", "2^32 - 1", "no words", "garbage", "ones", "zeros"],
)
def test_broken_residuals(exact, payload):
    with pytest.raises(FormatError):
        decode(with_chunks(exact, {RESIDUAL: payload}))


@pytest.mark.parametrize("shape", [(4, 5), (5, 5), (6, 5)], ids=str)
def test_a_residual_with_a_wrong_byte_is_never_decoded_to_something_else(shape):
    """The last word may hold more bits than the symbols need; only there may a change change nothing."""
    raster = picture(*shape)
    exact = lossless(raster).data
    payload = read_chunks(exact)[RESIDUAL]
    for at in range(len(payload)):
        wrong = payload[:at] + bytes([payload[at] ^ 0x5A]) + payload[at + 1 :]
        data = with_chunks(exact, {RESIDUAL: wrong})
        if at < len(payload) - 4:
            with pytest.raises(FormatError):
                decode(data)
        else:
            with contextlib.suppress(FormatError):
                assert np.array_equal(decode(data).samples, raster.samples)


def test_the_chunk_has_its_place(exact):
    chunks = read_chunks(exact)
    assert list(chunks) == [HEADER, WEIGHTS, RESIDUAL]
    begin = exact.index(RESIDUAL)
    end = begin + 12 + len(chunks[RESIDUAL])
    weights = exact.index(WEIGHTS)
    moved = exact[:weights] + exact[begin:end] + exact[weights:begin] + exact[end:]
    for data in (moved, exact + exact[begin:end]):
        with pytest.raises(FormatError):
            decode(data)
