"""Every truncation and every flipped bit of a golden file is noticed."""

from __future__ import annotations

import forge
import pytest

from nfcodec.codec import decode, inspect
from nfcodec.errors import FormatError, LimitError

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


def outcome(data: bytes) -> tuple[bytes, object] | None:
    """The decoded samples and header, or None for a file that is refused; anything else that is raised fails."""
    found: list[object] = []
    for read in (decode, inspect):
        try:
            found.append(read(data))
        except (FormatError, LimitError):
            found.append(None)
        except BaseException as error:  # a panic of an extension module is no Exception
            pytest.fail(f"{read.__name__} raised {error!r}")
    raster, info = found
    return None if raster is None or info is None else (raster.to_array().tobytes(), info)


@pytest.mark.parametrize("name", NAMES)
def test_every_truncation(name):
    data = forge.golden(name)
    for size in range(len(data)):
        assert outcome(data[:size]) is None, size


@pytest.mark.parametrize("name", NAMES)
def test_every_flipped_bit(name):
    data = forge.golden(name)
    assert outcome(data) is not None
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert outcome(bytes(flipped)) is None, bit
