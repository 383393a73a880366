"""A picture as the fitting problem that the codec makes of it."""

from __future__ import annotations

from nfcodec.exact.arithmetic import OUTPUT_BITS
from nfcodec.exact.field import FieldSpec
from nfcodec.exact.geometry import Geometry
from nfcodec.fitting.problem import Problem
from nfcodec.raster import Samples
from nfcodec.transforms import Chain, parse_chain


def problem(samples: Samples, spec: FieldSpec, transform: str = "none") -> Problem:
    """For samples (H, W, C) at 8 bits, a field, and a chain of transforms as the command line has it."""
    height, width, channels = samples.shape
    chain = Chain.prepare(parse_chain(transform), samples, 0)
    order = chain.order(height, width, chain.planes)
    flat = samples.reshape(-1, channels)
    value_map = chain.value_map(8, channels, OUTPUT_BITS)
    return Problem(spec, Geometry(height, width, channels), flat if order is None else flat[order], value_map)
