"""What the parts of a file take adds up to it, names every tensor, and is what coding them takes."""

from pathlib import Path

import pytest

from nfcodec.codec.breakdown import breakdown
from nfcodec.codec.document import parse
from nfcodec.coding.payload import decode_payload, estimate_payload, weigh_payload
from nfcodec.errors import FormatError, LimitError
from nfcodec.format import WEIGHTS
from nfcodec.limits import DEFAULT_LIMITS, Limits

FOLDER = Path(__file__).parents[1] / "conformance" / "golden"
GOLDEN = sorted(
    path
    for kind in ("alpha*", "grid-1*", "ngp-[hs]*", "pyramid-[pr]*", "residual*", "samples-w*", "siren-[efg]*",
                 "table-[gw]*", "tiled-[12i]*", "wavelet-[ef]*", "wavelet-rpp", "wavelet-metadata")
    for path in FOLDER.glob(f"{kind}.nfc")
)  # fmt: skip
REST_BYTES = 9
"""Of a payload: the order, and what the last words of the range coder hold beside symbols."""


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_shares_add_up_and_name_everything(path):
    data = path.read_bytes()
    shares, document = breakdown(data), parse(data, DEFAULT_LIMITS)
    assert sum(share.n_bytes for share in shares) == pytest.approx(len(data))
    assert len({share.part for share in shares}) == len(shares)
    pieces = weigh_payload(document.field, document.geometry, document.chunks[WEIGHTS], document.steps)
    tensors = document.field.layout(document.geometry)
    assert {name for piece in pieces for name in piece.tensors} == {tensor.name for tensor in tensors}
    assert all(piece.n_bytes >= 0 for piece in pieces)
    (rest,) = [share.n_bytes for share in shares if share.part == "weights: order and end of the stream"]
    assert 0 < rest < REST_BYTES
    numbers = [share.n_numbers for share in shares if share.n_numbers is not None]
    assert sum(numbers) <= sum(tensor.size for tensor in tensors)


def parts_of(name):
    return {share.part: share for share in breakdown((FOLDER / f"{name}.nfc").read_bytes())}


def test_what_is_beside_the_weights_is_exact():
    found = parts_of("residual-rgba16")
    document = parse((FOLDER / "residual-rgba16.nfc").read_bytes(), DEFAULT_LIMITS)
    sizes = {kind.decode(): len(payload) for kind, payload in document.chunks.items()}
    assert found["residual, what the field leaves of the samples"].n_bytes == sizes["RESD"]
    assert found["alpha"].n_bytes == sizes["ALPH"]
    assert sum(share.n_bytes for part, share in found.items() if part.startswith("header")) == sizes["HEAD"]
    assert found["signature and checksums"].n_bytes == 9 + 12 * len(sizes)


def test_every_part_of_a_stream_takes_what_its_symbols_cost():
    document = parse((FOLDER / "siren-rgb.nfc").read_bytes(), DEFAULT_LIMITS)
    payload, geometry = document.chunks[WEIGHTS], document.geometry
    symbols, order = decode_payload(document.field, geometry, payload), payload[0]
    pieces = weigh_payload(document.field, geometry, payload)
    parts = document.field.parts(geometry, order)
    assert len(pieces) == len(parts)
    for piece, part in zip(pieces, parts, strict=True):
        assert 1 + piece.n_bytes == pytest.approx(estimate_payload(order, [part], symbols))


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("residual-rgb", ["skip", "bias_out", "level0, means every 4 pixels", "level0, details every 4 pixels",
                          "level0, details every 2 pixels"]),
        ("grid-1-level", ["entropy", "entropy_bias", "maps", "map_bias", "filters", "synthesis", "out", "near",
                          "synthesis_bias", "scale", "offset", "latents, entries every pixel"]),
        ("ngp-sized-rgb", [*(f"level{i}" for i in range(8)), "weight0", "weight1", "weight2"]),
        ("samples-rgb", ["level0"]),
    ],
)  # fmt: skip
def test_pieces_have_names(name, pieces):
    assert [part for part in parts_of(name) if part.startswith("weights")] == [
        *(f"weights: {piece}" for piece in pieces),
        "weights: order and end of the stream",
    ]


def test_bad_files_are_refused():
    data = GOLDEN[0].read_bytes()
    with pytest.raises(FormatError):
        breakdown(data[:-1])
    with pytest.raises(LimitError, match="over the limit"):
        breakdown(data, Limits(max_pixels=1))
