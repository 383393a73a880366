"""How a fit goes on its way to 50 dB: what the paper's Tables 2 and 3 and its Figures 2 to 8 are made of.

One run at one learning rate, the best one that `acceleration` found, with its weights kept at the start and whenever it
first reaches 20, 30, 40 and 50 dB. From these: the variance over pixels of the squared error, the loss barrier on the
straight line between the weights at 30 and at 50 dB, the loss on planes through the weights, and reconstructions.
"""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image
from scipy.fft import dctn

from benchmarks.data.pictures import Bytes, Reals, coded, square
from benchmarks.paper.acceleration import Fit, milestones, rounded, thinned
from benchmarks.paper.arms import ARMS, Arm, arm
from benchmarks.paper.programs import Program, Run
from benchmarks.records.progress import SearchState, tell
from benchmarks.records.store import Job, Row
from nfcodec.fields import Parameters

LEVELS_DB = (20, 30, 40, 50)

LINE_POINTS = 41

SPECTRUM_SIDE = 32
"""Spectra are averaged in so many bands along each axis."""

HISTOGRAM_BINS = 64


@dataclass(frozen=True)
class Dynamics(Fit):
    """One fit watched. The fields of `Fit` say which; `log2_rates` has one rate.

    Attributes:
        plane_side: points along each axis of the loss planes; 0 for none.
        pictures: whether to record reconstructions.
    """

    plane_side: int = 0
    pictures: bool = False

    study: ClassVar[str] = "dynamics"

    def run(self, picture: Bytes) -> Row:
        transformed = arm(self.transform, picture, self.seed)
        fit = self.program([Run(transformed, 2.0 ** self.log2_rates[0])])
        start = fit.parameters(0)
        curve, kept, outputs = self._watched(fit)
        row: Row = {
            "steps": len(curve) - 1, "reached": curve[-1] >= self.target_db, "seconds": round(fit.seconds[0], 3),
            "milestones": milestones(curve), "curve": thinned(curve), "spectrum": spectrum(transformed, self.side),
            "squared_error_variance": {
                str(db): float(np.var((transformed.undo(values) - transformed.values) ** 2, ddof=1))
                for db, values in outputs.items()
            },
        }  # fmt: skip
        if 30 in kept and 50 in kept:
            row["line"] = line(fit, transformed, kept[30], kept[50])
        if self.plane_side and 30 in kept and 50 in kept:
            for name, a, b in (("plane_0_30", start, kept[30]), ("plane_30_50", kept[30], kept[50])):
                row[name] = plane(fit, transformed, a, b, self.plane_side, self.seed)
        if self.pictures:
            row["original"] = png(picture)
            row["reconstructions"] = {str(db): reconstruction(transformed, outputs[db], self.side) for db in outputs}
        return row

    def _watched(self, fit: Program) -> tuple[list[float], dict[int, Parameters], dict[int, Reals]]:
        """Run to the target: the PSNR curve, and weights and outputs at the levels."""
        curve: list[float] = []
        kept: dict[int, Parameters] = {}
        outputs: dict[int, Reals] = {}
        for step in range(self.max_steps + 1):
            psnr_db = fit.psnrs([0])[0]
            curve.append(psnr_db)
            tell(SearchState(self.name, f"{psnr_db:.1f} dB", step, self.max_steps))
            for db in LEVELS_DB:
                if psnr_db >= db and db not in kept:
                    kept[db], outputs[db] = fit.parameters(0), fit.outputs(0).astype(np.float64)
            if psnr_db >= self.target_db or not math.isfinite(psnr_db) or step == self.max_steps:
                break
            fit.update([0])
        return curve, kept, outputs


def line(fit: Program, transformed: Arm, a: Parameters, b: Parameters) -> list[float]:
    """The PSNR at evenly spaced points of the straight line from weights a to weights b."""
    return [
        _psnr_at(fit, transformed, {name: (1 - t) * a[name] + t * b[name] for name in a})
        for t in np.linspace(0, 1, LINE_POINTS).tolist()
    ]


