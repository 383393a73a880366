"""The field of grids in PyTorch: the reference of the kernels, and what `torch_program` fits on a GPU."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.program import LARGEST_LOG_SCALE, LEAST_PROBABILITY, SMALLEST_LOG_SCALE
from nfcodec.fields.grid.shape import ABOVE, LEFT, NEIGHBOURS, RIGHT

Tensors = Mapping[str, Tensor]


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
        values = self.apart(tensors["latents"].reshape(-1))
        samples = self.read(self.upsampled(values, tensors["filters"]), tensors)
        return samples, self.bits(self.inputs(values, tensors), tensors)

    def apart(self, entries: Tensor) -> list[Tensor]:
        """The grids, (rows, columns) each, of all entries, (n_entries,)."""
        return [entries[each.entries].reshape(each.rows, each.cols) for each in self._lattices]

    def inputs(self, values: list[Tensor], tensors: Tensors) -> Tensor:
        """(1 + n_inputs, n_entries): each entry, and what it is predicted from."""
        return torch.cat([self._inputs(i, values, tensors) for i in range(len(values))], dim=1)

    def bits(self, inputs: Tensor, tensors: Tensors) -> Tensor:
        """Bits of each entry: Laplace distributions that a residual network predicts from the entries around."""
        n = self._field.n_inputs
        weights, bias = tensors["entropy"], tensors["entropy_bias"]
        hidden = x = inputs[1:]
        for i in range(2):
            rows = slice(i * n, (i + 1) * n)
            hidden = torch.relu(torch.addmm(hidden + bias[rows, None], weights[rows], hidden))
        both = torch.cat([weights[2 * n : 2 * n + 2], weights[2 * n + 2 :]], dim=1)
        location, log_scale = torch.addmm(bias[2 * n :, None], both, torch.cat([hidden, x]))
        return laplace_bits(inputs[0], location, log_scale)

    def _inputs(self, i: int, values: list[Tensor], tensors: Tensors) -> Tensor:
        """Of grid i: its entries, entries around them, 0 outside of the grid, and what is made of coarser grids."""
        rows, cols = values[i].shape
        padded = functional.pad(values[i], (LEFT, RIGHT, ABOVE, 0))
        near = [
            padded[ABOVE + down : ABOVE + down + rows, LEFT + right : LEFT + right + cols]
            for down, right in NEIGHBOURS[: self._field.n_neighbours]
        ]
        seen = torch.stack([values[i], *near])
        return torch.cat([seen, self._mapped(i, values, tensors)]).reshape(1 + self._field.n_inputs, -1)

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

    def upsampled(self, values: list[Tensor], filters: Tensor) -> Tensor:
        """(n_levels, H, W): each latent grid smoothed and brought to the size of the picture, level by level."""
        latents = [value for value, each in zip(values, self._lattices, strict=True) if not each.is_hyper]
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
            y = functional.conv2d(widened(widened(y, 1).mT, 1).mT, near[i], biases[1 + i]) + y
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
    return functional.conv2d(widened(x[:, None], 2), kernel).permute(0, 2, 3, 1).reshape(x.shape[0], x.shape[1], -1)


def widened(x: Tensor, n: int) -> Tensor:
    """(.., W) to (.., n + W + n): outside it goes on as at the border.

    Torch's own padding adds gradients up in any order on a GPU.
    """
    first, last = x[..., :1], x[..., -1:]
    return torch.cat([*[first] * n, x, *[last] * n], dim=-1)


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
