"""A picture as fields see it: transformed, with its value map, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import OUTPUT_BITS
from nfcodec.exact.field import Field
from nfcodec.exact.geometry import Geometry
from nfcodec.raster import Raster, Samples
from nfcodec.transforms import Chain, ValueMap, samples_themselves
from nfcodec.transforms.orders import Values, in_picture_order


@dataclass(frozen=True)
class Picture:
    """A picture, transformed.

    Attributes:
        order: (n,), where the chain takes each pixel from; None if pixels keep their places.
        samples: (n, C), in the chain's order.
    """

    raster: Raster
    chain: Chain
    order: npt.NDArray[np.int64] | None
    samples: Samples
    value_map: ValueMap

    @classmethod
    def of(cls, raster: Raster, chain: Chain) -> Picture:
        """Apply a chain that was prepared for the picture."""
        order = chain.order(raster.height, raster.width, chain.planes)
        flat = raster.samples.reshape(-1, raster.channels)
        value_map = chain.value_map(raster.depth, raster.channels, OUTPUT_BITS)
        return cls(raster, chain, order, flat if order is None else flat[order], value_map)

    @property
    def geometry(self) -> Geometry:
        return Geometry(self.raster.height, self.raster.width, self.raster.channels)

    @property
    def permutes(self) -> bool:
        """Whether the chain moves pixels."""
        return self.chain.permutes

    def value_map_of(self, field: Field) -> ValueMap:
        """What turns a field's outputs into samples: the chain's value maps, unless the field holds samples."""
        if field.holds_samples:
            return samples_themselves(self.raster.depth, self.raster.channels, OUTPUT_BITS)
        return self.value_map

    def in_place(self, values: Values) -> Values:
        """An array (n, C) in the chain's order as one of (H, W, C)."""
        return in_picture_order(values, self.order, (self.raster.height, self.raster.width, self.raster.channels))
