"""Tables of one entry a pixel, and pyramids of coarser and coarser levels.

Here are the names for experiments, loaded when they are asked for; the fields themselves are in nfcodec.fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcodec import lazy

if TYPE_CHECKING:
    from nfcodec.fields.table.analysis import start
    from nfcodec.fields.table.family import default_pyramid
    from nfcodec.fields.table.recipes import RECIPES, Recipe

__all__ = ["RECIPES", "Recipe", "default_pyramid", "start"]

__getattr__ = lazy.exports(
    __name__,
    {
        "RECIPES": "nfcodec.fields.table.recipes",
        "Recipe": "nfcodec.fields.table.recipes",
        "default_pyramid": "nfcodec.fields.table.family",
        "start": "nfcodec.fields.table.analysis",
    },
)
