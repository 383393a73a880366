"""Every truncation and every flipped bit of a golden file is noticed."""

from __future__ import annotations

import forge
import pytest

from nfcodec.codec import decode, inspect
from nfcodec.errors import FormatError, LimitError

STRUCTURE = {"format.truncated", "format.chunks", "format.unsupported.chunk"}
CUT = STRUCTURE | {"format.signature", "format.digest"}  # the last chunk may be one that can be missing
FLIPPED = STRUCTURE | {"format.signature", "format.crc", "format.transfer", "format.unsupported.version"}
"""The guards that find damage. Of flipped bits, each is found by the container."""

NAMES = (
    forge.PYRAMID,
    forge.TABLE,
    forge.SIREN,
    forge.ALPHA_FILE,
    forge.ZIGZAG,
    forge.WAVELET,
    "wavelet-metadata",
    "residual-gray",
    "residual-29x1",
)


def code(data: bytes) -> str:
    """The code of the error with which `decode` refuses a file, or "read"; anything else that is raised fails."""
    found: list[str] = []
    for read in (decode, inspect):
        try:
            read(data)
            found.append("read")
        except (FormatError, LimitError) as error:
            found.append(error.code)
        except BaseException as error:  # a panic of an extension module is no Exception
            pytest.fail(f"{read.__name__} raised {error!r}")
    decoded, inspected = found
    assert inspected == decoded or (inspected == "read" and decoded == "format.digest")
    return decoded


@pytest.mark.parametrize("name", NAMES)
def test_every_truncation(name):
    data = forge.golden(name)
    for size in range(len(data)):
        assert code(data[:size]) in CUT, size


@pytest.mark.parametrize("name", NAMES)
def test_every_flipped_bit(name):
    data = forge.golden(name)
    assert code(data) == "read"
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert code(bytes(flipped)) in FLIPPED, bit
