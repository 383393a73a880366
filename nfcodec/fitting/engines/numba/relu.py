"""ReLU networks for the numba engine, as the kernels read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nfcodec.exact.field import Tensor
from nfcodec.fitting.engines.numba.program import Floats, Indices, Map, Network
from nfcodec.fitting.engines.relu import Layer, ReluLayers
from nfcodec.fitting.kernels.blocks import padded
from nfcodec.fitting.kernels.jit import BLOCK
from nfcodec.workers import Workers


@dataclass(frozen=True)
class Relu:
    """A network and where the kernels find its parts; see `kernels.relu.forward`.

    Attributes:
        sizes: rows of the inputs, of each hidden layer and of the outputs, multiples of four.
        w_at, b_at: places of each matrix and of each bias.
        scratch: for each worker, what a block of pixels takes on its way there and back.
    """

    network: Network
    sizes: Indices
    n_hidden: int
    has_skip: bool
    w_at: Indices
    b_at: Indices
    scratch: list[Floats]

    @classmethod
    def of(cls, layout: Sequence[Tensor], workers: Workers) -> Relu:
        """The network among the tensors of a field."""
        relu = ReluLayers.of(layout)
        network = Network([_map(layer) for layer in (*relu.layers, *([relu.skip] if relu.skip else []))])
        sizes = np.array([padded(width) for width in relu.widths], np.uintp)
        floats = BLOCK * int(2 * sizes.sum() + 2 * sizes.max())
        scratch: list[Floats] = [np.zeros(floats, np.float32) for _ in range(workers.n)]
        w_at = network.w_at if relu.layers else np.append(network.w_at, network.w_at)
        return cls(network, sizes, relu.n_hidden, relu.skip is not None, w_at, network.b_at, scratch)


def _map(layer: Layer) -> Map:
    weight, bias = layer
    n_out, n_in = weight.shape
    return Map(weight.name, (n_out, n_in), None if bias is None else bias.name)
