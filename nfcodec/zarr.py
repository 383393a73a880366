"""Pictures as chunks of arrays of zarr's format 3: a codec from arrays to bytes, zarr's `serializer`.

zarr finds it by its entry point under the name "nfcodec", so that reading an array needs no import. It does what
`nfcodec.numcodecs.Nfc` does; that one is for zarr's format 2. docs/use/pillow.md has an example.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from zarr.abc.codec import ArrayBytesCodec

from nfcodec.errors import FormatError
from nfcodec.numcodecs import NAME, Nfc, as_picture

if TYPE_CHECKING:
    from typing_extensions import Self
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer


@dataclass(frozen=True)
class NfcCodec(ArrayBytesCodec):
    """Encodes each chunk as an .nfc file; the arguments are those of `nfcodec.numcodecs.Nfc`."""

    chunks: Nfc

    is_fixed_size = False

    def __init__(self, **options: Any) -> None:
        object.__setattr__(self, "chunks", Nfc(**options))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """From the metadata of an array."""
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """For the metadata of an array."""
        configuration = self.chunks.get_config()
        del configuration["id"]
        return {"name": NAME, "configuration": configuration}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """What zarr asks before it makes an array. Raises UsageError where chunks are no pictures."""
        as_picture(np.empty(getattr(chunk_grid, "chunk_shape", shape), _little_endian(dtype.to_native_dtype())))

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """It is not known beforehand."""
        raise NotImplementedError

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        chunk = chunk_data.as_numpy_array()
        picture = np.ascontiguousarray(chunk, _little_endian(chunk.dtype))
        data = await asyncio.to_thread(self.chunks.encode, picture)
        kinds: Any = chunk_spec.prototype
        return kinds.buffer.from_bytes(data)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        samples = await asyncio.to_thread(self.chunks.decode, chunk_data.to_bytes())
        kinds: Any = chunk_spec.prototype
        dtype = chunk_spec.dtype.to_native_dtype()
        if samples.itemsize != dtype.itemsize or samples.size != math.prod(chunk_spec.shape):
            raise FormatError("the picture in a chunk has not the shape or the type of the chunk")
        return kinds.nd_buffer.from_numpy_array(samples.astype(dtype).reshape(chunk_spec.shape))


def _little_endian(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The same type of whole numbers from 0 on in the order of bytes that is encoded; other types as they are."""
    return np.dtype(f"<u{dtype.itemsize}") if dtype.kind == "u" else dtype
