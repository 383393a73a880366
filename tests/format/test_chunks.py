from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from nfcodec.errors import FormatError, NotNfcError, UnsupportedError
from nfcodec.format import (
    ALPHA,
    EXIF,
    HEADER,
    ICC,
    PLANES,
    WEIGHTS,
    XMP,
    check_start,
    read_chunks,
    skim_chunks,
    write_chunks,
)
from nfcodec.format.chunks import MAJOR, ORDER, SIGNATURE

OPTIONAL = (PLANES, ALPHA, ICC, EXIF, XMP)
SMALL = {HEADER: b"head", WEIGHTS: b"\0\1\2", ALPHA: b"", XMP: b"<x/>"}
PREFIX = SIGNATURE + bytes([MAJOR])


def chunk(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("<I", len(payload)) + payload + struct.pack("<I", zlib.crc32(kind + payload))


HEAD, WGHT = chunk(HEADER, b"h"), chunk(WEIGHTS, b"w")


def test_the_bytes_are_frozen():
    """docs/reference/format.md, to the byte."""
    assert write_chunks({WEIGHTS: b"\1", HEADER: b""}).hex() == (
        "8b4e46430d0a1a0a01" + "48454144" + "00000000" + "281b6691" + "57474854" + "01000000" + "01" + "fcf08b9d"
    )


@given(
    st.binary(max_size=40),
    st.binary(max_size=40),
    st.dictionaries(st.sampled_from(OPTIONAL), st.binary(max_size=40)),
)
def test_round_trip(head, weights, others):
    chunks = {**others, WEIGHTS: weights, HEADER: head}
    data = write_chunks(chunks)
    assert read_chunks(data) == chunks
    assert list(read_chunks(data)) == [kind for kind in ORDER if kind in chunks]
    assert len(data) == 9 + sum(12 + len(payload) for payload in chunks.values())


@given(st.dictionaries(st.sampled_from(OPTIONAL), st.binary(max_size=40)), st.sets(st.sampled_from(ORDER)))
def test_some_chunks_of_a_file(others, wanted):
    chunks = {**others, WEIGHTS: b"w", HEADER: b"h"}
    wanted |= {HEADER}
    assert skim_chunks(io.BytesIO(write_chunks(chunks)), wanted) == {
        kind: payload for kind, payload in chunks.items() if kind in wanted
    }


def test_some_chunks_of_a_file_that_was_cut_off():
    data = write_chunks(SMALL)
    head_end = len(PREFIX) + 12 + len(SMALL[HEADER])
    for size in range(len(data)):
        if size < head_end:
            with pytest.raises(FormatError):
                skim_chunks(io.BytesIO(data[:size]), ORDER)
        else:
            found = skim_chunks(io.BytesIO(data[:size]), ORDER)
            assert found == {kind: SMALL[kind] for kind in list(SMALL)[: len(found)]}


def test_what_is_passed_over_is_not_checked():
    data = PREFIX + HEAD + WGHT[:-1] + b"?"
    assert skim_chunks(io.BytesIO(data), {HEADER}) == {HEADER: b"h"}
    with pytest.raises(FormatError, match="CRC"):
        skim_chunks(io.BytesIO(data), {HEADER, WEIGHTS})


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (PREFIX + WGHT + HEAD, FormatError),
        (PREFIX + WGHT, FormatError),
        (PREFIX + HEAD + chunk(b"NEW!", b""), UnsupportedError),
        (b"\x89PNG\r\n\x1a\n", NotNfcError),
    ],
)
def test_what_is_seen_is_checked(data, error):
    with pytest.raises(error):
        skim_chunks(io.BytesIO(data), {HEADER})


def test_every_truncation_is_rejected():
    data = write_chunks(SMALL)
    whole_chunks = []
    for size in range(len(data)):
        try:
            whole_chunks.append(read_chunks(data[:size]))
        except FormatError:
            continue
    # a cut between chunks leaves a container without its last ones: the codec misses them by the header
    assert all(WEIGHTS in chunks and len(chunks) < len(SMALL) for chunks in whole_chunks)
    assert len(whole_chunks) == 2


def test_every_truncation_of_a_minimal_container_is_rejected():
    data = write_chunks({HEADER: b"head", WEIGHTS: b"weights"})
    for size in range(len(data)):
        with pytest.raises(FormatError):
            read_chunks(data[:size])


def test_every_bit_flip_is_rejected():
    data = write_chunks(SMALL)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FormatError):
            read_chunks(bytes(damaged))


