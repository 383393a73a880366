"""Neural fields: for `nfcodec.encode(field=...)`, and to look at what a file holds.

    nfcodec.encode(image, field=nfcodec.fields.Siren(width=128))

A field is what a file describes and a decoder evaluates; the families that choose and fit them have names, which
`nfcodec.encode(field="siren")` takes (nfcodec.fields.registry).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcodec.lazy import load

if TYPE_CHECKING:
    from nfcodec.exact.field import Field
    from nfcodec.exact.geometry import Geometry
    from nfcodec.fields.ngp.field import Ngp
    from nfcodec.fields.ngp.levels import HashLevel, hash_levels, safe_scale
    from nfcodec.fields.siren.field import Siren
    from nfcodec.fields.siren.tiled import TiledSiren
    from nfcodec.fields.table.field import Pyramid, Table
    from nfcodec.fields.wavelet.field import Wavelet

__all__ = [
    "Field",
    "Geometry",
    "HashLevel",
    "Ngp",
    "Pyramid",
    "Siren",
    "Table",
    "TiledSiren",
    "Wavelet",
    "hash_levels",
    "safe_scale",
]

_MODULES = {
    "Field": "nfcodec.exact.field",
    "Geometry": "nfcodec.exact.geometry",
    "HashLevel": "nfcodec.fields.ngp.levels",
    "Ngp": "nfcodec.fields.ngp.field",
    "Pyramid": "nfcodec.fields.table.field",
    "Siren": "nfcodec.fields.siren.field",
    "Table": "nfcodec.fields.table.field",
    "TiledSiren": "nfcodec.fields.siren.tiled",
    "Wavelet": "nfcodec.fields.wavelet.field",
    "hash_levels": "nfcodec.fields.ngp.levels",
    "safe_scale": "nfcodec.fields.ngp.levels",
}


def __getattr__(name: str) -> object:
    """Load a field when it is asked for: decoding one needs no other."""
    if name in _MODULES:
        return load(f"{_MODULES[name]}:{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
