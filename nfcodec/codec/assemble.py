"""A solution's chunks and header: everything that a file holds."""

from __future__ import annotations

import numpy as np

from nfcodec.codec.document import METADATA_CHUNKS, metadata_mask
from nfcodec.coding.planes import encode_planes
from nfcodec.coding.residuals import encode_residual
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.request import Solution
from nfcodec.format import ALPHA, PLANES, RESIDUAL, WEIGHTS, Chunks, Header, pack_metadata
from nfcodec.metrics import psnr_db
from nfcodec.raster import Raster
from nfcodec.version import VERSION


def assemble(picture: Picture, solution: Solution, target_psnr_db: float, *, exact: bool) -> tuple[Chunks, Header]:
    """All chunks but HEAD, and the header.

    Args:
        target_psnr_db: that the header promises; infinite for the very samples.
        exact: whether a residual makes up for what the field leaves.
    """
    raster, chain, weights = picture.raster, picture.chain, solution.trial.weights
    problem = solution.problem
    chunks: Chunks = {WEIGHTS: problem.payload(weights)}
    samples = picture.in_place(solution.trial.samples)
    if exact and not np.array_equal(samples, raster.samples):
        outputs = problem.field.evaluate(problem.geometry, weights)
        places = picture.value_map.places(outputs, solution.trial.samples)
        chunks[RESIDUAL] = encode_residual(raster.samples - samples.astype(np.int64), picture.in_place(places))
        samples = raster.samples
    if chain.planes:
        chunks[PLANES] = encode_planes(chain.planes, raster.depth)
    if raster.alpha is not None:
        chunks[ALPHA] = encode_planes([raster.alpha], raster.depth)
    for key, kind in METADATA_CHUNKS.items():
        if raster.metadata.get(key):
            chunks[kind] = pack_metadata(raster.metadata[key])
    header = Header(
        encoder_version=VERSION,
        width=raster.width,
        height=raster.height,
        channels=raster.channels,
        depth=raster.depth,
        alpha=raster.alpha is not None,
        metadata=metadata_mask(chunks),
        stepped=solution.stepped,
        target_psnr_db=target_psnr_db,
        psnr_db=psnr_db(samples, raster.samples, raster.peak),
        digest=Raster(samples, raster.alpha).digest(),
        field_id=problem.field.wire_id,
        field=problem.field.pack(),
        chain=chain.pack(),
        steps=[weights[tensor.name].step for tensor in problem.field.layout(problem.geometry)],
    )
    return chunks, header
