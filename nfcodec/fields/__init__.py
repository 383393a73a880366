"""Neural fields: what they are, how their parameters are laid out, and their exact integer evaluation."""

from nfcodec.fields.base import (
    FieldSpec,
    Geometry,
    Parameters,
    Place,
    TensorSpec,
    field_class,
    field_names,
    part_of,
    places,
    unpack_field,
)
from nfcodec.fields.fixed_point import OUTPUT_BITS, Quantized, Step
from nfcodec.fields.levels import DenseLevel, HashLevel, hash_levels, safe_scale
from nfcodec.fields.ngp import GridLevel, Ngp
from nfcodec.fields.siren import Siren
from nfcodec.fields.tiled_siren import TiledSiren
from nfcodec.fields.wavelet import WaveletLevel

__all__ = [
    "OUTPUT_BITS",
    "DenseLevel",
    "FieldSpec",
    "Geometry",
    "GridLevel",
    "HashLevel",
    "Ngp",
    "Parameters",
    "Place",
    "Quantized",
    "Siren",
    "Step",
    "TensorSpec",
    "TiledSiren",
    "WaveletLevel",
    "field_class",
    "field_names",
    "hash_levels",
    "part_of",
    "places",
    "safe_scale",
    "unpack_field",
]
