"""What a field is: a wire id, a parameter layout, an initialisation, and an exact evaluation.

A field maps every pixel of an (H, W) lattice to C output values. Its parameters are real while it is fitted and
integers times a step in the file; only the integers define the decoded picture.
"""

from __future__ import annotations

from typing import TypeVar

from nfcodec.errors import UnsupportedError, UsageError
from nfcodec.exact.field import FieldSpec

_BY_NAME: dict[str, type[FieldSpec]] = {}


_BY_ID: dict[int, type[FieldSpec]] = {}


Spec = TypeVar("Spec", bound=FieldSpec)


def register(cls: type[Spec]) -> type[Spec]:
    """Class decorator: make a field known by `cls.name` and `cls.wire_id`; neither may ever change."""
    if cls.name in _BY_NAME or cls.wire_id in _BY_ID:
        raise ValueError(f"field {cls.name} (id {cls.wire_id}) is registered twice")
    _BY_NAME[cls.name] = _BY_ID[cls.wire_id] = cls
    return cls


def field_names() -> list[str]:
    """Names of the registered fields."""
    return sorted(_BY_NAME)


def field_class(name: str) -> type[FieldSpec]:
    """The field registered under `name`. Raises UsageError."""
    if name not in _BY_NAME:
        raise UsageError(f"unknown field {name!r}; known: {', '.join(field_names())}")
    return _BY_NAME[name]


def unpack_field(wire_id: int, data: bytes) -> FieldSpec:
    """The field described by a file. Raises UnsupportedError or FormatError."""
    if wire_id not in _BY_ID:
        raise UnsupportedError(f"field id {wire_id} is not known to this version")
    return _BY_ID[wire_id].unpack(data)
