"""encode, decode, inspect, verify: the one place where the parts meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcodec.codec.decoder import decode
from nfcodec.codec.info import Info, Verification, inspect, verify
from nfcodec.codec.rate_bound import bound_bytes

if TYPE_CHECKING:
    from nfcodec.codec.encoder import encode
    from nfcodec.codec.options import EncodeOptions
    from nfcodec.codec.report import Encoded

__all__ = [
    "EncodeOptions",
    "Encoded",
    "Info",
    "Verification",
    "bound_bytes",
    "decode",
    "encode",
    "inspect",
    "verify",
]


def __getattr__(name: str) -> object:
    """Load the encoder on first use: only it needs the fitting machinery."""
    if name in ("Encoded", "EncodeOptions", "encode"):
        from nfcodec.codec import encoder, options, report

        return {"Encoded": report.Encoded, "EncodeOptions": options.EncodeOptions, "encode": encoder.encode}[name]
    raise AttributeError(name)
