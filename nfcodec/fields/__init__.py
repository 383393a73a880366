"""Neural fields: for `nfcodec.encode(field=...)`, to look at what a file holds, and for experiments.

    nfcodec.encode(image, field=nfcodec.fields.Siren(width=128))

A field is what a file describes and a decoder evaluates; the families that choose and fit them have names, which
`nfcodec.encode(field="siren")` takes. What an experiment needs of one family is in its package, as
`nfcodec.fields.siren`. Names are loaded when they are asked for: decoding a field needs no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcodec import lazy

if TYPE_CHECKING:
    from nfcodec.exact.field import Field, Parameters, Role, Tensor
    from nfcodec.exact.geometry import Geometry
    from nfcodec.fields.grid.field import Grid
    from nfcodec.fields.ngp.field import Ngp
    from nfcodec.fields.ngp.levels import HashLevel, hash_levels, safe_scale
    from nfcodec.fields.registry import asked_for, estimator, family, family_name, field_names
    from nfcodec.fields.samples.field import Samples
    from nfcodec.fields.siren.field import Siren
    from nfcodec.fields.siren.tiled import TiledSiren
    from nfcodec.fields.table.field import Pyramid, Table
    from nfcodec.fields.wavelet.field import Wavelet

__all__ = [
    "Field",
    "Geometry",
    "Grid",
    "HashLevel",
    "Ngp",
    "Parameters",
    "Pyramid",
    "Role",
    "Samples",
    "Siren",
    "Table",
    "Tensor",
    "TiledSiren",
    "Wavelet",
    "asked_for",
    "estimator",
    "family",
    "family_name",
    "field_names",
    "hash_levels",
    "safe_scale",
]

__getattr__ = lazy.exports(
    __name__,
    {
        "Field": "nfcodec.exact.field",
        "Geometry": "nfcodec.exact.geometry",
        "Grid": "nfcodec.fields.grid.field",
        "HashLevel": "nfcodec.fields.ngp.levels",
        "Ngp": "nfcodec.fields.ngp.field",
        "Parameters": "nfcodec.exact.field",
        "Pyramid": "nfcodec.fields.table.field",
        "Role": "nfcodec.exact.field",
        "Samples": "nfcodec.fields.samples.field",
        "Siren": "nfcodec.fields.siren.field",
        "Table": "nfcodec.fields.table.field",
        "Tensor": "nfcodec.exact.field",
        "TiledSiren": "nfcodec.fields.siren.tiled",
        "Wavelet": "nfcodec.fields.wavelet.field",
        "asked_for": "nfcodec.fields.registry",
        "estimator": "nfcodec.fields.registry",
        "family": "nfcodec.fields.registry",
        "family_name": "nfcodec.fields.registry",
        "field_names": "nfcodec.fields.registry",
        "hash_levels": "nfcodec.fields.ngp.levels",
        "safe_scale": "nfcodec.fields.ngp.levels",
    },
)
__dir__ = lazy.listing(__name__)
