"""Grids of integers at several resolutions, a network that reads the picture out of them, one that predicts them.

Here are the names for experiments, loaded when they are asked for; the field itself is in nfcodec.fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcodec import lazy

if TYPE_CHECKING:
    from nfcodec.fields.grid.descent import Descent, Iteration
    from nfcodec.fields.grid.fit import gain_of, soft_iteration
    from nfcodec.fields.grid.numba import GridProgram
    from nfcodec.fields.grid.products import BareProducts
    from nfcodec.fields.grid.start import start as grid_start
    from nfcodec.fields.grid.timing import part_seconds
    from nfcodec.fields.grid.torch import TorchGrid, soft_round
    from nfcodec.fields.grid.torch_program import TorchProgram

__all__ = [
    "BareProducts",
    "Descent",
    "GridProgram",
    "Iteration",
    "TorchGrid",
    "TorchProgram",
    "gain_of",
    "grid_start",
    "part_seconds",
    "soft_iteration",
    "soft_round",
]

__getattr__ = lazy.exports(
    __name__,
    {
        "BareProducts": "nfcodec.fields.grid.products",
        "Descent": "nfcodec.fields.grid.descent",
        "GridProgram": "nfcodec.fields.grid.numba",
        "Iteration": "nfcodec.fields.grid.descent",
        "TorchGrid": "nfcodec.fields.grid.torch",
        "TorchProgram": "nfcodec.fields.grid.torch_program",
        "gain_of": "nfcodec.fields.grid.fit",
        "grid_start": "nfcodec.fields.grid.start:start",
        "part_seconds": "nfcodec.fields.grid.timing",
        "soft_iteration": "nfcodec.fields.grid.fit",
        "soft_round": "nfcodec.fields.grid.torch",
    },
)
