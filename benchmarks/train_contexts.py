"""Train the context networks that ship with the package, on crops of CLIC and DIV2K pictures (never Kodak).

    python -m benchmarks.train_contexts FOLDER... --out nfcodec/coding/context_networks.bin

Symbols are those of fits at random quality, which weigh bits by the networks installed: a first training starts from
rounding alone, and each later one from the networks before. Training minimises their bits. Files depend on the
weights: a network that has been released is never replaced, a better one becomes another order of docs/format.md.
"""

from __future__ import annotations

import argparse
import hashlib
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from benchmarks.workloads import problem
from nfcodec.coding.context_networks import N_KINDS, N_ORIENTATIONS, N_PASSES, WEIGHT_BITS, Network, n_inputs
from nfcodec.coding.laplace import MAX_SCALE, SMALLEST_LOG2
from nfcodec.coding.wavelets import WaveletShape, runs
from nfcodec.fields import Geometry, WaveletLevel
from nfcodec.fitting import Request
from nfcodec.fitting.plan import wavelet_ngp
from nfcodec.fitting.rate import regime_of
from nfcodec.fitting.wavelet import solve_wavelet

Key = tuple[int, int, int]
Data = dict[Key, tuple[Tensor, Tensor]]
KEYS = [(o, k, p) for o in range(N_ORIENTATIONS) for k in range(N_KINDS) for p in range(N_PASSES)]

QUALITIES_DB = (28.0, 50.0)
INPUT_UNIT, OUTPUT_UNIT = 2.0**-5, 2.0**-3
LEAST_PROBABILITY = 2.0**-18


def collect(pictures: list[np.ndarray], effort: int, rng: np.random.Generator) -> Data:
    """Inputs (n, inputs) int16 and symbols (n,) of each network, from fits at random quality; one in eight is gray."""
    found: dict[Key, list[tuple[np.ndarray, np.ndarray]]] = {key: [] for key in KEYS}
    for i, picture in enumerate(pictures):
        if i % 8 == 7:
            picture = np.ascontiguousarray(picture.mean(axis=2, keepdims=True).round().astype(np.uint8))
        spec = wavelet_ngp(Geometry(*picture.shape))
        request = Request(float(rng.uniform(*QUALITIES_DB)), effort, i)
        fitted, level = problem(picture, spec), spec.levels[0]
        assert isinstance(level, WaveletLevel)
        weight = solve_wavelet([fitted], request)[0].trial.weights["level0"]
        rows, cols, features = weight.symbols.shape
        shape = WaveletShape(rows, cols, features, level.n_levels)
        for run in runs(shape, regime_of(fitted, weight.step), np.zeros_like(weight.symbols)):
            values = weight.symbols[run.place].reshape(-1)
            found[run.key].append((run.inputs().T.astype(np.int16), values.astype(np.float32)))
            run.put(values)
        print(f"{i + 1} of {len(pictures)} pictures", end="\r", flush=True)
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
    return -torch.log2(mass.clamp(min=0) + LEAST_PROBABILITY)


def train(
    data: dict[Key, tuple[Tensor, Tensor]], hidden: int, steps: int, batch: int, rate: float
) -> dict[Key, nn.Sequential]:
    nets = {
        key: nn.Sequential(
            nn.Linear(n_inputs(*key), hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 2)
        )
        for key in KEYS
    }
    optimizer = torch.optim.Adam([p for net in nets.values() for p in net.parameters()], lr=rate)
    total = sum(len(values) for _, values in data.values())
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * (0.5 + 0.5 * math.cos(math.pi * step / steps)) + 1e-5
        loss = torch.zeros(())
        for key, (inputs, values) in data.items():
            chosen = torch.randint(0, len(values), (batch,))
            outputs = nets[key](inputs[chosen].float() * INPUT_UNIT)
            loss = loss + bits(outputs, values[chosen]).mean() * (len(values) / total)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"step {step}: {float(loss.detach()):.4f} bits a symbol", flush=True)
    return nets


def pack(nets: dict[Key, nn.Sequential], hidden: int) -> bytes:
    """The inverse of `unpack_networks`, with weights rounded to integers."""
    parts = [np.array([hidden])]
    for key in KEYS:
        parts += [tensor.detach().double().numpy().reshape(-1) * 2**WEIGHT_BITS for tensor in nets[key].parameters()]
    values = np.round(np.concatenate(parts))
    if np.abs(values).max() >= 2**15:
        raise SystemExit("a weight does not fit 16 bits")
    return values.astype("<i2").tobytes()


def score(network_of: dict[Key, Network], data: Data) -> float:
    """Bits a symbol with the networks in integers."""
    total = 0.0
    for key, (inputs, values) in data.items():
        locations, scales = network_of[key].predict(inputs.double().numpy().T)
        outputs = torch.from_numpy(np.stack([locations, scales], 1) * OUTPUT_UNIT)
        total += float(bits(outputs, values.double()).sum())
    return total / sum(len(values) for _, values in data.values())


def crops(folders: list[Path], n: int, side: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Random square crops, (side, side, 3) uint8 or smaller, of the pictures in some folders."""
    paths = sorted(path for folder in folders for path in folder.iterdir() if path.suffix == ".png")
    found: list[np.ndarray] = []
    for _ in range(n):
        with Image.open(paths[rng.integers(len(paths))]) as image:
            left, top = (int(rng.integers(0, max(1, size - side + 1))) for size in image.size)
            box = (left, top, min(left + side, image.width), min(top + side, image.height))
            found.append(np.asarray(image.convert("RGB").crop(box)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--crops", type=int, default=100)
    parser.add_argument("--side", type=int, default=192)
    parser.add_argument("--effort", type=int, default=1)
    parser.add_argument("--hidden", type=int, default=16)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--rate", type=float, default=5e-3)
    options = parser.parse_args()
    from nfcodec.coding.context_networks import unpack_networks

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    data = collect(crops(options.folders, options.crops, options.side, rng), options.effort, rng)
    held_out = collect(crops(options.folders, 10, options.side, rng), options.effort, rng)
    nets = train(data, options.hidden, options.steps, options.batch, options.rate)
    blob = pack(nets, options.hidden)
    options.out.write_bytes(blob)
    print(f"held out: {score(unpack_networks(blob), held_out):.4f} bits a symbol in integers")
    print(f"{len(blob)} bytes, SHA-256 {hashlib.sha256(blob).hexdigest()}")


if __name__ == "__main__":
    main()
