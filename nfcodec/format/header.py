"""The HEAD chunk: geometry, qualities and the opaque descriptions of field, chain and quantizer steps."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from nfcodec.errors import FormatError, UnsupportedError
from nfcodec.limits import Limits
from nfcodec.wire import put_varint, take_varint

_FIXED = struct.Struct("<3sB HH 8s")
_INFINITE = 0xFFFF


@dataclass(frozen=True)
class Header:
    """The fields of HEAD, in order; `field`, `chain` and `steps` are opaque here.

    Attributes:
        metadata: which metadata chunks there are: bit 0 ICC, bit 1 EXIF, bit 2 XMP.
        target_psnr_db, psnr_db: in units of 0.01 dB on the wire, rounded down.
        digest: the first 8 bytes of the SHA-256 of the decoded samples.
    """

    encoder_version: tuple[int, int, int]
    width: int
    height: int
    channels: int
    depth: int
    alpha: bool
    metadata: int
    target_psnr_db: float
    psnr_db: float
    digest: bytes
    field_id: int
    field: bytes
    chain: bytes
    steps: bytes

    def pack(self) -> bytes:
        mode = self.channels | (self.depth == 16) << 2 | self.alpha << 3 | self.metadata << 4
        target, reached = _centibels(self.target_psnr_db), _centibels(self.psnr_db)
        out = _FIXED.pack(bytes(self.encoder_version), mode, target, reached, self.digest)
        out += put_varint(self.width) + put_varint(self.height) + bytes([self.field_id])
        out += put_varint(len(self.field)) + self.field + put_varint(len(self.chain)) + self.chain
        return out + self.steps

    @classmethod
    def unpack(cls, data: bytes, limits: Limits) -> Header:
        """Raises FormatError, UnsupportedError, or LimitError for a geometry over the limits."""
        limits.check("header_bytes", len(data))
        if len(data) < _FIXED.size:
            raise FormatError("the header is truncated")
        version, mode, target, reached, digest = _FIXED.unpack_from(data)
        if mode & 3 not in (1, 3) or mode >> 7:
            raise UnsupportedError("unknown image mode")
        width, at = take_varint(data, _FIXED.size)
        height, at = take_varint(data, at)
        if not (width and height):
            raise FormatError("an image needs at least one pixel")
        limits.check_geometry(width, height)
        field_id, at = data[at] if at < len(data) else -1, at + 1
        field, at = _take_bytes(data, at)
        chain, at = _take_bytes(data, at)
        return cls(
            encoder_version=(version[0], version[1], version[2]),
            width=width,
            height=height,
            channels=mode & 3,
            depth=16 if mode & 4 else 8,
            alpha=bool(mode & 8),
            metadata=mode >> 4,
            target_psnr_db=_decibels(target),
            psnr_db=_decibels(reached),
            digest=digest,
            field_id=field_id,
            field=field,
            chain=chain,
            steps=data[at:],
        )


def _centibels(psnr_db: float) -> int:
    if psnr_db == float("inf"):
        return _INFINITE
    return min(_INFINITE - 1, math.floor(round(psnr_db * 100, 6)))


def _decibels(centibels: int) -> float:
    return float("inf") if centibels == _INFINITE else centibels / 100


def _take_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    length, at = take_varint(data, at)
    if at + length > len(data):
        raise FormatError("the header is truncated")
    return data[at : at + length], at + length
