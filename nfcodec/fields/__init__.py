"""Neural fields: what they are, how their parameters are laid out, and their exact integer evaluation."""

from nfcodec.exact.arithmetic import OUTPUT_BITS, Quantized, Step
from nfcodec.exact.field import FieldSpec, Parameters, TensorSpec
from nfcodec.exact.geometry import Geometry, Place, part_of, places
from nfcodec.fields.ngp.field import GridLevel, Ngp
from nfcodec.fields.ngp.levels import DenseLevel, HashLevel, hash_levels, safe_scale
from nfcodec.fields.registry import field_class, field_names, unpack_field
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fields.wavelet.field import WaveletLevel

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
