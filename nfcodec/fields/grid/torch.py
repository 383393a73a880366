"""The field of grids in PyTorch: the reference of the kernels, and what fits it on a GPU."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.shape import ABOVE, LEFT, NEIGHBOURS, RIGHT

Tensors = Mapping[str, Tensor]

LARGEST_LOG_SCALE, SMALLEST_LOG_SCALE = 7.0, -7.0
"""Scales of distributions are 2^-7 .. 2^7 symbols."""

LEAST_PROBABILITY = 2.0**-16
"""No symbol takes more bits than this says, so that gradients stay bounded."""


class TorchGrid:
    """Values and bits of a field of grids, differentiable.

    Args:
        device: where the tensors are.
    """

    def __init__(self, field: Grid, geometry: Geometry) -> None:
        self._field, self._geometry = field, geometry
        self._lattices = field.lattices(geometry)

    def __call__(self, tensors: Tensors) -> tuple[Tensor, Tensor]:
        """The picture, (C, H, W), and the bits of each entry, (n_entries,), of tensors as in `Grid.layout`."""
        flat = tensors["latents"].reshape(-1)
        values = [flat[each.entries].reshape(each.rows, each.cols) for each in self._lattices]
        latents = [value for value, each in zip(values, self._lattices, strict=True) if not each.is_hyper]
        return self.read(self.upsampled(latents, tensors["filters"]), tensors), self.bits(values, tensors)

    def bits(self, values: list[Tensor], tensors: Tensors) -> Tensor:
        """Bits of each entry: Laplace distributions that a residual network predicts from the entries around."""
        n = self._field.n_inputs
        weights, bias = tensors["entropy"], tensors["entropy_bias"]
        x = torch.cat([self._inputs(i, values, tensors) for i in range(len(values))], dim=1)
        hidden = x
        for i in range(2):
            rows = slice(i * n, (i + 1) * n)
            hidden = torch.relu(torch.addmm(hidden + bias[rows, None], weights[rows], hidden))
        both = torch.cat([weights[2 * n : 2 * n + 2], weights[2 * n + 2 :]], dim=1)
        location, log_scale = torch.addmm(bias[2 * n :, None], both, torch.cat([hidden, x]))
        return laplace_bits(torch.cat([value.reshape(-1) for value in values]), location, log_scale)

    def _inputs(self, i: int, values: list[Tensor], tensors: Tensors) -> Tensor:
        """(n_inputs, entries) of grid i: entries around, 0 outside of the grid, and what is made of coarser grids."""
        rows, cols = values[i].shape
        padded = functional.pad(values[i], (LEFT, RIGHT, ABOVE, 0))
        near = [
            padded[ABOVE + down : ABOVE + down + rows, LEFT + right : LEFT + right + cols]
            for down, right in NEIGHBOURS[: self._field.n_neighbours]
        ]
        return torch.cat([torch.stack(near), self._mapped(i, values, tensors)]).reshape(self._field.n_inputs, -1)

    def _mapped(self, i: int, values: list[Tensor], tensors: Tensors) -> Tensor:
        """A linear map of all coarser grids, at half the resolution of grid i, each number repeated 2 x 2."""
        counts, n_mapped = self._field.n_coarser, self._field.n_mapped
        rows, cols = values[i].shape
        if i >= len(counts):
            return values[i].new_zeros(n_mapped, rows, cols)
        half = self._lattices[i + 1]
        coarser = [
            repeated(value, each.level - half.level, half.rows, half.cols)
            for value, each in zip(values[i + 1 :], self._lattices[i + 1 :], strict=True)
        ]
        first = sum(counts[:i])
        weights = tensors["maps"][:, first : first + counts[i]]
        bias = tensors["map_bias"][i * n_mapped : (i + 1) * n_mapped]
        mapped = torch.addmm(bias[:, None], weights, torch.stack(coarser).reshape(counts[i], -1))
        return repeated(mapped.reshape(n_mapped, half.rows, half.cols), 1, rows, cols)

    def upsampled(self, latents: list[Tensor], filters: Tensor) -> Tensor:
        """(n_levels, H, W): each latent grid smoothed and brought to the size of the picture, level by level."""
        n_steps = len(latents) - 1
        found = latents[-1][None]
        for level in reversed(range(n_steps)):
            rows, cols = latents[level].shape
            taller = doubled(doubled(found, filters[level]).mT, filters[level]).mT
            finer = smoothed(latents[level], filters[n_steps + level])
            found = torch.cat([finer[None], taller[:, :rows, :cols]])
        return found

    def read(self, x: Tensor, tensors: Tensors) -> Tensor:
        """Samples (C, H, W) of upsampled latents: neurons, two residual 3 x 3 layers, a linear map beside."""
        n_hidden, channels = self._field.n_hidden, self._geometry.channels
        flat, bias = x.reshape(len(x), -1), tensors["synthesis_bias"]
        hidden = torch.relu(torch.addmm(bias[:n_hidden, None], tensors["synthesis"][:n_hidden], flat))
        biases = bias[n_hidden:].reshape(3, channels)
        y = torch.addmm(biases[0][:, None], tensors["out"], hidden).reshape(1, channels, *x.shape[1:])
        near = tensors["near"].reshape(2, channels, channels, 3, 3)
        for i in range(2):
            y = functional.conv2d(functional.pad(y, (1, 1, 1, 1), mode="replicate"), near[i], biases[1 + i]) + y
            y = torch.relu(y) if i == 0 else y
        y = y[0] + (tensors["synthesis"][n_hidden:] @ flat).reshape(y.shape[1:])
        return y * tensors["scale"][:, :, None] + tensors["offset"][:, None, None]


def repeated(values: Tensor, n_doublings: int, rows: int, cols: int) -> Tensor:
    """(.., h, w) to (.., rows, cols): each value 2^n_doublings times along both axes, then cut."""
    times = 1 << n_doublings
    return values.repeat_interleave(times, -2)[..., :rows, :].repeat_interleave(times, -1)[..., :cols]


def doubled(x: Tensor, taps: Tensor) -> Tensor:
    """(C, H, W) to (C, H, 2 W) by eight symmetric taps, of which four are given; outside it goes on as at the border.

    With a, b, c, d = taps: value 2m is a x[m-2] + c x[m-1] + d x[m] + b x[m+1], value 2m + 1 its mirror image.
    """
    a, b, c, d = taps
    zero = torch.zeros_like(a)
    kernel = torch.stack([torch.stack([a, c, d, b, zero]), torch.stack([zero, b, d, c, a])])[:, None, None]
    padded = functional.pad(x[:, None], (2, 2, 0, 0), mode="replicate")
    return functional.conv2d(padded, kernel).permute(0, 2, 3, 1).reshape(x.shape[0], x.shape[1], -1)


def smoothed(x: Tensor, taps: Tensor) -> Tensor:
    """(H, W) by seven symmetric taps along both axes, of which four are given, the middle one last; 0 outside."""
    all_taps = torch.cat([taps, taps[:3].flip(0)])
    across = functional.conv2d(x[None, None], all_taps.view(1, 1, 1, 7), padding=(0, 3))
    return functional.conv2d(across, all_taps.view(1, 1, 7, 1), padding=(3, 0))[0, 0]


def laplace_bits(values: Tensor, locations: Tensor, log_scales: Tensor) -> Tensor:
    """Bits of the unit intervals around values under Laplace distributions of scale 2^log_scales."""
    rate = torch.exp2(-log_scales.clamp(SMALLEST_LOG_SCALE, LARGEST_LOG_SCALE))
    above, below = (values - locations + 0.5) * rate, (values - locations - 0.5) * rate
    share = 0.5 * (below.sign() * torch.expm1(-below.abs()) - above.sign() * torch.expm1(-above.abs()))
    return -torch.log2(share.clamp_min(LEAST_PROBABILITY))


def soft_round(x: Tensor, temperature: float) -> Tensor:
    """A smooth step (Agustsson and Theis 2020): the nearest integer for a low temperature, x for a high one."""
    floor = torch.floor(x)
    return floor + 0.5 + torch.tanh((x - floor - 0.5) / temperature) * (0.5 / math.tanh(0.5 / temperature))
