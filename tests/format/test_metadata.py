from __future__ import annotations

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.errors import FormatError, LimitError
from nfcodec.format import pack_metadata, unpack_metadata
from nfcodec.limits import DEFAULT_LIMITS, Limits

BLOB = b"<x:xmpmeta>" * 50


@given(st.binary(min_size=1, max_size=2000))
def test_round_trip(blob: bytes):
    assert unpack_metadata(pack_metadata(blob), DEFAULT_LIMITS) == blob


def test_every_truncation_and_bit_flip_is_rejected():
    packed = pack_metadata(BLOB)
    for size in range(len(packed)):
        with pytest.raises(FormatError):
            unpack_metadata(packed[:size], DEFAULT_LIMITS)
    for bit in range(8 * len(packed)):
        damaged = bytearray(packed)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            blob = unpack_metadata(bytes(damaged), DEFAULT_LIMITS)
        except (FormatError, LimitError):
            continue
        assert blob == BLOB  # a reserved or redundant bit


@given(st.binary(max_size=100), st.sampled_from([b"", b"\x28\xb5\x2f\xfd"]))
def test_garbage_is_an_error_or_a_value(garbage: bytes, magic: bytes):
    try:
        blob = unpack_metadata(magic + garbage, Limits(max_metadata_bytes=1000))
    except (FormatError, LimitError):
        return
    assert 0 < len(blob) <= 1000


def test_bombs_are_stopped_before_they_are_decompressed():
    bomb = pack_metadata(bytes(DEFAULT_LIMITS.max_metadata_bytes + 1))
    assert len(bomb) < 5000
    with pytest.raises(LimitError):
        unpack_metadata(bomb, DEFAULT_LIMITS)
    with pytest.raises(LimitError):
        unpack_metadata(pack_metadata(bytes(101)), Limits(max_metadata_bytes=100))


@pytest.mark.parametrize("stated", [len(BLOB) - 1, len(BLOB) + 1, 256, 65_000])
def test_a_wrong_size_is_rejected(stated: int):
    """The content size of this frame is the u16, less 256, after the magic number and the descriptor."""
    packed = bytearray(pack_metadata(BLOB))
    at = packed.index((len(BLOB) - 256).to_bytes(2, "little"), 4)
    assert at == 5
    packed[at : at + 2] = (stated - 256).to_bytes(2, "little")
    with pytest.raises(FormatError):
        unpack_metadata(bytes(packed), DEFAULT_LIMITS)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"plain",
        zstandard.ZstdCompressor(write_checksum=False, write_content_size=True).compress(BLOB),
        zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compress(BLOB),
        zstandard.ZstdCompressor(write_checksum=True).compress(b""),
        pack_metadata(BLOB) + b"\0",
        pack_metadata(BLOB) + pack_metadata(BLOB),
        zstandard.ZstdCompressor(
            write_checksum=True, dict_data=zstandard.train_dictionary(500, [bytes([i]) * 99 + BLOB for i in range(99)])
        ).compress(BLOB),
    ],
    ids=["empty", "no zstd", "no checksum", "no size", "nothing", "more", "two frames", "dictionary"],
)
def test_unusual_frames_are_rejected(payload: bytes):
    with pytest.raises(FormatError):
        unpack_metadata(payload, DEFAULT_LIMITS)
