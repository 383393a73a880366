"""Instant-NGP: hashed levels and a ReLU network.

Here are the names for experiments, loaded when they are asked for; the field itself is in nfcodec.fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcodec import lazy

if TYPE_CHECKING:
    from nfcodec.fields.ngp.plan import default_ngp
    from nfcodec.fields.ngp.recipes import RECIPES, Recipe

__all__ = ["RECIPES", "Recipe", "default_ngp"]

__getattr__ = lazy.exports(
    __name__,
    {
        "RECIPES": "nfcodec.fields.ngp.recipes",
        "Recipe": "nfcodec.fields.ngp.recipes",
        "default_ngp": "nfcodec.fields.ngp.plan",
    },
)
