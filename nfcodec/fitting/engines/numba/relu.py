"""ReLU networks for the numba engine, as the kernels read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nfcodec.exact.field import Tensor
from nfcodec.fitting.engines.numba.program import Map, Network
from nfcodec.fitting.engines.relu import Layer, ReluLayers
from nfcodec.kernels.arguments import Floats, ReluNet
from nfcodec.kernels.blocks import padded
from nfcodec.kernels.jit import BLOCK, U
from nfcodec.workers import Workers


@dataclass(frozen=True)
class Relu:
    """A network, as it is packed and as the kernels read it.

    Attributes:
        scratch: for each worker, what a block of pixels takes on its way there and back.
    """

    network: Network
    net: ReluNet
    scratch: list[Floats]

    @classmethod
    def of(cls, layout: Sequence[Tensor], workers: Workers) -> Relu:
        """The network among the tensors of a field."""
        relu = ReluLayers.of(layout)
        network = Network([_map(layer) for layer in (*relu.layers, *([relu.skip] if relu.skip else []))])
        sizes = np.array([padded(width) for width in relu.widths], np.uintp)
        floats = BLOCK * int(2 * sizes.sum() + 2 * sizes.max())
        scratch: list[Floats] = [np.zeros(floats, np.float32) for _ in range(workers.n)]
        packed = network.packed
        if not relu.layers:  # the linear map is the first matrix, and the one behind no layers
            packed = packed._replace(w_at=np.append(packed.w_at, packed.w_at))
        return cls(network, ReluNet(sizes, U(relu.n_hidden), relu.skip is not None, packed), scratch)


def _map(layer: Layer) -> Map:
    weight, bias = layer
    n_out, n_in = weight.shape
    return Map(weight.name, (n_out, n_in), None if bias is None else bias.name)
