"""From integers to bytes: integer probability tables, contexts, and the range coder."""

from nfcodec.coding.entropy import Decoder, Encoder
from nfcodec.coding.grids import FEATURES, NEIGHBOURS, NESTED, TRELLIS
from nfcodec.coding.matrices import COLUMN_CODE
from nfcodec.coding.planes import code_plane
from nfcodec.coding.residuals import decode_residual, encode_residual
from nfcodec.coding.trellis import CODES, MEMORY, RUN
from nfcodec.coding.wavelets import WaveletShape, predictions
from nfcodec.coding.weights import MAX_SYMBOL, Symbols, decode_weights, encode_weights, estimate_bytes, orders

__all__ = [
    "CODES",
    "COLUMN_CODE",
    "FEATURES",
    "MAX_SYMBOL",
    "MEMORY",
    "NEIGHBOURS",
    "NESTED",
    "RUN",
    "TRELLIS",
    "Decoder",
    "Encoder",
    "Symbols",
    "WaveletShape",
    "code_plane",
    "decode_residual",
    "decode_weights",
    "encode_residual",
    "encode_weights",
    "estimate_bytes",
    "orders",
    "predictions",
]
