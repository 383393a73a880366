"""Instant-NGP: hashed levels and a ReLU network.

Here are the names for experiments, loaded when they are asked for; the field itself is in nfcodec.fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcodec import lazy

if TYPE_CHECKING:
    from nfcodec.fields.ngp.plan import sized_ngp
    from nfcodec.fields.ngp.recipes import RECIPES, Recipe

__all__ = ["RECIPES", "Recipe", "sized_ngp"]

__getattr__ = lazy.exports(
    __name__,
    {
        "RECIPES": "nfcodec.fields.ngp.recipes",
        "Recipe": "nfcodec.fields.ngp.recipes",
        "sized_ngp": "nfcodec.fields.ngp.plan",
    },
)
