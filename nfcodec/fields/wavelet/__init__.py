"""Wavelets: bands of CDF 9/7 coefficients that shipped networks predict, and shipped filters behind them.

Here are the names for experiments, and for those who train the networks and the filters; they are loaded when they are
asked for. The field itself is in nfcodec.fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcodec import lazy

if TYPE_CHECKING:
    from nfcodec.coding.laplace import MAX_SCALE, SMALLEST_LOG2
    from nfcodec.exact.arithmetic import ACTIVATION_BITS
    from nfcodec.fields.wavelet.coding_order import WaveletShape, runs
    from nfcodec.fields.wavelet.contexts import INPUT_BITS as CONTEXT_INPUT_BITS
    from nfcodec.fields.wavelet.contexts import N_KINDS, N_ORIENTATIONS, N_PASSES, Network, n_inputs, unpack_networks
    from nfcodec.fields.wavelet.contexts import OUTPUT_BITS as CONTEXT_OUTPUT_BITS
    from nfcodec.fields.wavelet.contexts import WEIGHT_BITS as CONTEXT_WEIGHT_BITS
    from nfcodec.fields.wavelet.filters import MAX_FILTERS, N_INPUTS
    from nfcodec.fields.wavelet.filters import SIDE as FILTER_SIDE
    from nfcodec.fields.wavelet.filters import WEIGHT_BITS as FILTER_WEIGHT_BITS
    from nfcodec.fields.wavelet.plan import default_field
    from nfcodec.fields.wavelet.problem import WaveletProblem
    from nfcodec.fields.wavelet.rate import UNEXPECTED
    from nfcodec.fields.wavelet.recipes import RECIPES, Recipe
    from nfcodec.fields.wavelet.transform import synthesis

__all__ = [
    "ACTIVATION_BITS",
    "CONTEXT_INPUT_BITS",
    "CONTEXT_OUTPUT_BITS",
    "CONTEXT_WEIGHT_BITS",
    "FILTER_SIDE",
    "FILTER_WEIGHT_BITS",
    "MAX_FILTERS",
    "MAX_SCALE",
    "N_INPUTS",
    "N_KINDS",
    "N_ORIENTATIONS",
    "N_PASSES",
    "RECIPES",
    "SMALLEST_LOG2",
    "UNEXPECTED",
    "Network",
    "Recipe",
    "WaveletProblem",
    "WaveletShape",
    "default_field",
    "n_inputs",
    "runs",
    "synthesis",
    "unpack_networks",
]

__getattr__ = lazy.exports(
    __name__,
    {
        "ACTIVATION_BITS": "nfcodec.exact.arithmetic",
        "CONTEXT_INPUT_BITS": "nfcodec.fields.wavelet.contexts:INPUT_BITS",
        "CONTEXT_OUTPUT_BITS": "nfcodec.fields.wavelet.contexts:OUTPUT_BITS",
        "CONTEXT_WEIGHT_BITS": "nfcodec.fields.wavelet.contexts:WEIGHT_BITS",
        "FILTER_SIDE": "nfcodec.fields.wavelet.filters:SIDE",
        "FILTER_WEIGHT_BITS": "nfcodec.fields.wavelet.filters:WEIGHT_BITS",
        "MAX_FILTERS": "nfcodec.fields.wavelet.filters",
        "MAX_SCALE": "nfcodec.coding.laplace",
        "N_INPUTS": "nfcodec.fields.wavelet.filters",
        "N_KINDS": "nfcodec.fields.wavelet.contexts",
        "N_ORIENTATIONS": "nfcodec.fields.wavelet.contexts",
        "N_PASSES": "nfcodec.fields.wavelet.contexts",
        "RECIPES": "nfcodec.fields.wavelet.recipes",
        "SMALLEST_LOG2": "nfcodec.coding.laplace",
        "UNEXPECTED": "nfcodec.fields.wavelet.rate",
        "Network": "nfcodec.fields.wavelet.contexts",
        "Recipe": "nfcodec.fields.wavelet.recipes",
        "WaveletProblem": "nfcodec.fields.wavelet.problem",
        "WaveletShape": "nfcodec.fields.wavelet.coding_order",
        "default_field": "nfcodec.fields.wavelet.plan",
        "n_inputs": "nfcodec.fields.wavelet.contexts",
        "runs": "nfcodec.fields.wavelet.coding_order",
        "synthesis": "nfcodec.fields.wavelet.transform",
        "unpack_networks": "nfcodec.fields.wavelet.contexts",
    },
)