def test_bytes_after_the_end_are_rejected():
    data = write_chunks(SMALL)
    for extra in (b"\0", b"\n", b"\0" * 12, data):
        with pytest.raises(FormatError):
            read_chunks(data + extra)


@pytest.mark.parametrize(
    "parts",
    [
        (WGHT, HEAD),
        (HEAD, HEAD, WGHT),
        (HEAD, WGHT, WGHT),
        (HEAD, WGHT, chunk(PLANES, b"")),
        (HEAD, WGHT, chunk(XMP, b"a"), chunk(ICC, b"a")),
        (HEAD, WGHT, chunk(ICC, b"a"), chunk(ICC, b"a")),
        (HEAD,),
        (WGHT,),
        (),
    ],
)
def test_order_and_presence(parts):
    with pytest.raises(FormatError):
        read_chunks(PREFIX + b"".join(parts))


def test_unknown_critical_chunks_are_unsupported():
    for kind in (b"NEWC", b"\0abc", b"\xffABC", b"[abc"):
        with pytest.raises(UnsupportedError):
            read_chunks(PREFIX + HEAD + chunk(kind, b"x") + WGHT)


def test_unknown_ancillary_chunks_are_skipped():
    for at in range(3):
        parts = [HEAD, WGHT]
        parts.insert(at, chunk(b"note", b"x"))
        assert read_chunks(PREFIX + b"".join(parts)) == {HEADER: b"h", WEIGHTS: b"w"}


def test_major_versions():
    for major in (0, 2, 255):
        with pytest.raises(UnsupportedError, match=str(major)):
            read_chunks(SIGNATURE + bytes([major]) + HEAD + WGHT)


def test_a_flipper_dump_is_named():
    with pytest.raises(NotNfcError, match="Flipper"):
        read_chunks(b"Filetype: Flipper NFC device\nVersion: 3\nDevice type: NTAG215\n")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WebP", "AVIF", "GIF", "TIFF", "PPM"])
def test_a_picture_is_named(kind):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    buffer = io.BytesIO()
    Image.new("RGB", (3, 2)).save(buffer, kind)
    name = "a PNM picture" if kind == "PPM" else f"an? {kind} picture"
    with pytest.raises(NotNfcError, match=f"this is {name}, not an .nfc file; encode it first"):
        read_chunks(buffer.getvalue())


def test_an_array_is_named():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((2, 2), np.uint8))
    with pytest.raises(NotNfcError, match=r"this is a NumPy array, not an \.nfc file"):
        read_chunks(buffer.getvalue())


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n", b"nfc", b"\0" * 100, SIGNATURE[1:] + b"\1", b"\x8bNFX\r\n\x1a\n\1"]
)
def test_other_files_are_no_nfc(data):
    with pytest.raises(NotNfcError):
        read_chunks(data)


@pytest.mark.parametrize(("old", "new"), [(b"\r\n", b"\n"), (b"\n", b"\r\n"), (b"\x1a", b"")])
def test_transfers_in_text_mode_are_noticed(old, new):
    with pytest.raises(FormatError, match="text mode") as caught:
        read_chunks(write_chunks(SMALL).replace(old, new))
    assert not isinstance(caught.value, NotNfcError)


def test_a_cleared_high_bit_is_noticed():
    data = write_chunks(SMALL)
    with pytest.raises(NotNfcError):
        read_chunks(bytes(byte & 127 for byte in data))


def test_a_length_over_the_file_is_rejected():
    for length in (2, 2**31, 2**32 - 1):
        with pytest.raises(FormatError, match="truncated"):
            read_chunks(PREFIX + HEAD + WEIGHTS + struct.pack("<I", length) + b"w" + b"\0" * 4)


@given(st.binary(max_size=200), st.sampled_from([b"", SIGNATURE, PREFIX, PREFIX + HEAD]))
def test_garbage_is_rejected(garbage, prefix):
    with pytest.raises(FormatError):
        read_chunks(prefix + garbage)


def test_the_start_of_a_file_tells_much():
    data = write_chunks(SMALL)
    for size in range(len(PREFIX), len(data)):
        check_start(data[:size])
    check_start(PREFIX + chunk(b"more", b""))
    for bad in (b"", bytes(64), b"hello", SIGNATURE, SIGNATURE + b"\2", PREFIX + bytes(64), PREFIX + b"MORE"):
        with pytest.raises(FormatError):
            check_start(bad)
