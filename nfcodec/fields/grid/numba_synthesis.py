"""The synthesis of the field of grids in compiled loops: its tensors packed, its work in pieces, its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.exact.field import Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid import synthesis_kernels as kernels
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.numba_tasks import Task
from nfcodec.fields.grid.rate_kernels import PITCH, Place, padded
from nfcodec.fields.grid.synthesis_kernels import Planes, ReadNet, Target
from nfcodec.kernels.arguments import Floats
from nfcodec.kernels.jit import U
from nfcodec.kernels.tiles import LANES, aligned, total

PIXELS = 1 << 14
"""Pixels that a thread takes at a time, about."""

NONE: Floats = np.zeros(0, np.float32)


class Synthesis:
    """See `synthesis_kernels`.

    Args:
        target: (C, H, W); weights: as the target, or none.

    Attributes:
        data, places: the array of all planes, and where upsampled latents are in it.
        bands: rows that a thread takes at a time.
        errors: (bands, C), sums of weighted squared errors.
    """

    def __init__(self, field: Grid, geometry: Geometry, target: Floats, weights: Floats | None, n_threads: int) -> None:
        self._geometry, height, width = geometry, geometry.height, geometry.width
        channels, n_levels, n_hidden = geometry.channels, field.n_levels, field.n_hidden
        self._sizes = n_levels, n_hidden, channels
        rows = 16 * max(1, round(PIXELS / (16 * width)))
        self.bands = [(y, min(y + rows, height)) for y in range(0, height, rows)]
        pitch = -(-width // 64) * 64 + 16
        step = (height + 4) * pitch
        counts = [n_levels, channels, channels, channels, channels]
        firsts = 16 + 2 * pitch + np.cumsum([0, *counts]) * step
        self.data = aligned(int(firsts[-1]) + 2 * pitch)
        self.places = [Place(U(firsts[0] + k * step), U(pitch), U(height), U(width)) for k in range(n_levels)]
        c, dy, dx = (each.reshape(-1) for each in np.indices((channels, 3, 3)))
        around = (dy - 1) * pitch + dx - 1
        near = c * step + around
        u, y0, y1, d2, d1 = (U(first) for first in firsts[:-1])
        self._planes = Planes(
            u, y0, y1, d2, d1, U(step), U(pitch), U(height), U(width),
            _places(np.arange(n_levels) * step), _places(near),
            _places(c * step - around),
            _places(np.arange(n_hidden + channels) * PITCH), _places(np.arange(channels) * pitch),
        )  # fmt: skip
        self._net = _net(n_levels, n_hidden, channels)
        self._values = np.ascontiguousarray(target, np.float32).reshape(channels, -1)
        no_values = np.zeros((channels, 0), np.float32)
        self._weights = (
            no_values if weights is None else np.ascontiguousarray(weights, np.float32).reshape(channels, -1)
        )
        self._target = Target(self._values, self._weights, no_values, np.float32(0))
        self._scratch = [aligned((2 * n_hidden + channels + 4) * PITCH) for _ in range(n_threads)]
        self._lines = [aligned(2 * channels * pitch) for _ in range(n_threads)]
        n_found = kernels.found_floats(*self._sizes)
        self._partial = [aligned(n_found * LANES) for _ in range(n_threads)]
        self._found = np.zeros((2 * len(self.bands), n_found), np.float32)
        self._affine = np.zeros((len(self.bands), 2, channels), np.float32)
        self.errors: npt.NDArray[np.float64] = np.zeros((len(self.bands), channels))

    @property
    def n_samples(self) -> int:
        """Of the picture."""
        return self._geometry.n_pixels * self._geometry.channels

    def pack(self, tensors: Parameters) -> None:
        """Take over the tensors' values."""
        _, n_hidden, channels = self._sizes
        centre = np.zeros((channels, channels, 9), np.float32)
        centre[np.arange(channels), np.arange(channels), 4] = 1
        first, last = tensors["near"].reshape(2, channels, channels, 9) + centre
        hidden, linear, out = tensors["synthesis"][:n_hidden], tensors["synthesis"][n_hidden:], tensors["out"]
        packed: dict[str, Any] = {
            "hidden": hidden, "out": out, "first": first, "of_out": out.T,
            "linear": linear, "last": last,
            "of_first": first.transpose(1, 0, 2), "of_last": last.transpose(1, 0, 2),
            "of_latents": np.vstack([hidden, linear]).T,
            "biases": tensors["synthesis_bias"], "scale": tensors["scale"], "offset": tensors["offset"],
        }  # fmt: skip
        for name, value in packed.items():
            getattr(self._net, name)[:] = value.reshape(-1)

    def compare_with(self, picture: Floats | None, *, differentiate: bool) -> None:
        """What the next run is for: samples, into a (C, H, W) of contiguous floats, or gradients."""
        channels = self._geometry.channels
        kept = np.zeros((channels, 0), np.float32) if picture is None else picture.reshape(channels, -1)
        factor = 2 / (channels * self._geometry.n_pixels) if differentiate else 0
        self._target = Target(self._values, self._weights, kept, np.float32(factor))
        self.errors.fill(0)
        self._affine.fill(0)

    def begin(self, band: tuple[int, int], worker: int) -> None:
        """From upsampled latents to the inputs of the first 3 x 3 layer."""
        kernels.begin(self._planes, self._net, self.data, U(band[0]), U(band[1]), self._scratch[worker])

    def go_on_tasks(self) -> list[Task]:
        """The first 3 x 3 layer."""
        return [
            lambda _, y0=y0, y1=y1: kernels.go_on(self._planes, self._net, self.data, U(y0), U(y1))
            for y0, y1 in self.bands
        ]

    def compare_tasks(self) -> list[Task]:
        """The second 3 x 3 layer, and errors."""

        def task(i: int, y0: int, y1: int, worker: int) -> None:
            kernels.compare(
                self._planes,
                self._net,
                self.data,
                self._target,
                U(y0),
                U(y1),
                self.errors[i],
                self._affine[i],
                self._lines[worker],
            )

        return [lambda worker, i=i, band=band: task(i, *band, worker) for i, band in enumerate(self.bands)]

    def last_back_tasks(self) -> list[Task]:
        """Back through the second 3 x 3 layer."""

        def task(i: int, y0: int, y1: int, worker: int) -> None:
            partial = self._partial[worker]
            partial.fill(0)
            kernels.last_back(self._planes, self._net, self.data, U(y0), U(y1), partial, self._lines[worker])
            total(partial, self._found[2 * i])

        return [lambda worker, i=i, band=band: task(i, *band, worker) for i, band in enumerate(self.bands)]

    def first_back_tasks(self) -> list[Task]:
        """Back through all others."""

        def task(i: int, y0: int, y1: int, worker: int) -> None:
            partial = self._partial[worker]
            partial.fill(0)
            kernels.first_back(
                self._planes, self._net, self.data, U(y0), U(y1), partial, self._scratch[worker], self._lines[worker]
            )
            total(partial, self._found[2 * i + 1])

        return [lambda worker, i=i, band=band: task(i, *band, worker) for i, band in enumerate(self.bands)]

    def gradients(self) -> Parameters:
        """Of the tensors."""
        n_levels, n_hidden, channels = self._sizes
        found = self._found.sum(axis=0, dtype=np.float64).astype(np.float32)
        near = 9 * channels
        sizes = [(n_hidden + channels, n_levels), (channels, n_hidden), (channels, near), (channels, near)]
        parts, end = list[Floats](), 0
        for rows, cols in sizes:
            parts.append(found[end : end + rows * padded(cols)].reshape(rows, -1)[:, :cols])
            end += rows * padded(cols)
        synthesis, out, first, last = (np.ascontiguousarray(part) for part in parts)
        scale, offset = self._affine.sum(axis=0, dtype=np.float64).astype(np.float32)
        return {
            "synthesis": synthesis,
            "out": out,
            "near": np.concatenate([first, last]),
            "synthesis_bias": found[end:],
            "scale": scale[:, None],
            "offset": offset,
        }


def _places(values: npt.NDArray[Any]) -> npt.NDArray[np.uintp]:
    """Places, which may be negative, as wrapped numbers; more of them, of 0, to a multiple of four."""
    values = np.concatenate([values, np.zeros(-len(values) % 4)])
    return values.astype(np.int64).view(np.uintp)


def _net(n_levels: int, n_hidden: int, channels: int) -> ReadNet:
    def flat(rows: int, cols: int = 1) -> Floats:
        return np.zeros(rows * cols, np.float32)

    return ReadNet(
        U(n_levels), U(n_hidden), U(channels), flat(n_hidden, n_levels), flat(channels, n_hidden),
        flat(channels, n_levels), flat(channels, 9 * channels), flat(channels, 9 * channels), flat(n_hidden, channels),
        flat(channels, 9 * channels), flat(channels, 9 * channels), flat(n_levels, n_hidden + channels),
        flat(n_hidden + 3 * channels), flat(n_levels + channels), flat(channels), flat(channels),
    )  # fmt: skip
