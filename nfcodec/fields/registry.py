"""The families and their fields, by name and by wire id. A new family is a folder and an entry in `FAMILIES`.

Everything is named as text and imported when asked for: decoding a field loads that field alone, and no fitting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nfcodec.errors import UnsupportedError, UsageError
from nfcodec.lazy import load

if TYPE_CHECKING:
    from nfcodec.exact.field import Field
    from nfcodec.fitting.family import Estimator, Family


@dataclass(frozen=True)
class Entry:
    """Where a family and its fields are, as "module:attribute".

    Attributes:
        family: the class, made without arguments.
        fields: by wire id; these never change and are never used again once a release has them.
        words: what is fitted, for people.
        usage: what `--field` with the family's name asks for, in a sentence or two.
        is_network: whether that is a neural network rather than coefficients that stand for themselves.
    """

    family: str
    fields: Mapping[int, str]
    words: str
    usage: str = ""
    is_network: bool = False


FAMILIES: dict[str, Entry] = {
    "wavelet": Entry(
        "nfcodec.fields.wavelet.family:WaveletFamily",
        {4: "nfcodec.fields.wavelet.field:Wavelet"},
        "wavelets",
        "A sum of small waves: the strength of each is computed, then improved by gradient steps.",
    ),
    "table": Entry(
        "nfcodec.fields.table.family:TableFamily",
        {5: "nfcodec.fields.table.field:Table", 6: "nfcodec.fields.table.field:Pyramid"},
        "a table of the pixels' colours",
        "One entry a pixel, computed directly; or a pyramid of tables, where that promises a smaller file.",
    ),
    "siren": Entry(
        "nfcodec.fields.siren.family:SirenFamily",
        {1: "nfcodec.fields.siren.field:Siren", 2: "nfcodec.fields.siren.tiled:TiledSiren"},
        "a SIREN",
        "A network whose neurons are sines (SIREN), or one for each tile at low quality, fitted by gradient steps.",
        is_network=True,
    ),
    "ngp": Entry(
        "nfcodec.fields.ngp.family:NgpFamily",
        {3: "nfcodec.fields.ngp.field:Ngp"},
        "Instant-NGP",
        "Instant-NGP: grids of several sizes with numbers at their corners and a small network, fitted by gradient"
        " steps. All or some sizes may be given: ngp:levels=8,table=18,features=2,hidden=64x64 (table: log2 of a"
        " level's entries).",
        is_network=True,
    ),
    "grid": Entry(
        "nfcodec.fields.grid.family:GridFamily",
        {8: "nfcodec.fields.grid.field:Grid"},
        "grids",
        "Grids of integers and two networks that read and predict them, fitted to the picture and its bits by gradient"
        " steps.",
        is_network=True,
    ),
    "samples": Entry(
        "nfcodec.fields.samples.family:SamplesFamily",
        {7: "nfcodec.fields.samples.field:Samples"},
        "the samples themselves",
        "The pixels as they are, packed without loss.",
    ),
}
"""In the order in which `auto` asks them."""

AUTO_USAGE = (
    "wavelet, and from effort 4 on grid, too, where that may pay: the smaller file is kept. table, where the chain"
    " moves pixels. samples, where that makes the smaller file."
)
"""Which families `auto` leads to."""

ESTIMATOR = "nfcodec.fields.wavelet.estimate:WaveletBytes"
"""What tells families, before any fit, how much there is to a picture and where; no family imports another."""


def field_names() -> list[str]:
    """What `--field` may be, "auto" first."""
    return ["auto", *FAMILIES]


def field_usages() -> dict[str, str]:
    """What each name that `--field` may be asks for, as the help says it."""
    return {"auto": AUTO_USAGE, **{name: entry.usage for name, entry in FAMILIES.items()}}


def family(name: str) -> Family:
    """The family of a name. Raises UsageError."""
    if name not in FAMILIES:
        raise UsageError(f"unknown field {name!r}; known: {', '.join(field_names())}")
    return load(FAMILIES[name].family)()


def asked_for(text: str) -> tuple[Family, object | None]:
    """The family that `--field` names, and what the user says of the field, as in "ngp:levels=8,features=2".

    Raises UsageError.
    """
    name, colon, arguments = text.partition(":")
    if colon and name not in FAMILIES and name in field_names():  # auto
        raise UsageError(f"there is nothing to say of the field {name!r}, such as {arguments!r}")
    found = family(name)
    return found, found.parse(arguments) if colon else None


def family_name(field: Field | type[Field]) -> str:
    """The name of the family that a field belongs to. Raises UsageError for one that is not registered."""
    for name, known in fields().items():
        if field.wire_id in known:
            return name
    raise UsageError(f"the field {field!r} belongs to no family")


def fields() -> dict[str, Mapping[int, str]]:
    """All that can be decoded, by the names of families."""
    return {name: entry.fields for name, entry in FAMILIES.items()}


def unpack_field(wire_id: int, data: bytes) -> Field:
    """The field described by a file. Raises UnsupportedError or FormatError."""
    for known in fields().values():
        if wire_id in known:
            cls: type[Field] = load(known[wire_id])
            return cls.unpack(data)
    raise UnsupportedError(f"field id {wire_id} is not known to this version", code="field")


def estimator() -> Estimator:
    """See `ESTIMATOR`."""
    return load(ESTIMATOR)
