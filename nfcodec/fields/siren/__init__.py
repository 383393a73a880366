"""SIRENs: multilayer perceptrons with sine activations, one for the picture or one a tile.

Here are the names for experiments, loaded when they are asked for; the fields themselves are in nfcodec.fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcodec import lazy

if TYPE_CHECKING:
    from nfcodec.fields.siren.field import OMEGA_0
    from nfcodec.fields.siren.kfac import Kfac
    from nfcodec.fields.siren.memorising import KFAC_RATES
    from nfcodec.fields.siren.plan import PAPER, Start, default_siren, initial, initial_for, well_started
    from nfcodec.fields.siren.recipes import RECIPES, Recipe

__all__ = [
    "KFAC_RATES",
    "OMEGA_0",
    "PAPER",
    "RECIPES",
    "Kfac",
    "Recipe",
    "Start",
    "default_siren",
    "initial",
    "initial_for",
    "well_started",
]

__getattr__ = lazy.exports(
    __name__,
    {
        "KFAC_RATES": "nfcodec.fields.siren.memorising",
        "OMEGA_0": "nfcodec.fields.siren.field",
        "PAPER": "nfcodec.fields.siren.plan",
        "RECIPES": "nfcodec.fields.siren.recipes",
        "Kfac": "nfcodec.fields.siren.kfac",
        "Recipe": "nfcodec.fields.siren.recipes",
        "Start": "nfcodec.fields.siren.plan",
        "default_siren": "nfcodec.fields.siren.plan",
        "initial": "nfcodec.fields.siren.plan",
        "initial_for": "nfcodec.fields.siren.plan",
        "well_started": "nfcodec.fields.siren.plan",
    },
)
