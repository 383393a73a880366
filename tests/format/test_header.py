from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.errors import FormatError, LimitError, NfcError, UnsupportedError
from nfcodec.format import Header
from nfcodec.limits import DEFAULT_LIMITS, Limits

HEADER = Header(
    encoder_version=(0, 1, 0),
    width=300,
    height=200,
    channels=3,
    depth=8,
    alpha=False,
    metadata=0,
    target_psnr_db=40.0,
    psnr_db=40.01,
    digest=b"\1\2\3\4\5\6\7\x08",
    field_id=2,
    field=b"field",
    chain=b"\0",
    steps=b"stepstep",
)
bytes_u8 = st.integers(0, 255)
headers = st.builds(
    Header,
    encoder_version=st.tuples(bytes_u8, bytes_u8, bytes_u8),
    width=st.integers(1, 2000),
    height=st.integers(1, 2000),
    channels=st.sampled_from([1, 3]),
    depth=st.sampled_from([8, 16]),
    alpha=st.booleans(),
    metadata=st.integers(0, 7),
    target_psnr_db=st.integers(1, 15_000).map(lambda n: n / 100) | st.just(math.inf),
    psnr_db=st.integers(0, 20_000).map(lambda n: n / 100) | st.just(math.inf),
    digest=st.binary(min_size=8, max_size=8),
    field_id=bytes_u8,
    field=st.binary(max_size=300),
    chain=st.binary(max_size=70),
    steps=st.binary(max_size=40),
)


@given(headers)
def test_round_trip(header: Header):
    assert Header.unpack(header.pack(), DEFAULT_LIMITS) == header


def test_the_bytes_are_frozen():
    """docs/format.md, to the byte."""
    assert HEADER.pack().hex(" ") == (
        "00 01 00 03 a0 0f a1 0f 01 02 03 04 05 06 07 08 ac 02 c8 01 02 05 66 69 65 6c 64 01 00 73 74 65 70 73 74 65 70"
    )
    assert replace(HEADER, depth=16, alpha=True, channels=1).pack()[3] == 0b1101
    assert replace(HEADER, metadata=5).pack()[3] == 0b1010011
    assert replace(HEADER, target_psnr_db=math.inf, psnr_db=math.inf).pack()[4:8] == b"\xff" * 4


@pytest.mark.parametrize(
    ("target", "reached", "kept"),
    [
        (40.009, 40.009, (40.0, 40.0)),
        (40.0, 40.0, (40.0, 40.0)),
        (33.3, 33.3, (33.3, 33.3)),
        (0.011, 0.0, (0.01, 0.0)),
        (700.0, 700.0, (655.34, 655.34)),
        (math.inf, math.inf, (math.inf, math.inf)),
        (75.0, math.inf, (75.0, math.inf)),
    ],
)
def test_psnrs_round_down(target, reached, kept):
    packed = replace(HEADER, target_psnr_db=target, psnr_db=reached).pack()
    header = Header.unpack(packed, DEFAULT_LIMITS)
    assert (header.target_psnr_db, header.psnr_db) == kept


def test_truncations_are_rejected():
    packed = HEADER.pack()
    for size in range(len(packed) - len(HEADER.steps)):
        with pytest.raises(FormatError):
            Header.unpack(packed[:size], DEFAULT_LIMITS)


@given(st.binary(max_size=80))
def test_garbage_is_an_error_or_a_value(garbage: bytes):
    try:
        header = Header.unpack(garbage, DEFAULT_LIMITS)
    except NfcError:
        return
    assert header.width * header.height <= DEFAULT_LIMITS.max_pixels


@pytest.mark.parametrize("mode", [0, 2, 16 | 2, 0x80 | 1])
def test_unknown_modes(mode: int):
    packed = bytearray(HEADER.pack())
    packed[3] = mode
    with pytest.raises(UnsupportedError):
        Header.unpack(bytes(packed), DEFAULT_LIMITS)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"width": 0}, FormatError),
        ({"height": 0}, FormatError),
        ({"width": 40_000}, LimitError),
        ({"width": 20_000, "height": 20_000}, LimitError),
        ({"width": 2**34}, LimitError),
        ({"width": 2**36}, FormatError),
        ({"field": bytes(70_000)}, LimitError),
    ],
)
def test_geometry_and_size_are_bounded(changes, error):
    with pytest.raises(error):
        Header.unpack(replace(HEADER, **changes).pack(), DEFAULT_LIMITS)


def test_limits_are_the_callers():
    with pytest.raises(LimitError):
        Header.unpack(HEADER.pack(), Limits(max_pixels=59_999))
    assert Header.unpack(HEADER.pack(), Limits(max_pixels=60_000)) == HEADER
