"""What decoding a file takes at most, told from its header and from the heads of its chunks, before anything is.

The pieces know what they take themselves: `Part.cost`, `Field.cost`, `planes_cost`, `residual_cost`. Here they are
added up in the order in which `nfcodec.codec.decoder` goes through them, with what each leaves for the next.
"""

from __future__ import annotations

from nfcodec.codec.reduction import reduction_cost
from nfcodec.codec.view import Reading, View, reading
from nfcodec.coding.payload import payload_cost
from nfcodec.coding.planes import planes_cost
from nfcodec.coding.residuals import residual_cost
from nfcodec.exact.field import Field
from nfcodec.exact.geometry import Geometry
from nfcodec.format import ALPHA, PLANES, RESIDUAL, WEIGHTS, Chunks, Header
from nfcodec.limits import Cost
from nfcodec.transforms import Chain

CONVERSION, PLACE, DIGEST = 22e-9, 30e-9, 4e-9
"""Work of a sample: from the field's output, to where that lies between thresholds, and of each byte of the digest."""

VALUE_MAP, VALUE_MAP_BYTES, CURVES = Cost(24 << 20, 0.05), 8 << 20, 0.3
"""What tables of values take at most, and what is kept of them; and their work where values are bent."""

START = Cost(30 << 20, 0.1)
"""Whatever the file: imports, tables that are made once, and the like."""


def decoding_cost(chunks: Chunks, header: Header, field: Field, chain: Chain, view: View, kept_bytes: int) -> Cost:
    """What `nfcodec.codec.decode` takes for a file of these chunks. Raises FormatError.

    Args:
        view: what of the picture is decoded.
        kept_bytes: of the file, its chunks and its metadata, which are there all the time.
    """
    geometry = Geometry(header.height, header.width, header.channels)
    if not view.is_whole:
        found = reading(view, field, geometry, alpha=header.alpha)
        if RESIDUAL not in chunks or found.source is not field:
            return _view_cost(chunks, header, chain, view, found, kept_bytes)
    n_pixels, n_samples, width = geometry.n_pixels, geometry.n_pixels * geometry.channels, header.depth // 8
    has_residual = RESIDUAL in chunks
    total = START.then(Cost(kept_bytes=kept_bytes))

    symbols = payload_cost(field, geometry, chunks[WEIGHTS])
    moved = Cost(0.0, n_samples * (CONVERSION + PLACE * has_residual), n_samples * (width + has_residual))
    curves = Cost(work=CURVES if chain.pointwise else 0.0)
    evaluation = VALUE_MAP.keeping(VALUE_MAP_BYTES).then(curves).then(moved).then(field.cost(geometry))
    total = total.then(symbols.then(evaluation).keeping(moved.kept_bytes + VALUE_MAP_BYTES))

    planes = planes_cost(chunks[PLANES], chain.n_planes, n_pixels, header.depth) if chain.n_planes else Cost()
    order = planes.then(chain.order_cost(n_pixels))
    in_place = Cost(moved.kept_bytes)
    total = total.then(order.then(in_place).keeping(0))
    if has_residual:
        residual = residual_cost(chunks[RESIDUAL], n_pixels, geometry.channels, (1 << header.depth) - 1)
        total = total.then(residual.then(Cost(n_samples * (8 + width))).keeping(n_samples * width))
    if header.alpha:
        total = total.then(planes_cost(chunks[ALPHA], 1, n_pixels, header.depth))
    if view.is_whole:
        return total.then(Cost(work=DIGEST * width * (n_samples + n_pixels * header.alpha)))
    before, after = _view_costs(header, view.size(geometry), reading(view, field, geometry, alpha=header.alpha))
    return total.then(before).then(after)


def _view_cost(chunks: Chunks, header: Header, chain: Chain, view: View, found: Reading, kept_bytes: int) -> Cost:
    """The same for a view that needs no residual: its symbols, and what of the outputs it is made of."""
    total = START.then(Cost(kept_bytes=kept_bytes))
    whole = Geometry(header.height, header.width, header.channels)
    if header.alpha:
        total = total.then(planes_cost(chunks[ALPHA], 1, whole.n_pixels, header.depth))
    before, after = _view_costs(header, view.size(whole), found)
    symbols = payload_cost(found.source, found.geometry, chunks[WEIGHTS])
    curves = Cost(work=CURVES if chain.pointwise else 0.0)
    conversion = Cost(work=CONVERSION * found.part.n_pixels * header.channels)
    evaluation = VALUE_MAP.keeping(VALUE_MAP_BYTES).then(curves).then(conversion)
    evaluation = evaluation.then(found.source.window_cost(found.geometry, found.place))
    return total.then(before).then(symbols.then(evaluation).keeping(0)).then(after)


def _view_costs(header: Header, size: Geometry, found: Reading) -> tuple[Cost, Cost]:
    """What making a view of samples takes while they come, and when all have come.

    Args:
        size: of the view.
    """
    result = size.n_pixels * (size.channels + header.alpha) * (header.depth // 8)
    if found.scale == 1:
        return Cost(kept_bytes=result), Cost()
    return reduction_cost(found.part, found.scale, alpha=header.alpha)
