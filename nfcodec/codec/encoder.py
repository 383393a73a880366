"""From samples to bytes: transform, fit, quantize, write, and decode the very bytes to keep the promise."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.codec.decoder import Values, decode, digest, in_picture_order
from nfcodec.codec.document import METADATA_CHUNKS, metadata_mask
from nfcodec.codec.info import side_info_bytes
from nfcodec.codec.options import EncodeOptions
from nfcodec.codec.size_search import Encoded, best_within
from nfcodec.coding.entropy import Encoder
from nfcodec.coding.planes import code_plane
from nfcodec.coding.residuals import encode_residual
from nfcodec.errors import FormatError, TargetNotReachedError
from nfcodec.exact.arithmetic import OUTPUT_BITS
from nfcodec.exact.field import FieldSpec
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.plan import candidates, wavelet_ngp
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fields.siren.tiles import SmallFit
from nfcodec.fields.solve import solve
from nfcodec.fields.wavelet.estimate import WaveletBytes
from nfcodec.fields.wavelet.rate import smallest_payload
from nfcodec.fitting.engines import fits_wavelets
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Listener, Request, Solution, ignore
from nfcodec.format import ALPHA, HEADER, PLANES, RESIDUAL, WEIGHTS, Chunks, Header, pack_metadata, write_chunks
from nfcodec.limits import DEFAULT_LIMITS, Limits
from nfcodec.metrics import psnr_db
from nfcodec.raster import Raster, Samples
from nfcodec.transforms import Chain, ValueMap, parse_chain, warnings
from nfcodec.version import VERSION

LOSSLESS_ERROR = 0.8
"""Where the rest is coded sample by sample, the root mean squared error, in samples, that makes the smallest files."""

NGP_LOSSLESS_DB, SIREN_LOSSLESS_DB = 90.0, 30.0
"""How far to fit at most: less far than wavelet fits go; and a SIREN's bits buy less than the residual's."""

NGP_LIMIT_DB = 94.0
"""Wavelet fits of 16-bit samples do not go much further."""

LOSSLESS_GAP_DB = 9.0
"""So far over the PSNR that a lossless file is fitted to, a lossy one takes more bytes."""


def encode(
    raster: Raster, options: EncodeOptions, on_event: Listener | None = None, limits: Limits = DEFAULT_LIMITS
) -> Encoded:
    """Encode a picture so that decoding the very bytes returned gives what the options ask for.

    Raises:
        UsageError: an option makes no sense, or an unknown transform or field.
        LimitError: the picture or the field is over the limits.
        TargetNotReachedError: the target was not reached, and `best_effort` is off.
        EngineError: the engine or device is not available.
    """
    started = time.monotonic()
    source = _Source.of(raster, options, limits)
    request = Request(
        psnr_db=options.target_psnr_db,
        effort=options.effort,
        seed=options.seed,
        engine=options.engine,
        device=options.device,
        max_steps=options.max_steps,
        deadline=math.inf if options.time_limit_s is None else started + options.time_limit_s,
        started=started,
        listen=on_event or ignore,
    )
    budget = options.budget_bytes(raster.n_pixels)
    if budget is None:
        encoded = _encode_at(source, options, request, limits)
    else:
        kept: list[SmallFit] = []

        def encode_at(attempt: Request) -> Encoded:
            return _encode_at(source, options, attempt, limits, kept)

        def siren_bytes(attempt: Request) -> float:
            return source.wavelet_bytes(attempt).of_siren()

        small = options.field == "siren" and not source.chain.permutes
        encoded = best_within(budget, raster.n_pixels, request, encode_at, siren_bytes if small else None)
        encoded.report.update(target_bytes=budget, reached=len(encoded.data) <= budget)
    if not encoded.report["reached"] and not options.best_effort:
        raise _missed(encoded, request.psnr_db, budget)
    return Encoded(encoded.data, {**encoded.report, "seconds": time.monotonic() - started})


def _missed(encoded: Encoded, target_psnr_db: float, budget: int | None) -> TargetNotReachedError:
    if budget is None:
        message = f"reached {encoded.psnr_db:.2f} dB of {target_psnr_db:g} dB"
    else:
        message = f"the smallest file found takes {len(encoded.data)} bytes, more than {budget}"
    return TargetNotReachedError(message, encoded.psnr_db)


def _fit_psnr_db(raster: Raster, options: EncodeOptions, target_psnr_db: float) -> float:
    """The PSNR to fit the field to: lower than the target where the residual of all samples takes fewer bytes."""
    if options.field == "siren" or isinstance(options.field, Siren | TiledSiren):
        return SIREN_LOSSLESS_DB if math.isinf(target_psnr_db) else target_psnr_db
    lossless_db = min(NGP_LOSSLESS_DB, 20 * math.log10(raster.peak / LOSSLESS_ERROR))
    beyond = options.field == "ngp" and target_psnr_db > min(lossless_db + LOSSLESS_GAP_DB, NGP_LIMIT_DB)
    return lossless_db if beyond or math.isinf(target_psnr_db) else target_psnr_db


@dataclass(frozen=True)
class _Source:
    """A picture, transformed.

    Attributes:
        order: (n,), where the chain takes each pixel from; None if pixels keep their places.
        samples: (n, C), in the chain's order.
    """

    raster: Raster
    chain: Chain
    order: npt.NDArray[np.int64] | None
    samples: Samples
    value_map: ValueMap

    @classmethod
    def of(cls, raster: Raster, options: EncodeOptions, limits: Limits) -> _Source:
        specs = parse_chain(options.transform)
        limits.check_geometry(raster.width, raster.height)
        chain = Chain.prepare(specs, raster.samples, options.seed)
        order = chain.order(raster.height, raster.width, chain.planes)
        flat = raster.samples.reshape(-1, raster.channels)
        value_map = chain.value_map(raster.depth, raster.channels, OUTPUT_BITS)
        return cls(raster, chain, order, flat if order is None else flat[order], value_map)

    @property
    def geometry(self) -> Geometry:
        return Geometry(self.raster.height, self.raster.width, self.raster.channels)

    def problem(self, spec: FieldSpec) -> Problem:
        """To fit a field to it."""
        return Problem(spec, self.geometry, self.samples, self.value_map)

    def wavelet_bytes(self, request: Request) -> WaveletBytes:
        """What the picture and its tiles would take as wavelet levels."""
        return WaveletBytes(self.problem(wavelet_ngp(self.geometry)), request)

    def in_place(self, values: Values) -> Values:
        """An array (n, C) in the chain's order as one of (H, W, C)."""
        return in_picture_order(values, self.order, (self.raster.height, self.raster.width, self.raster.channels))


