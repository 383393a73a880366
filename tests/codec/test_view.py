"""Regions and smaller pictures: the very pixels of the whole, means of blocks, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nfcodec
from nfcodec.codec import View
from nfcodec.codec.document import parse
from nfcodec.errors import FormatError, LimitError, UsageError
from nfcodec.exact.geometry import Geometry
from nfcodec.format import ALPHA, HEADER, RESIDUAL, WEIGHTS, Header, read_chunks, write_chunks
from nfcodec.limits import DEFAULT_LIMITS, Limits

FILES = sorted((Path(__file__).parents[1] / "conformance" / "golden").glob("*.nfc"))
DOCUMENTS = {path: parse(path.read_bytes(), DEFAULT_LIMITS) for path in FILES}
KEEPING = [path for path, document in DOCUMENTS.items() if not document.chain.permutes]


def kind(path):
    """What of a file makes its decoding different."""
    document = DOCUMENTS[path]
    header, chunks = document.header, document.chunks
    flat = min(header.width, header.height) == 1
    return document.field, header.channels, RESIDUAL in chunks, ALPHA in chunks, bool(document.chain.pointwise), flat


KINDS = {kind(path): path for path in KEEPING}
each_file = pytest.mark.parametrize("path", KINDS.values(), ids=lambda path: path.stem)


def reduced(picture, channels, scale):
    """A picture (H, W) or (H, W, C) reduced as docs/reference/format.md says, block by block."""
    planes = picture.reshape(*picture.shape[:2], -1).astype(int)
    height, width, n_planes = planes.shape
    out = np.empty((-(-height // scale), -(-width // scale), n_planes), picture.dtype)
    for i, j in np.ndindex(*out.shape[:2]):
        block = planes[i * scale : (i + 1) * scale, j * scale : (j + 1) * scale].reshape(-1, n_planes)
        weights = np.ones(len(block), int)
        if n_planes > channels:
            total, n = int(block[:, -1].sum()), len(block)
            out[i, j, -1] = (2 * total + n) // (2 * n)
            weights = block[:, -1] if total else weights
        for c in range(channels):
            out[i, j, c] = (2 * int(weights @ block[:, c]) + weights.sum()) // (2 * weights.sum())
    return out.reshape(*out.shape[:2], *picture.shape[2:])


def regions(height, width):
    """Some of any size: the last pixel, and one in the middle."""
    yield width - 1, height - 1, 1, 1
    x, y = width // 3, height // 4
    yield x, y, max(1, width // 3), max(1, height // 2)


@each_file
def test_a_region_is_the_cut_of_the_whole(path):
    data = path.read_bytes()
    whole = np.load(path.with_suffix(".npy"))
    for x, y, width, height in regions(*whole.shape[:2]):
        found = nfcodec.decode_array(data, region=(x, y, width, height))
        assert found.dtype == whole.dtype
        assert np.array_equal(found, whole[y : y + height, x : x + width])


@each_file
def test_a_smaller_picture_has_the_means_of_blocks(path):
    data = path.read_bytes()
    whole = np.load(path.with_suffix(".npy"))
    scale, document = 4, DOCUMENTS[path]
    found, expected = nfcodec.decode_array(data, scale=scale), reduced(whole, document.header.channels, scale)
    assert (found.dtype, found.shape) == (whole.dtype, expected.shape)
    if document.header.alpha or document.field.coarser(document.geometry, scale) is None:
        assert np.array_equal(found, expected)
    x, y, width, height = list(regions(*whole.shape[:2]))[-1]
    part = nfcodec.decode_array(data, region=(x, y, width, height), scale=scale)
    rows, cols = slice(y // scale, -(-(y + height) // scale)), slice(x // scale, -(-(x + width) // scale))
    assert np.array_equal(part, found[rows, cols])


def test_there_is_every_field_and_a_residual():
    documents = [DOCUMENTS[path] for path in KINDS.values()]
    assert {document.field.wire_id for document in documents} == set(range(1, 9))
    assert {RESIDUAL in document.chunks for document in documents} == {False, True}
    assert {document.header.alpha for document in documents} == {False, True}


@pytest.mark.parametrize("path", [path for path in FILES if path not in KEEPING], ids=lambda path: path.stem)
def test_pictures_whose_pixels_moved_are_refused(path):
    for options in ({"region": (0, 0, 1, 1)}, {"scale": 2}):
        with pytest.raises(UsageError, match=r"has moved the pixels of this file.*decode the whole picture"):
            nfcodec.decode(path.read_bytes(), **options)


WAVELET = next(path for path in FILES if path.stem == "wavelet-primes").read_bytes()  # 37 x 31 pixels


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ((0, 0, 38, 1), r"0,0,38,1 is not inside the picture of 37 x 31 pixels"),
        ((36, 30, 2, 1), "not inside"),
        ((0, 31, 1, 1), "not inside"),
        ((10**30, 0, 1, 1), "not inside"),
        ((0, 0, 10**30, 10**30), "not inside"),
        ((-1, 0, 2, 2), "region's x must be a whole number of at least 0"),
        ((0, -5, 2, 9), "region's y"),
        ((0, 0, 0, 5), "region's width must be a whole number of at least 1"),
        ((0, 0, 5, -1), "region's height"),
        ((0, 0, 5.0, 5), "region's width"),
        ((0, 0, True, 5), "region's width"),
        ((0, 0, 5), "region must hold 4 whole numbers: x, y, width, height, not 3"),
        ("0,0,5,5", "region must be 4 whole numbers"),
        (5, "region must be 4 whole numbers"),
    ],
    ids=repr,
)  # fmt: skip
def test_regions_that_there_are_not(region, message):
    with pytest.raises(UsageError, match=message):
        nfcodec.decode_array(WAVELET, region=region)


@pytest.mark.parametrize("scale", [0, -2, 3, 256, 10**30, 2.0, True, None, "1/2"], ids=repr)
def test_scales_that_there_are_not(scale):
    with pytest.raises(UsageError, match=r"^scale must be "):
        nfcodec.decode_array(WAVELET, scale=scale)


def test_numbers_may_be_numpys():
    region = np.array([3, 4, 5, 6])
    assert nfcodec.decode_array(WAVELET, region=region, scale=np.int64(1)).shape == (6, 5, 3)
    assert View(region) == View((3, 4, 5, 6))


def test_other_ways_to_ask(tmp_path):
    path, region = tmp_path / "a.nfc", (3, 4, 15, 16)
    path.write_bytes(WAVELET)
    expected = nfcodec.decode_array(WAVELET, region=region, scale=2)
    assert expected.shape == (8, 8, 3)  # blocks 1 .. 8 of columns, 2 .. 9 of rows
    file = nfcodec.open(path)
    for found in (
        nfcodec.decode(WAVELET, region=region, scale=2), nfcodec.load(path, region=region, scale=2),
        file.image(region=region, scale=2), file.array(region=region, scale=2),
    ):  # fmt: skip
        assert np.array_equal(np.asarray(found), expected)


def test_the_whole_picture_is_checked_and_parts_are_not():
    chunks = read_chunks(WAVELET)
    header = Header.unpack(chunks[HEADER], DEFAULT_LIMITS)
    other = write_chunks({**chunks, HEADER: replace(header, digest=bytes(8)).pack()})
    for options in ({}, {"scale": 1}):
        with pytest.raises(FormatError, match="digest"):
            nfcodec.decode(other, **options)
    assert np.array_equal(nfcodec.decode_array(other, region=(0, 0, 37, 31)), nfcodec.decode_array(WAVELET))


def test_means_are_by_alpha():
    """What is behind transparent pixels does not show, unless all of a block is transparent."""
    colours = np.array([[[200], [100], [10], [20]]], np.uint8)
    alpha = np.array([[[255], [0], [0], [0]]], np.uint8)
    data = nfcodec.encode(np.concatenate([colours, alpha], axis=2), lossless=True, field="samples")
    assert nfcodec.decode_array(data, scale=2).tolist() == [[[200, 128], [15, 0]]]


def test_limits_are_about_what_is_decoded():
    with pytest.raises(LimitError, match="1,147 pixels"):
        nfcodec.decode(WAVELET, limits=Limits(max_pixels=200))
    few = Limits(max_pixels=200)
    assert nfcodec.decode_array(WAVELET, region=(5, 5, 20, 10), limits=few).shape == (10, 20, 3)
    assert nfcodec.decode_array(WAVELET, scale=4, limits=few).shape == (8, 10, 3)
    for options in ({"region": (5, 5, 21, 10)}, {"scale": 2}):
        with pytest.raises(LimitError, match="pixels") as caught:
            nfcodec.decode(WAVELET, **options, limits=few)
        assert caught.value.code == "limit.pixels"
    with pytest.raises(LimitError, match="a side of 37 pixels"):
        nfcodec.decode(WAVELET, region=(0, 0, 5, 5), limits=Limits(max_dimension=36))


def test_damage_is_noticed_in_parts_too():
    for damaged in (WAVELET[:-1], WAVELET[:200] + b"\0" + WAVELET[201:]):
        with pytest.raises(FormatError):
            nfcodec.decode(damaged, region=(0, 0, 1, 1))


@pytest.mark.parametrize("name", ["wavelet-primes", "grid-gray", "residual-rgb", "pyramid-gray-alpha"])
def test_damaged_symbols_end_in_a_value_or_an_error(name):
    chunks, rng = read_chunks((FILES[0].parent / f"{name}.nfc").read_bytes()), np.random.default_rng(5)
    for _ in range(12):
        payload = bytearray(chunks[WEIGHTS])
        payload[rng.integers(len(payload))] ^= 1 << int(rng.integers(8))
        data = write_chunks({**chunks, WEIGHTS: bytes(payload)})
        for options in ({"scale": 2}, {"scale": 8}, {"region": (1, 2, 3, 2)}):
            try:
                found = nfcodec.decode_array(data, **options)
            except FormatError:
                continue
            assert found.size


def test_sizes_of_views():
    geometry = Geometry(31, 37, 3)
    assert View(None, 8).size(geometry) == Geometry(4, 5, 3)
    assert View((7, 8, 2, 1), 8).size(geometry) == Geometry(1, 2, 3)
    assert View((36, 30, 1, 1), 128).place(geometry) == (slice(0, 31), slice(0, 37))
