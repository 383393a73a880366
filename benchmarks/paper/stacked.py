"""All runs of a SIREN in batched matrix products, for devices that want large work."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmarks.paper.arms import psnr_of_mse
from benchmarks.paper.programs import Program, Run
from nfcodec.fields import Geometry, Parameters, Siren
from nfcodec.fields.siren import OMEGA_0, initial


class StackedSiren(Program):
    """SIRENs of one shape on one square, their weights stacked: (runs, out, in)."""

    CHUNK_FLOATS = 1 << 26
    """Activations of a layer that are held at a time."""

    def __init__(self, field: Siren, side: int, runs: Sequence[Run], seed: int = 0, device: str = "cpu") -> None:
        self._field, self._arms, self._device = field, [run.arm for run in runs], torch.device(device)
        start = initial(field, Geometry(side, side, 1), seed)
        n = len(runs)
        self._parameters = {
            name: torch.from_numpy(value).to(self._device).expand(n, *value.shape).clone()
            for name, value in start.items()
        }
        self._means = {name: torch.zeros_like(value) for name, value in self._parameters.items()}
        self._squares = {name: torch.zeros_like(value) for name, value in self._parameters.items()}
        self._gradients: dict[str, Tensor] = {}
        self._rates = torch.tensor([run.rate for run in runs], device=self._device)
        targets = np.stack([run.arm.targets for run in runs]).astype(np.float32)
        self._targets = torch.from_numpy(targets).to(self._device)
        axis = torch.linspace(-1, 1, side, device=self._device)
        self._coordinates = torch.stack([axis.repeat(side), axis.repeat_interleave(side)])  # (2, n)
        self._slots, self._steps = list(range(n)), 0
        self.seconds = [0.0] * n

    def psnrs(self, alive: Sequence[int]) -> list[float]:
        start = time.perf_counter()
        self._keep(alive)
        leaves = {name: value.requires_grad_() for name, value in self._parameters.items()}
        errors = torch.zeros(len(alive), dtype=torch.float64, device=self._device)
        kept: list[Tensor] = []
        powers = any(self._arms[run].gain is None for run in alive)
        self._gradients = {name: torch.zeros_like(value) for name, value in leaves.items()}
        n_pixels = self._targets.shape[1]
        for pixels in self._chunks():
            out = self._forward(leaves, pixels)
            squares = (out - self._targets[:, pixels]).square()
            gradients = torch.autograd.grad(squares.sum() / n_pixels, list(leaves.values()))
            for name, gradient in zip(leaves, gradients, strict=True):
                self._gradients[name] += gradient
            errors += squares.detach().sum(1, dtype=torch.float64) / n_pixels
            if powers:
                kept.append(out.detach())
        for value in leaves.values():
            value.requires_grad_(False)
        mses = errors.tolist()
        outputs = torch.cat(kept, 1).cpu().numpy() if powers else np.empty(0)
        psnrs: list[float] = []
        for slot, (run, mse) in enumerate(zip(alive, mses, strict=True)):
            arm = self._arms[run]
            psnrs.append(arm.psnr_db(outputs[slot]) if arm.gain is None else psnr_of_mse(mse / arm.gain**2))
        self._charge(alive, start)
        return psnrs

    @torch.no_grad()
    def update(self, alive: Sequence[int]) -> None:
        """Adam (Kingma & Ba 2015), betas 0.9 and 0.999, a learning rate each."""
        start = time.perf_counter()
        self._keep(alive)
        self._steps += 1
        for name, value in self._parameters.items():
            mean, square, gradient = self._means[name], self._squares[name], self._gradients[name]
            mean.lerp_(gradient, 0.1)
            square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            rates = self._rates.view(-1, *[1] * (value.dim() - 1)) / (1 - 0.9**self._steps)
            value -= rates * mean / (square.sqrt() / math.sqrt(1 - 0.999**self._steps) + 1e-8)
        self._charge(alive, start)

    def parameters(self, run: int) -> Parameters:
        slot = self._slots.index(run)
        return {name: value[slot].detach().cpu().numpy().copy() for name, value in self._parameters.items()}

    def restore(self, run: int, parameters: Parameters) -> None:
        slot = self._slots.index(run)
        for name, value in parameters.items():
            self._parameters[name][slot] = torch.from_numpy(value).to(self._device)
            self._means[name][slot] = self._squares[name][slot] = 0

    @torch.no_grad()
    def outputs(self, run: int) -> npt.NDArray[np.float32]:
        slot = self._slots.index(run)
        one = {name: value[slot : slot + 1] for name, value in self._parameters.items()}
        return torch.cat([self._forward(one, pixels)[0] for pixels in self._chunks()]).cpu().numpy()

    def _chunks(self) -> list[slice]:
        n = self._coordinates.shape[1]
        size = max(1, self.CHUNK_FLOATS // (len(self._slots) * self._field.width))
        return [slice(first, min(n, first + size)) for first in range(0, n, size)]

    def _forward(self, parameters: dict[str, Tensor], pixels: slice) -> Tensor:
        """Outputs (runs, pixels)."""
        x = self._coordinates[:, pixels]
        *sine_layers, last = self._field.trained
        for name in sine_layers:
            x = torch.sin(OMEGA_0 * (parameters[f"weight{name}"] @ x + parameters[f"bias{name}"][:, :, None]))
        return (parameters[f"weight{last}"] @ x + parameters[f"bias{last}"][:, :, None])[:, 0]

    def _keep(self, alive: Sequence[int]) -> None:
        """Drop the state of all other runs."""
        if list(alive) == self._slots:
            return
        index = torch.tensor([self._slots.index(run) for run in alive], device=self._device)
        for stacked in (self._parameters, self._means, self._squares, self._gradients):
            for name, value in stacked.items():
                stacked[name] = value[index]
        self._rates, self._targets, self._slots = self._rates[index], self._targets[index], list(alive)

    def _charge(self, alive: Sequence[int], start: float) -> None:
        """Share the time among the runs."""
        share = (time.perf_counter() - start) / len(alive)
        for run in alive:
            self.seconds[run] += share