def _encode_at(
    source: _Source, options: EncodeOptions, request: Request, limits: Limits, kept: list[SmallFit] | None = None
) -> Encoded:
    """Fit to the request's PSNR, infinite for no loss, and write the file, whether it reaches that or not.

    Args:
        kept: see `solve`.
    """
    geometry, wavelets = source.geometry, fits_wavelets(options.engine, options.device)
    fit_psnr_db = _fit_psnr_db(source.raster, options, request.psnr_db)
    fit_request = replace(request, psnr_db=fit_psnr_db)
    wavelet_bytes = source.wavelet_bytes(fit_request)
    try:
        fields = candidates(options.field, geometry, source.chain.permutes, fit_psnr_db, wavelets, wavelet_bytes)
        for spec in fields:
            spec.check(geometry, limits)
        solution, problem = solve([source.problem(spec) for spec in fields], fit_request, kept)
    except FormatError as error:
        raise TargetNotReachedError(f"{fit_psnr_db:g} dB is out of reach: {error}", -math.inf) from error
    chunks, header = _assemble(source, problem, solution, request.psnr_db, exact=fit_psnr_db < request.psnr_db)
    if options.budget_bytes(geometry.n_pixels) is not None:  # which asks for no PSNR
        header = replace(header, target_psnr_db=header.psnr_db)
    data = write_chunks({**chunks, HEADER: header.pack()})
    decoded = decode(data, limits)
    reached_db = psnr_db(decoded.samples, source.raster.samples, source.raster.peak)
    return Encoded(data, _report(_Outcome(source.chain, problem, solution, chunks, header, data, reached_db), options))


