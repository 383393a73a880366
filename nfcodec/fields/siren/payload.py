"""How a file holds the symbols of a network: a part for each tensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nfcodec.coding.matrices import has_path
from nfcodec.coding.payload import ANY, CODED
from nfcodec.coding.tensors import AdaptivePart, ColumnsPart, coded_values
from nfcodec.exact.arithmetic import MAX_SYMBOL, widened
from nfcodec.exact.field import Role, Tensor
from nfcodec.exact.part import Part, Symbols


def matrix_orders(layout: Sequence[Tensor], symbols: Symbols | None, *, differences: bool = False) -> tuple[int, ...]:
    """The orders worth trying for a network's symbols; without `symbols`, all that there are.

    Args:
        differences: whether biases are coded as differences, each from the one before.
    """
    if symbols is None:
        return ANY, CODED
    coded = [coded_values(each, symbols, differences=differences and each.role is Role.BIAS) for each in layout]
    if any(np.abs(values).max(initial=0) > MAX_SYMBOL for values in coded):
        return (ANY,)
    on_path = all(has_path(widened(symbols[each.name])) for each in layout if each.role is Role.MATRIX)
    return (CODED,) if on_path else (ANY,)


def matrix_parts(layout: Sequence[Tensor], order: int, *, differences: bool = False) -> list[Part]:
    """A part for each tensor: an adaptive table, or scales of columns where a code gives the parities of matrices."""
    parts: list[Part] = []
    for tensor in layout:
        apart = differences and tensor.role is Role.BIAS
        if order == CODED:
            parts.append(ColumnsPart(tensor, coded=tensor.role is Role.MATRIX, differences=apart))
        else:
            parts.append(AdaptivePart(tensor, differences=apart))
    return parts
