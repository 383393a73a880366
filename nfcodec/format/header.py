"""The HEAD chunk: geometry, qualities, quantizer steps, and the opaque descriptions of field and chain."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from nfcodec.errors import FormatError, UnsupportedError
from nfcodec.exact.arithmetic import Step
from nfcodec.limits import Limits
from nfcodec.wire import ByteReader, put_varint

MINOR = 0
"""Of the format's version. The major number stands before the first chunk; this one is under HEAD's checksum."""

_FIXED = struct.Struct("<B3sB HH 8s")
_DEPTH_16, _ALPHA, _METADATA_SHIFT, _STEPPED = 1 << 2, 1 << 3, 4, 1 << 7
_INFINITE = 0xFFFF

STEP_BYTES = 2
"""What the quantizer step of a tensor takes."""


@dataclass(frozen=True)
class Header:
    """The fields of HEAD, in order; `field` and `chain` are opaque here.

    Attributes:
        metadata: which metadata chunks there are: bit 0 ICC, bit 1 EXIF, bit 2 XMP.
        stepped: whether the parameters come from gradient steps; only told, never needed.
        target_psnr_db, psnr_db: in units of 0.01 dB on the wire, rounded down.
        digest: the first 8 bytes of the SHA-256 of the decoded samples.
        steps: the quantizer step of each tensor of the field, in the order of its layout.
        minor: of the version of the format.
    """

    encoder_version: tuple[int, int, int]
    width: int
    height: int
    channels: int
    depth: int
    alpha: bool
    metadata: int
    stepped: bool
    target_psnr_db: float
    psnr_db: float
    digest: bytes
    field_id: int
    field: bytes
    chain: bytes
    steps: Sequence[Step]
    minor: int = MINOR

    def pack(self) -> bytes:
        mode = self.channels | _DEPTH_16 * (self.depth == 16) | _ALPHA * self.alpha | self.metadata << _METADATA_SHIFT
        mode |= _STEPPED * self.stepped
        target, reached = _centibels(self.target_psnr_db), _centibels(self.psnr_db)
        out = _FIXED.pack(self.minor, bytes(self.encoder_version), mode, target, reached, self.digest)
        out += put_varint(self.width) + put_varint(self.height) + bytes([self.field_id])
        out += put_varint(len(self.field)) + self.field + put_varint(len(self.chain)) + self.chain
        return out + b"".join(struct.pack("Bb", step.mantissa, step.exponent) for step in self.steps)

    @classmethod
    def unpack(cls, data: bytes, limits: Limits) -> Header:
        """Raises FormatError, UnsupportedError, or LimitError for a geometry over the limits."""
        limits.check("header_bytes", len(data))
        reader = ByteReader(data, "the header")
        minor, version, mode, target, reached, digest = _FIXED.unpack(reader.take(_FIXED.size))
        if mode & 3 not in (1, 3):
            raise UnsupportedError("unknown image mode", code="mode")
        width, height = reader.varint(), reader.varint()
        if not (width and height):
            raise FormatError("an image needs at least one pixel", code="header")
        limits.check_geometry(width, height)
        return cls(
            encoder_version=(version[0], version[1], version[2]),
            width=width,
            height=height,
            channels=mode & 3,
            depth=16 if mode & _DEPTH_16 else 8,
            alpha=bool(mode & _ALPHA),
            metadata=mode >> _METADATA_SHIFT & 7,
            stepped=bool(mode & _STEPPED),
            target_psnr_db=_decibels(target),
            psnr_db=_decibels(reached),
            digest=digest,
            field_id=reader.u8(),
            field=reader.sized(),
            chain=reader.sized(),
            steps=_read_steps(reader),
            minor=minor,
        )


def _read_steps(reader: ByteReader) -> tuple[Step, ...]:
    steps: list[Step] = []
    while reader.n_left:
        steps.append(Step(reader.u8(), reader.i8()))
    return tuple(steps)


def _centibels(psnr_db: float) -> int:
    if psnr_db == float("inf"):
        return _INFINITE
    return min(_INFINITE - 1, math.floor(round(psnr_db * 100, 6)))


def _decibels(centibels: int) -> float:
    return float("inf") if centibels == _INFINITE else centibels / 100