def _assemble(
    source: _Source, problem: Problem, solution: Solution, target_psnr_db: float, *, exact: bool
) -> tuple[Chunks, Header]:
    """All chunks but HEAD, with the residual if it is to be exact, and the header."""
    raster, chain, weights = source.raster, source.chain, solution.trial.weights
    chunks: Chunks = {WEIGHTS: smallest_payload(problem, weights)}
    samples = source.in_place(solution.trial.samples)
    if exact and not np.array_equal(samples, raster.samples):
        places = source.value_map.places(problem.spec.evaluate(problem.geometry, weights), solution.trial.samples)
        chunks[RESIDUAL] = encode_residual(raster.samples - samples.astype(np.int64), source.in_place(places))
        samples = raster.samples
    if chain.planes:
        chunks[PLANES] = _code_planes(chain.planes, raster.depth)
    if raster.alpha is not None:
        chunks[ALPHA] = _code_planes([raster.alpha], raster.depth)
    for key, kind in METADATA_CHUNKS.items():
        if raster.metadata.get(key):
            chunks[kind] = pack_metadata(raster.metadata[key])
    steps = (weights[tensor.name].step for tensor in problem.spec.layout(problem.geometry))
    header = Header(
        encoder_version=VERSION,
        width=raster.width,
        height=raster.height,
        channels=raster.channels,
        depth=raster.depth,
        alpha=raster.alpha is not None,
        metadata=metadata_mask(chunks),
        target_psnr_db=target_psnr_db,
        psnr_db=psnr_db(samples, raster.samples, raster.peak),
        digest=digest(Raster(samples, raster.alpha)),
        field_id=problem.spec.wire_id,
        field=problem.spec.pack(),
        chain=chain.pack(),
        steps=b"".join(struct.pack("Bb", step.mantissa, step.exponent) for step in steps),
    )
    return chunks, header


def _code_planes(planes: Sequence[Samples], depth: int) -> bytes:
    coder = Encoder()
    for plane in planes:
        code_plane(coder, plane.shape[0], plane.shape[1], depth, plane.astype(np.int64))
    return coder.finish()


@dataclass(frozen=True)
class _Outcome:
    """All that there is to report about an encode."""

    chain: Chain
    problem: Problem
    solution: Solution
    chunks: Chunks
    header: Header
    data: bytes
    reached_db: float


def _report(outcome: _Outcome, options: EncodeOptions) -> dict[str, Any]:
    header, problem, solution = outcome.header, outcome.problem, outcome.solution
    n_pixels = problem.geometry.n_pixels
    return {
        "bytes": len(outcome.data),
        "bpp": 8 * len(outcome.data) / n_pixels,
        "pixels": n_pixels,
        "width": header.width,
        "height": header.height,
        "channels": header.channels,
        "depth": header.depth,
        "psnr_db": None if math.isinf(outcome.reached_db) else outcome.reached_db,
        "target_psnr_db": None if math.isinf(header.target_psnr_db) else header.target_psnr_db,
        "reached": outcome.reached_db >= header.target_psnr_db,
        "field": problem.spec.name,
        "parameters": problem.spec.n_parameters(problem.geometry),
        "transform": str(outcome.chain),
        "seed": options.seed,
        "steps": solution.steps,
        "fit_steps": solution.fit_steps,
        "fit_seconds": solution.fit_seconds,
        "engine": solution.engine,
        "device": solution.device,
        "side_info_bytes": side_info_bytes(header.chain, outcome.chunks),
        "warnings": warnings(outcome.chain),
    }