def plane(
    fit: Program, transformed: Arm, a: Parameters, b: Parameters, side: int, seed: int
) -> dict[str, list[float] | list[list[float]]]:
    """The PSNR on the plane through a, along b - a and along a random direction.

    The random direction is filter-normalised, after Li et al. (2018): each row of a matrix or table, and each vector of
    biases, is scaled to the length that b - a has there. (Li et al. take the length of the weights themselves; here a
    step of 1 is as long in both directions.)

    Returns:
        "along", from -0.5 (a is at 0, b at 1) to 1.5; "across" -1 to 1; "psnr_db", a row for each `across`.
    """
    rng = np.random.default_rng(seed)
    forward = {name: b[name] - a[name] for name in a}
    across = {
        name: _like(rng.standard_normal(value.shape), value.astype(np.float64)) for name, value in forward.items()
    }
    along, aside = np.linspace(-0.5, 1.5, side), np.linspace(-1, 1, side)
    values = [
        [_psnr_at(fit, transformed, {n: a[n] + t * forward[n] + s * across[n] for n in a}) for t in along.tolist()]
        for s in aside.tolist()
    ]
    return {"along": along.round(4).tolist(), "across": aside.round(4).tolist(), "psnr_db": values}


def _like(noise: Reals, direction: Reals) -> Reals:
    """Noise with the norms of a direction, row by row for weight matrices."""
    axis = 1 if direction.ndim == 2 else None
    norm = np.sqrt((noise**2).sum(axis, keepdims=True))
    return noise * np.sqrt((direction**2).sum(axis, keepdims=True)) / np.maximum(norm, 1e-12)


def _psnr_at(fit: Program, transformed: Arm, parameters: Parameters) -> float:
    fit.restore(0, {name: value.astype(np.float32) for name, value in parameters.items()})
    return rounded(transformed.psnr_db(fit.outputs(0).astype(np.float64)))


def spectrum(transformed: Arm, side: int) -> list[list[float]]:
    """Mean magnitude of the orthonormal DCT-II of the fitted picture in bands of frequencies, low ones first."""
    magnitudes: Reals = np.abs(np.asarray(dctn(transformed.targets.reshape(side, side), norm="ortho")))
    n = min(side, SPECTRUM_SIDE)
    edges = np.linspace(0, side, n + 1).round().astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(magnitudes, edges, 0), edges, 1)
    counts = np.diff(np.append(edges, side))
    return [[float(f"{value:.3g}") for value in row] for row in sums / np.outer(counts, counts)]


def reconstruction(transformed: Arm, outputs: Reals, side: int) -> dict[str, str]:
    """The picture that outputs (n,) decode to, and the error's magnitude, both as PNG in base64.

    The picture is clipped and coded in sRGB; the error, in linear light, is scaled so that white is 4 RMS.
    """
    picture = transformed.picture(outputs).reshape(side, side)
    source = transformed.picture(transformed.targets).reshape(side, side)
    error = np.abs(picture - source)
    rms = math.sqrt(float((error**2).mean())) or 1.0
    return {"picture": png(coded(picture)), "error": png((np.clip(error / (4 * rms), 0, 1) * 255).astype(np.uint8))}


def png(samples: Bytes) -> str:
    """A picture as PNG in base64."""
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


@dataclass(frozen=True)
class Gallery(Job):
    """Each transform's picture and histogram of intensities (Figure 2)."""

    side: int
    transforms: tuple[str, ...] = ARMS
    seed: int = 0

    study: ClassVar[str] = "gallery"

    def load(self, path: Path) -> Bytes:
        return square(path, self.side)

    def run(self, picture: Bytes) -> Row:
        shown: dict[str, Row] = {}
        for chain in self.transforms:
            targets = arm(chain, picture, self.seed).targets
            counts, edges = np.histogram(targets, HISTOGRAM_BINS)
            stretched = (targets - targets.min()) / ((targets.max() - targets.min()) or 1)
            shown[chain] = {
                "picture": png(coded(stretched).reshape(self.side, self.side)), "counts": counts.tolist(),
                "lowest": float(edges[0]), "highest": float(edges[-1]),
            }  # fmt: skip
        return {"gallery": shown}
