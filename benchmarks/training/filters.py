"""Train the filters that ship with the package, on crops of CLIC and DIV2K pictures (never Kodak).

The filters are the first layer of a network that restores what quantization took from a picture; the second layer is
the file's own, by least squares. So the filters are trained for what least squares can make of them: the loss is the
error that remains after the solution, through which gradients flow. Files depend on the weights: filters that have
been released are never replaced.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.data.problems import picture, solved
from benchmarks.training.crops import QUALITIES_DB, crops, packed
from nfcodec.fields import Geometry
from nfcodec.fields.wavelet import (
    ACTIVATION_BITS,
    FILTER_SIDE,
    FILTER_WEIGHT_BITS,
    MAX_FILTERS,
    N_INPUTS,
    default_field,
    synthesis,
)
from nfcodec.fitting import Psnr, Request
from nfcodec.raster import Samples

NUMBERS = (16, 32, 64, MAX_FILTERS)
"""Files use the first so many filters; each number is trained for."""

RIDGE = 1e-3
BATCH, BATCH_SIDE = 6, 96
HELD_OUT = 16
MARGIN = FILTER_SIDE // 2


@dataclass(frozen=True)
class Pair:
    """What a file says of a crop's features, and what they should be: (3, H, W), in quantizer steps."""

    seen: Tensor
    wanted: Tensor


def collect(pictures: list[Samples], rng: np.random.Generator) -> list[Pair]:
    """Quantized and true features of pictures at random quality, without gradient steps."""
    found: list[Pair] = []
    for i, samples in enumerate(pictures):
        field = default_field(Geometry(*samples.shape))
        request = Request(Psnr(float(rng.uniform(*QUALITIES_DB))), 1, i)
        solution = solved(picture(samples), "wavelet", request, field)
        problem, weights = solution.problem, solution.trial.weights
        step = weights["level0"].step.value
        rows, _ = synthesis(problem.geometry, weights["level0"], field.n_levels)
        seen = rows(0, problem.geometry.height) * 2.0**-ACTIVATION_BITS
        true = np.linalg.pinv(weights["skip"].values) @ (problem.targets - weights["bias_out"].values).T
        shape = (3, *samples.shape[:2])
        pair = (torch.from_numpy((each / step).astype(np.float32)).reshape(shape) for each in (seen, true))
        found.append(Pair(*pair))
        print(f"{i + 1} of {len(pictures)} pictures", end="\r", flush=True)
    return found


def without_mean(weights: Tensor) -> Tensor:
    """Filters that do not see a constant."""
    return weights - weights.mean((2, 3), keepdim=True)


def responses(weights: Tensor, biases: Tensor, seen: Tensor) -> Tensor:
    """(B, filters, H, W) of features (B, 3, H, W)."""
    padded = functional.pad(seen, (MARGIN,) * 4, mode="replicate")
    return torch.relu(functional.conv2d(padded, weights, biases))


def remaining(response: Tensor, missing: Tensor, ridge: float) -> Tensor:
    """What is still missing, (B, 3, n), after each picture's best linear map of the responses."""
    flat, wanted = response.flatten(2), missing.flatten(2)
    moments = flat @ flat.transpose(1, 2) / flat.shape[2]
    scale = moments.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
    readout = torch.linalg.solve(
        moments + ridge * scale * torch.eye(flat.shape[1]), flat @ wanted.transpose(1, 2) / flat.shape[2]
    )
    return wanted - readout.transpose(1, 2) @ flat


def gain_db(weights: Tensor, biases: Tensor, pairs: list[Pair], ridge: float) -> float:
    """Mean gain over pictures."""
    gains: list[float] = []
    for pair in pairs:
        seen, missing = pair.seen[None], (pair.wanted - pair.seen)[None]
        left = remaining(responses(weights, biases, seen), missing, ridge)
        gains.append(10 * math.log10(float(missing.square().mean()) / float(left.square().mean())))
    return sum(gains) / len(gains)


def augmented(pairs: list[Pair], n: int, side: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A batch of random crops, turned and mirrored, chroma with either sign, or none."""
    seen, wanted = [], []
    for i in rng.integers(0, len(pairs), n):
        both = torch.stack([pairs[i].seen, pairs[i].wanted])
        top, left = (int(rng.integers(0, size - side + 1)) for size in both.shape[2:])
        both = both[:, :, top : top + side, left : left + side]
        both = both.flip(3) if rng.random() < 0.5 else both
        both = both.flip(2) if rng.random() < 0.5 else both
        both = both.transpose(2, 3) if rng.random() < 0.5 else both
        signs = [1.0, *rng.choice([-1.0, 1.0], 2)] if rng.random() < 0.9 else [1.0, 0.0, 0.0]
        both = both * torch.tensor(signs, dtype=torch.float32)[:, None, None]
        seen.append(both[0])
        wanted.append(both[1])
    return torch.stack(seen), torch.stack(wanted)


def train(pairs: list[Pair], held_out: list[Pair], steps: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Filters and biases, (MAX_FILTERS, 3 * FILTER_SIDE^2 + 1), as integers in units of 2^-FILTER_WEIGHT_BITS."""
    side = min(BATCH_SIDE, *(size for pair in pairs for size in pair.seen.shape[1:]))
    bound = math.sqrt(3 / N_INPUTS)
    weights = torch.empty(MAX_FILTERS, 3, FILTER_SIDE, FILTER_SIDE).uniform_(-bound, bound).requires_grad_()
    biases = torch.randn(MAX_FILTERS).requires_grad_()
    optimizer = torch.optim.Adam([weights, biases], lr=rate)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * (0.5 + 0.5 * math.cos(math.pi * step / steps)) + 1e-5
        seen, wanted = augmented(pairs, BATCH, side, rng)
        response, missing = responses(without_mean(weights), biases, seen), wanted - seen
        loss = torch.zeros(())
        for number in NUMBERS:
            left = remaining(response[:, :number], missing, RIDGE)
            ratio = left.square().mean((1, 2)) / missing.square().mean((1, 2, 3)).clamp(min=1e-6)
            loss = loss + (10 * torch.log10(ratio)).mean() / len(NUMBERS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 99:
            with torch.no_grad():
                of_all = gain_db(without_mean(weights), biases, held_out, 1e-5)
            print(f"step {step + 1}: {-float(loss.detach()):.3f} dB, held out {of_all:.3f} dB", flush=True)
    with torch.no_grad():
        kernels = torch.round(without_mean(weights) * 2**FILTER_WEIGHT_BITS)
        kernels[:, :, MARGIN, MARGIN] -= kernels.sum((2, 3))
        # in the order of docs/reference/format.md: offsets in raster order, then features
        shifts = torch.round(biases * 2**FILTER_WEIGHT_BITS)
        rows = torch.cat([kernels.permute(0, 2, 3, 1).flatten(1), shifts[:, None]], 1)
        for number in NUMBERS:
            unit = 2.0**-FILTER_WEIGHT_BITS
            print(f"first {number}: {gain_db(kernels[:number] * unit, biases[:number], held_out, 1e-5):.3f} dB")
    return rows.numpy()


def trained(folders: Sequence[Path], n_crops: int, side: int, steps: int, rate: float) -> bytes:
    """The filters' weights, packed, from random crops; crops of twice the side are held out."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    pairs = collect(crops(folders, n_crops, side, rng), rng)
    pairs = [pair for pair in pairs if min(pair.seen.shape[1:]) >= side]
    held_out = collect(crops(folders, HELD_OUT, 2 * side, rng), rng)
    return packed(train(pairs, held_out, steps, rate, rng))
