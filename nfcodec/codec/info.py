"""What a file says about itself, and whether it keeps its word."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nfcodec.codec.decoder import reconstruct
from nfcodec.codec.document import METADATA_CHUNKS, parse
from nfcodec.codec.view import WHOLE, View
from nfcodec.fields.registry import family_name
from nfcodec.floats import silently
from nfcodec.format import MAJOR, PLANES
from nfcodec.limits import DEFAULT_LIMITS, Limits
from nfcodec.raster import Raster

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from nfcodec.exact.field import Field


def without_steps(field: Field) -> str:
    """How the weights of a field came about without gradient steps, in words."""
    return "packed without a fit" if field.holds_samples else "solved in closed form, without gradient steps"


@dataclass(frozen=True)
class Info:
    """The header of a file, in plain values.

    Attributes:
        field: the name of the family that the field belongs to.
        fitted: in words, whether there was a fit and whether gradient steps were taken.
        parameters: of the field.
        seed: of the random order of the pixels, which the decoder needs; None without one. Files do not hold the seed
            of gradient steps.
        memory_bytes: that decoding takes, at most.
        work: what decoding takes, at most, in seconds of one core; see `Limits.max_work`.
    """

    bytes: int
    bpp: float
    width: int
    height: int
    channels: int
    depth: int
    alpha: bool
    field: str
    fitted: str
    parameters: int
    memory_bytes: int
    work: float
    transform: str
    seed: int | None
    side_info_bytes: int
    target_psnr_db: float
    psnr_db: float
    digest: str
    chunks: dict[str, int]
    metadata: list[str]
    encoder_version: str
    format_version: str

    def to_dict(self) -> dict[str, Any]:
        """All of it, JSON-able; an infinite PSNR becomes None."""
        values = asdict(self)
        return {**values, **{key: None for key in ("target_psnr_db", "psnr_db") if values[key] == float("inf")}}


@silently
def inspect(data: Buffer, limits: Limits = DEFAULT_LIMITS, view: View = WHOLE) -> Info:
    """Read a file's header; decodes nothing.

    Args:
        view: what of the picture is going to be decoded: `memory_bytes` and `work` are of that.

    Raises:
        FormatError or LimitError: as `decode`, as far as the header tells.
        UsageError: the file has no such view.
    """
    document = parse(data, limits, view)
    header, geometry, chunks = document.header, document.geometry, document.chunks
    return Info(
        bytes=document.size_bytes,
        bpp=document.bpp,
        width=header.width,
        height=header.height,
        channels=header.channels,
        depth=header.depth,
        alpha=header.alpha,
        field=family_name(document.field),
        fitted="by gradient steps" if header.stepped else without_steps(document.field),
        parameters=document.field.n_parameters(geometry),
        memory_bytes=int(document.cost.memory_bytes),
        work=document.cost.work,
        transform=str(document.chain),
        seed=document.chain.seed,
        side_info_bytes=side_info_bytes(header.chain, chunks),
        target_psnr_db=header.target_psnr_db,
        psnr_db=header.psnr_db,
        digest=header.digest.hex(),
        chunks={kind.decode("latin-1"): len(payload) for kind, payload in chunks.items()},
        metadata=[key for key, kind in METADATA_CHUNKS.items() if kind in chunks],
        encoder_version=".".join(map(str, header.encoder_version)),
        format_version=f"{MAJOR}.{header.minor}",
    )


def side_info_bytes(chain: bytes, chunks: dict[bytes, bytes]) -> int:
    """Bytes that undo the transforms: the chain's description and its key planes."""
    return len(chain) + len(chunks.get(PLANES, b""))


@dataclass(frozen=True)
class Verification:
    """Whether the decoded samples have the digest that the file promises."""

    ok: bool
    digest: str
    expected: str
    raster: Raster

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, without the raster."""
        return {"ok": self.ok, "digest": self.digest, "expected": self.expected}


@silently
def verify(data: Buffer, limits: Limits = DEFAULT_LIMITS) -> Verification:
    """Decode a file and compare the samples' digest. Raises FormatError or LimitError if it cannot be decoded."""
    document = parse(data, limits)
    raster = reconstruct(document, limits)
    found, expected = raster.digest().hex(), document.header.digest.hex()
    return Verification(found == expected, found, expected, raster)
