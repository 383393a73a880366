"""encode, decode, inspect, verify: the one place where the parts meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcodec import lazy
from nfcodec.codec.decoder import decode
from nfcodec.codec.info import Info, Verification, inspect, verify
from nfcodec.codec.outline import Outline, outline
from nfcodec.codec.rate_bound import bound_bytes
from nfcodec.codec.view import View

if TYPE_CHECKING:
    from nfcodec.codec.encoder import encode
    from nfcodec.codec.options import EncodeOptions
    from nfcodec.codec.report import Encoded

__all__ = [
    "EncodeOptions",
    "Encoded",
    "Info",
    "Outline",
    "Verification",
    "View",
    "bound_bytes",
    "decode",
    "encode",
    "inspect",
    "outline",
    "verify",
]


__getattr__ = lazy.exports(  # only the encoder needs the fitting machinery
    __name__,
    {
        "EncodeOptions": "nfcodec.codec.options",
        "Encoded": "nfcodec.codec.report",
        "encode": "nfcodec.codec.encoder",
    },
)
__dir__ = lazy.listing(__name__)
