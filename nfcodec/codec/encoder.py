"""From samples to bytes: transform, fit, quantize, write, and decode the very bytes to keep the promise."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nfcodec.codec.decoder import decode, digest, in_picture_order
from nfcodec.codec.document import METADATA_CHUNKS, metadata_mask
from nfcodec.codec.info import side_info_bytes
from nfcodec.coding import Encoder, code_plane
from nfcodec.errors import FormatError, TargetNotReachedError, UsageError
from nfcodec.fields import OUTPUT_BITS, FieldSpec, Geometry
from nfcodec.fitting import Listener, Problem, Request, Solution, candidates, ignore, smallest_payload, solve
from nfcodec.fitting.engines import engine_names, fits_wavelets
from nfcodec.format import ALPHA, HEADER, PLANES, WEIGHTS, Chunks, Header, pack_metadata, write_chunks
from nfcodec.limits import DEFAULT_LIMITS, MAX_PSNR_DB, Limits
from nfcodec.metrics import psnr_db
from nfcodec.raster import Raster, Samples
from nfcodec.transforms import Chain, parse_chain, warnings
from nfcodec.version import VERSION


@dataclass(frozen=True)
class EncodeOptions:
    """What `encode` is asked for.

    Attributes:
        psnr_db: the decoded samples reach at least this PSNR, in dB over all colour samples at the source's depth;
            over 0, up to 150.
        field: "ngp" or "siren" (sized from the picture, the chain and the target), or a `FieldSpec`.
        transform: a chain such as "none", "rpp" or "standardize+rpp".
        seed: 0 .. 2^64 - 1, of rpp and of the initial weights.
        effort: 1 (fast) .. 9 (small).
        device: "auto", "cpu" or "cuda"; engine: "auto" or an engine's name.
        max_steps: bound on gradient steps; time_limit_s: bound on the seconds spent fitting.
        best_effort: return the best file even if the target is not reached.
    """

    psnr_db: float = 40.0
    field: str | FieldSpec = "ngp"
    transform: str = "none"
    seed: int = 0
    effort: int = 5
    device: str = "auto"
    engine: str = "auto"
    max_steps: int | None = None
    time_limit_s: float | None = None
    best_effort: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.psnr_db <= MAX_PSNR_DB:
            raise UsageError(f"the PSNR target must be over 0 and at most {MAX_PSNR_DB:g} dB, not {self.psnr_db}")
        if not 0 <= self.seed < 1 << 64:
            raise UsageError("the seed must be in 0 .. 2^64 - 1")
        if not 1 <= self.effort <= 9:
            raise UsageError("the effort must be 1 .. 9")
        if self.max_steps is not None and self.max_steps < 0:
            raise UsageError("max_steps must not be negative")
        if self.time_limit_s is not None and not self.time_limit_s > 0:
            raise UsageError("the time limit must be over 0 seconds")
        if self.engine not in ("auto", *engine_names()):
            raise UsageError(f"unknown engine {self.engine!r}; known: auto, {', '.join(engine_names())}")
        if self.device not in ("auto", "cpu", "cuda"):
            raise UsageError(f"unknown device {self.device!r}; known: auto, cpu, cuda")


@dataclass(frozen=True)
class Encoded:
    """A file's bytes and the report of how it came about (the keys of `nfcodec encode --json`)."""

    data: bytes
    report: dict[str, Any]


def encode(
    raster: Raster, options: EncodeOptions, on_event: Listener | None = None, limits: Limits = DEFAULT_LIMITS
) -> Encoded:
    """Encode a picture so that decoding the very bytes returned gives at least the target PSNR.

    Raises:
        UsageError: an option makes no sense, or an unknown transform or field.
        LimitError: the picture or the field is over the limits.
        TargetNotReachedError: the target was not reached, and `best_effort` is off.
        EngineError: the engine or device is not available.
    """
    started, listen = time.monotonic(), on_event or ignore
    specs = parse_chain(options.transform)
    limits.check_geometry(raster.width, raster.height)
    chain = Chain.prepare(specs, raster.samples, options.seed)
    geometry = Geometry(raster.height, raster.width, raster.channels)
    order = chain.order(raster.height, raster.width, chain.planes)
    flat = raster.samples.reshape(-1, raster.channels)
    samples = flat if order is None else flat[order]
    value_map = chain.value_map(raster.depth, raster.channels, OUTPUT_BITS)
    request = Request(
        psnr_db=options.psnr_db,
        effort=options.effort,
        seed=options.seed,
        engine=options.engine,
        device=options.device,
        max_steps=options.max_steps,
        deadline=math.inf if options.time_limit_s is None else started + options.time_limit_s,
        started=started,
        listen=listen,
    )
    wavelets = fits_wavelets(options.engine, options.device)
    fields = candidates(options.field, geometry, chain.permutes, options.psnr_db, wavelets)
    for spec in fields:
        spec.check(geometry, limits)
    try:
        solution, problem = solve([Problem(spec, geometry, samples, value_map) for spec in fields], request)
    except FormatError as error:
        raise TargetNotReachedError(f"{options.psnr_db:g} dB is out of reach: {error}", -math.inf) from error
    chunks, header = _assemble(raster, chain, problem, solution, options)
    data = write_chunks({**chunks, HEADER: header.pack()})
    decoded = decode(data, limits)
    reached_db = psnr_db(decoded.samples, raster.samples, raster.peak)
    if reached_db < options.psnr_db and not options.best_effort:
        raise TargetNotReachedError(f"reached {reached_db:.2f} dB of {options.psnr_db:g} dB", reached_db)
    report = _report(_Outcome(chain, problem, solution, chunks, header, data, reached_db), options)
    return Encoded(data, {**report, "seconds": time.monotonic() - started})


def _assemble(
    raster: Raster, chain: Chain, problem: Problem, solution: Solution, options: EncodeOptions
) -> tuple[Chunks, Header]:
    """All chunks but HEAD, and the header."""
    layout = problem.spec.layout(problem.geometry)
    chunks: Chunks = {WEIGHTS: smallest_payload(problem, solution.trial.weights)}
    if chain.planes:
        chunks[PLANES] = _code_planes(chain.planes, raster.depth)
    if raster.alpha is not None:
        chunks[ALPHA] = _code_planes([raster.alpha], raster.depth)
    for key, kind in METADATA_CHUNKS.items():
        if raster.metadata.get(key):
            chunks[kind] = pack_metadata(raster.metadata[key])
    samples = in_picture_order(solution.trial.samples, chain.order(raster.height, raster.width, chain.planes))
    decoded = Raster(samples.reshape(raster.samples.shape), raster.alpha)
    steps = (solution.trial.weights[tensor.name].step for tensor in layout)
    header = Header(
        encoder_version=VERSION,
        width=raster.width,
        height=raster.height,
        channels=raster.channels,
        depth=raster.depth,
        alpha=raster.alpha is not None,
        metadata=metadata_mask(chunks),
        target_psnr_db=options.psnr_db,
        psnr_db=psnr_db(decoded.samples, raster.samples, raster.peak),
        digest=digest(decoded),
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
        "target_psnr_db": options.psnr_db,
        "reached": outcome.reached_db >= options.psnr_db,
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
