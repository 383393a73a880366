"""Train the context networks that ship with the package, on crops of CLIC and DIV2K pictures (never Kodak).

Symbols are those of fits at random quality, with and without gradient steps, which weigh bits by the networks
installed: train, install, and train again. Training minimises their bits. Files depend on the weights: networks that
have been released are never replaced, better ones become another order of docs/reference/format.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.data.problems import picture, solved
from benchmarks.training.crops import QUALITIES_DB, crops, packed
from nfcodec.fields.wavelet import (
    CONTEXT_INPUT_BITS,
    CONTEXT_OUTPUT_BITS,
    CONTEXT_WEIGHT_BITS,
    MAX_SCALE,
    N_KINDS,
    N_ORIENTATIONS,
    N_PASSES,
    SMALLEST_LOG2,
    UNEXPECTED,
    Network,
    WaveletProblem,
    WaveletShape,
    n_inputs,
    runs,
    unpack_networks,
)
from nfcodec.fitting import Psnr, Request
from nfcodec.raster import Samples

Key = tuple[int, int, int]
KEYS = [(o, k, p) for o in range(N_ORIENTATIONS) for k in range(N_KINDS) for p in range(N_PASSES)]
Coded = tuple[WaveletShape, int, np.ndarray]
"""Coefficients of a picture, with their shape and regime."""

Data = dict[Key, tuple[Tensor, Tensor]]
"""Inputs (n, inputs) int16 and symbols (n,) of each network."""

EFFORTS = (1, 2, 2, 2)
GRAY_EVERY = 8
INPUT_UNIT, OUTPUT_UNIT = 2.0**-CONTEXT_INPUT_BITS, 2.0**-CONTEXT_OUTPUT_BITS


@dataclass(frozen=True)
class Recipe:
    """How the networks are trained.

    Attributes:
        hidden: width of both hidden layers.
        steps, batch, rate: of Adam.
        share: of the coefficients to train on.
        held_out: number of crops that are not trained on.
        processes: that fit and train; with OMP_NUM_THREADS=1 each has one thread.
    """

    hidden: int
    steps: int
    batch: int
    rate: float
    share: float
    held_out: int
    processes: int


def fitted(samples: Samples, seed: int) -> Coded:
    """A fit at random quality; one in eight is of a gray picture."""
    rng = np.random.default_rng(seed)
    if seed % GRAY_EVERY == 0:
        samples = np.ascontiguousarray(samples.mean(axis=2, keepdims=True).round().astype(np.uint8))
    request = Request(Psnr(float(rng.uniform(*QUALITIES_DB))), int(rng.choice(EFFORTS)), seed)
    solution = solved(picture(samples), "wavelet", request)
    problem, weight = solution.problem, solution.trial.weights["level0"]
    assert isinstance(problem, WaveletProblem)
    rows, cols, features = weight.symbols.shape
    shape = WaveletShape(rows, cols, features, problem.field.n_levels)
    return shape, problem.regime(weight.step), weight.symbols


def collect(pictures: Iterable[Coded], share: float, rng: np.random.Generator) -> Data:
    """What each network sees of some of the coefficients, and what they are."""
    found: dict[Key, list[tuple[np.ndarray, np.ndarray]]] = {key: [] for key in KEYS}
    for shape, regime, symbols in pictures:
        for run in runs(shape, regime, np.zeros_like(symbols)):
            values = symbols[run.place].reshape(-1)
            used = rng.random(len(values)) < share
            found[run.key].append((run.inputs()[:, used].T.astype(np.int16), values[used].astype(np.float32)))
            run.put(values)
    return {
        key: (torch.from_numpy(np.concatenate(inputs)), torch.from_numpy(np.concatenate(values)))
        for key, (inputs, values) in ((key, zip(*parts, strict=True)) for key, parts in found.items() if parts)
    }


def bits(outputs: Tensor, values: Tensor) -> Tensor:
    """Of each symbol, for locations and log2 of scales (n, 2)."""
    location = outputs[:, 0]
    scale = torch.exp2(outputs[:, 1].clamp(SMALLEST_LOG2, SMALLEST_LOG2 + MAX_SCALE / 8))

    def below(x: Tensor) -> Tensor:
        return 0.5 + 0.5 * torch.sign(x) * (1 - torch.exp(-x.abs()))

    mass = below((values - location + 0.5) / scale) - below((values - location - 0.5) / scale)
    return -torch.log2(mass.clamp(min=0) + UNEXPECTED)


def train(key: Key, data: tuple[Tensor, Tensor], recipe: Recipe) -> nn.Sequential:
    """One network, on this thread alone."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    inputs, values = data
    network = nn.Sequential(
        nn.Linear(n_inputs(*key), recipe.hidden),
        nn.ReLU(),
        nn.Linear(recipe.hidden, recipe.hidden),
        nn.ReLU(),
        nn.Linear(recipe.hidden, 2),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.rate, fused=True)
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * (0.5 + 0.5 * math.cos(math.pi * step / recipe.steps)) + 1e-5
        chosen = torch.randint(0, len(values), (recipe.batch,))
        loss = bits(network(inputs[chosen].float() * INPUT_UNIT), values[chosen]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


def pack(nets: dict[Key, nn.Sequential], hidden: int) -> bytes:
    """The inverse of `unpack_networks`, with weights rounded to integers."""
    parts = [np.array([hidden])]
    for key in KEYS:
        tensors = (tensor.detach().double().numpy().reshape(-1) for tensor in nets[key].parameters())
        parts += [tensor * 2**CONTEXT_WEIGHT_BITS for tensor in tensors]
    return packed(np.concatenate(parts))


def score(network_of: dict[Key, Network], data: Data) -> float:
    """Bits a symbol with the networks in integers."""
    total = 0.0
    for key, (inputs, values) in data.items():
        locations, scales = network_of[key].predict(inputs.double().numpy().T)
        outputs = torch.from_numpy(np.stack([locations, scales], 1) * OUTPUT_UNIT)
        total += float(bits(outputs, values.double()).sum())
    return total / sum(len(values) for _, values in data.values())


def trained(folders: Sequence[Path], n_crops: int, side: int, recipe: Recipe) -> tuple[bytes, float]:
    """The networks' weights, packed, and their bits a symbol on crops held out: `n_crops` and those are random."""
    rng = np.random.default_rng(0)
    pictures = crops(folders, n_crops + recipe.held_out, side, rng)
    with ProcessPoolExecutor(recipe.processes) as pool:
        coded = list(pool.map(fitted, pictures, range(len(pictures))))
        data = collect(coded[recipe.held_out :], recipe.share, rng)
        networks = dict(zip(data, pool.map(partial(train, recipe=recipe), data, data.values()), strict=True))
    blob = pack(networks, recipe.hidden)
    held_out = collect(coded[: recipe.held_out], 1.0, rng)
    return blob, score(unpack_networks(blob), held_out)
