"""The tensors of a ReLU network (nfcodec.exact.relu), told apart by what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nfcodec.exact.field import Role, Tensor

Layer = tuple[Tensor, Tensor | None]
"""A matrix, and the bias that is added."""


@dataclass(frozen=True)
class ReluLayers:
    """A network: hidden layers, the layer behind them, and a linear map of the inputs beside them.

    Attributes:
        layers: the hidden ones, then the one behind them; none at all where there is the linear map alone.
        skip: the linear map, None without one; it has a bias only where it is alone.
    """

    layers: tuple[Layer, ...]
    skip: Layer | None

    @classmethod
    def of(cls, layout: Sequence[Tensor]) -> ReluLayers:
        """The network among tensors in the order of `relu_tensors`; those of tables are passed over.

        A linear map and biases come together.
        """
        matrices = [tensor for tensor in layout if tensor.role is Role.MATRIX]
        biases = [tensor for tensor in layout if tensor.role is Role.BIAS]
        if not biases:
            return cls(tuple((matrix, None) for matrix in matrices), None)
        layers = tuple(zip(matrices[1:], biases, strict=False))
        return cls(layers, (matrices[0], None if layers else biases[-1]))

    @property
    def n_hidden(self) -> int:
        return max(0, len(self.layers) - 1)

    @property
    def widths(self) -> list[int]:
        """Of the inputs, of each hidden layer and of the outputs."""
        if self.layers:
            return [self.layers[0][0].shape[1], *(weight.shape[0] for weight, _ in self.layers)]
        assert self.skip is not None
        return list(self.skip[0].shape[::-1])
