"""What an encode has to say: a file's bytes, and how they came about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nfcodec.codec.document import METADATA_CHUNKS
from nfcodec.codec.info import side_info_bytes, without_steps
from nfcodec.codec.options import EncodeOptions
from nfcodec.fitting.family import Plan
from nfcodec.fitting.request import Solution
from nfcodec.format import Chunks, Header
from nfcodec.transforms import Chain


@dataclass(frozen=True)
class Encoded:
    """A file's bytes and the report of how it came about.

    Its keys are those of `nfcodec encode --json`, but for what that adds (`path`, `png_bytes`, `bound_bytes`); those
    that do not explain themselves:

        target_bytes: only where a size was asked for.
        effort: of the recipe; lower than what was asked for where time is short, or where a quick file was the best.
        fitted: how the weights came about, in words.
        steps: gradient steps in all; 0 where the weights were solved in closed form or nothing was fitted.
        fit_steps: those of them that fitted the weights; the others fine-tuned the rounded weights.
        engine: what took the steps; None where there were none, or none that brought anything.
        seed: what the bytes depend on; None where nothing in them is random.
        tried: the files that were compared, in the order in which they were made: of each its `field`, `effort`,
            `bytes` and `psnr_db`. The one that was kept is among them.
        side_info_bytes: what undoes the transforms.
        raw_bytes: of the samples as they are, alpha included, and of the metadata as the file holds it.
    """

    data: bytes
    report: dict[str, Any]

    @property
    def psnr_db(self) -> float:
        """Infinite for a file without loss."""
        return math.inf if self.report["psnr_db"] is None else self.report["psnr_db"]


@dataclass(frozen=True)
class Outcome:
    """All that there is to report about an encode.

    Attributes:
        family: the name of the one that fitted the picture.
        reached_db: what the very bytes decode to.
    """

    family: str
    chain: Chain
    plan: Plan
    solution: Solution
    chunks: Chunks
    header: Header
    data: bytes
    reached_db: float


def report_of(outcome: Outcome, options: EncodeOptions) -> dict[str, Any]:
    """The report of an encode: plain values, an infinite PSNR as None."""
    header, solution = outcome.header, outcome.solution
    n_pixels = solution.problem.geometry.n_pixels
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
        "field": outcome.family,
        "fitted": _in_words(solution),
        "effort": outcome.plan.effort,
        "recipe": asdict(outcome.plan.recipe),
        "parameters": solution.field.n_parameters(solution.problem.geometry),
        "transform": str(outcome.chain),
        "seed": options.seed if _is_random(outcome) else None,
        "steps": solution.steps,
        "fit_steps": solution.fit_steps,
        "fit_seconds": solution.fit_seconds,
        "engine": solution.engine,
        "device": solution.device,
        "side_info_bytes": side_info_bytes(header.chain, outcome.chunks),
        "raw_bytes": _raw_bytes(header, outcome.chunks),
    }


TRIED = ("field", "effort", "bytes", "psnr_db")
"""What the report says of each file that was compared."""


def with_tries(kept: Encoded, files: Sequence[Encoded], seconds: float) -> Encoded:
    """The file that is kept, with what there is to report about the whole encode."""
    tried = [{key: each.report[key] for key in TRIED} for each in files]
    return Encoded(kept.data, {**kept.report, "tried": tried, "seconds": seconds})


def verdict(kept: Encoded, files: Sequence[Encoded]) -> str:
    """Which of several files is kept, in words."""
    others = "; ".join(_result(each) for each in files if each is not kept)
    return f"kept {_result(kept)}; not {others}"


def _result(encoded: Encoded) -> str:
    psnr = "no loss" if math.isinf(encoded.psnr_db) else f"{encoded.psnr_db:.2f} dB"
    return f"{encoded.report['field']} at effort {encoded.report['effort']} ({len(encoded.data):,} bytes, {psnr})"


def _raw_bytes(header: Header, chunks: Chunks) -> int:
    n_samples = header.width * header.height * (header.channels + header.alpha)
    return n_samples * header.depth // 8 + sum(len(chunks.get(kind, b"")) for kind in METADATA_CHUNKS.values())


def _is_random(outcome: Outcome) -> bool:
    """Whether the bytes depend on the seed, through the chain or through gradient steps."""
    return outcome.chain.seed is not None or outcome.solution.stepped or outcome.solution.steps > 0


def _in_words(solution: Solution) -> str:
    """How the weights came about."""
    if solution.stepped:
        return f"by {solution.steps} gradient steps"
    if solution.steps:
        return f"solved in closed form; {solution.steps} gradient steps brought nothing"
    return without_steps(solution.field)
