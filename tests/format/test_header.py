from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.errors import FormatError, LimitError, NfcError, UnsupportedError
from nfcodec.exact.arithmetic import Step
from nfcodec.format import HEADER, MINOR, WEIGHTS, Header, read_chunks, write_chunks
from nfcodec.format.chunks import SIGNATURE
from nfcodec.limits import DEFAULT_LIMITS, Limits

EXAMPLE = Header(
    encoder_version=(0, 1, 0),
    width=300,
    height=200,
    channels=3,
    depth=8,
    alpha=False,
    metadata=0,
    stepped=False,
    target_psnr_db=40.0,
    psnr_db=40.01,
    digest=b"\1\2\3\4\5\6\7\x08",
    field_id=2,
    field=b"field",
    chain=b"\0",
    steps=(Step(128, -9), Step(255, 127)),
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
    stepped=st.booleans(),
    target_psnr_db=st.integers(1, 15_000).map(lambda n: n / 100) | st.just(math.inf),
    psnr_db=st.integers(0, 20_000).map(lambda n: n / 100) | st.just(math.inf),
    digest=st.binary(min_size=8, max_size=8),
    field_id=bytes_u8,
    field=st.binary(max_size=300),
    chain=st.binary(max_size=70),
    steps=st.lists(st.builds(Step, st.integers(128, 255), st.integers(-128, 127)), max_size=20).map(tuple),
    minor=bytes_u8,
)


@given(headers)
def test_round_trip(header: Header):
    assert Header.unpack(header.pack(), DEFAULT_LIMITS) == header


def test_the_bytes_are_frozen():
    """docs/reference/format.md, to the byte."""
    assert EXAMPLE.pack().hex(" ") == (
        "00 00 01 00 03 a0 0f a1 0f 01 02 03 04 05 06 07 08 ac 02 c8 01 02 05 66 69 65 6c 64 01 00 80 f7 ff 7f"
    )
    assert replace(EXAMPLE, depth=16, alpha=True, channels=1).pack()[4] == 0b1101
    assert replace(EXAMPLE, metadata=5).pack()[4] == 0b1010011
    assert replace(EXAMPLE, stepped=True).pack()[4] == 0b10000011
    assert replace(EXAMPLE, target_psnr_db=math.inf, psnr_db=math.inf).pack()[5:9] == b"\xff" * 4


def test_the_minor_version_is_read_and_any_will_do():
    assert EXAMPLE.pack()[0] == EXAMPLE.minor == MINOR
    assert Header.unpack(replace(EXAMPLE, minor=200).pack(), DEFAULT_LIMITS) == replace(EXAMPLE, minor=200)


def test_a_change_of_any_byte_of_a_file_is_found():
    """The major version alone is under no checksum, and there is no other."""
    data = bytearray(write_chunks({HEADER: EXAMPLE.pack(), WEIGHTS: b"weights"}))
    for at in range(len(data)):
        for change in (1, 0x20, 0x80):
            data[at] ^= change
            with pytest.raises(FormatError):
                read_chunks(bytes(data))
            data[at] ^= change


def test_a_damaged_minor_version_is_found():
    data = bytearray(write_chunks({HEADER: EXAMPLE.pack(), WEIGHTS: b""}))
    at = len(SIGNATURE) + 1 + 8  # the major version, then the chunk's type and length
    assert data[at] == MINOR
    for bit in range(8):
        data[at] ^= 1 << bit
        with pytest.raises(FormatError, match="CRC"):
            read_chunks(bytes(data))
        data[at] ^= 1 << bit
    assert Header.unpack(read_chunks(bytes(data))[HEADER], DEFAULT_LIMITS) == EXAMPLE


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
    packed = replace(EXAMPLE, target_psnr_db=target, psnr_db=reached).pack()
    header = Header.unpack(packed, DEFAULT_LIMITS)
    assert (header.target_psnr_db, header.psnr_db) == kept


def test_truncations_are_rejected():
    """But for one between two steps, which only the field can miss."""
    packed = EXAMPLE.pack()
    whole = [len(packed) - 4, len(packed) - 2]
    for size in range(len(packed)):
        if size in whole:
            assert Header.unpack(packed[:size], DEFAULT_LIMITS).steps == EXAMPLE.steps[: whole.index(size)]
            continue
        with pytest.raises(FormatError, match="truncated"):
            Header.unpack(packed[:size], DEFAULT_LIMITS)


@pytest.mark.parametrize("mantissa", [0, 1, 127])
def test_steps_must_be_normalized(mantissa: int):
    packed = EXAMPLE.pack()
    with pytest.raises(FormatError, match="step"):
        Header.unpack(packed[:-2] + bytes([mantissa, 0]), DEFAULT_LIMITS)


@given(st.binary(max_size=80))
def test_garbage_is_an_error_or_a_value(garbage: bytes):
    try:
        header = Header.unpack(garbage, DEFAULT_LIMITS)
    except NfcError:
        return
    assert header.width * header.height <= DEFAULT_LIMITS.max_pixels


@pytest.mark.parametrize("mode", [0, 2, 16 | 2, 0x80 | 2])
def test_unknown_modes(mode: int):
    packed = bytearray(EXAMPLE.pack())
    packed[4] = mode
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
        Header.unpack(replace(EXAMPLE, **changes).pack(), DEFAULT_LIMITS)


def test_limits_are_the_callers():
    with pytest.raises(LimitError):
        Header.unpack(EXAMPLE.pack(), Limits(max_pixels=59_999))
    assert Header.unpack(EXAMPLE.pack(), Limits(max_pixels=60_000)) == EXAMPLE
