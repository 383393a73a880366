"""A part of the payload of a field's symbols: some tensors, how they are modelled, and what must be known before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import Step, SymbolArray
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader

Symbols = Mapping[str, SymbolArray]
"""Integers as a file holds them, by the names of their tensors."""


@dataclass(frozen=True, eq=False)
class Table:
    """Frequencies that are used again and again, so that a coder may keep what it makes of them."""

    frequencies: npt.NDArray[np.int64]


def every(spacing: int) -> str:
    """How far apart the entries of a piece lie, in words."""
    return "every pixel" if spacing == 1 else f"every {spacing} pixels"


class SymbolCoder(Protocol):
    """One direction of coding; the models run the same code for encoding, decoding and estimating."""

    def enter(self, piece: str) -> None:
        """Hear what the next symbols are, where a part has several pieces; only who counts their bits listens."""
        ...

    def code(
        self, symbols: npt.NDArray[np.int32] | None, frequencies: npt.NDArray[np.int64] | Table, n: int
    ) -> npt.NDArray[np.int32]:
        """Code `n` symbols, indices into at least two `frequencies`, and return them; a decoder ignores `symbols`."""
        ...


class Part(ABC):
    """Codes some of a field's tensors. Made afresh for each payload, as `head` and `read_head` set its model.

    The heads of all parts come first in a payload, then their symbols in one stream, both in the order of the parts.
    So a part may use the symbols of those before it, as where a network that predicts symbols is in the file itself.
    """

    def know_steps(self, steps: Mapping[str, Step]) -> None:  # noqa: B027
        """Take the quantizer steps of all tensors, before anything else; most parts code symbols without."""

    @abstractmethod
    def head(self, symbols: Symbols) -> bytes:
        """What a decoder must know of the model before the stream; an encoder calls it first."""

    @abstractmethod
    def read_head(self, reader: ByteReader) -> None:
        """The inverse of `head`. Raises FormatError."""

    @abstractmethod
    def cost(self, stream_bytes: int) -> Cost:
        """What decoding this part takes at most, once its head is read; its tensors are kept.

        Args:
            stream_bytes: of all parts together; few bits cannot tell many different symbols.
        """

    @abstractmethod
    def code(self, coder: SymbolCoder, symbols: Symbols | None, known: Symbols) -> Symbols:
        """Code this part's tensors, and return them in their shapes; a decoder passes None for `symbols`.

        Args:
            known: the tensors of the parts before this one.

        Raises:
            FormatError: decoded symbols that no encoder writes.
        """

    def bits_in_head(self, known: Symbols) -> Mapping[str, float]:
        """About how many bits of the head are symbols, by pieces of the part; most parts have none there.

        Args:
            known: the tensors of this part and of those before it.
        """
        return {}
