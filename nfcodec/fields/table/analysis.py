"""The start of a fit on grid levels: an analysis of the picture instead of zeros.

For wavelet levels it is the forward transform. For dense levels it is a closed-loop Laplacian analysis: each level,
from coarse to fine, codes what the quantized coarser ones left over. Both work in an orthonormal colour basis, so that
one quantizer step serves all features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.exact.field import Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import DenseLevel
from nfcodec.fields.wavelet.field import WaveletLevel
from nfcodec.fields.wavelet.transform import LIFTING, LIFTING_BITS, by_parity, gains, lattice_of, neighbour_sums
from nfcodec.fitting.problem import Problem
from nfcodec.workers import Workers, n_threads

Image = npt.NDArray[np.float64]


def suits_analysis(spec: object, geometry: Geometry) -> bool:
    """Whether a field is made of dense levels, the last one full, and has the linear part that reads them."""
    if not (isinstance(spec, Ngp) and spec.skip and spec.bias):
        return False
    last = spec.levels[-1]
    full = isinstance(last, DenseLevel) and last.log2_stride == 0 and last.features >= geometry.channels
    return full and all(isinstance(level, DenseLevel) for level in spec.levels)


def color_basis(targets: npt.NDArray[np.float32], geometry: Geometry) -> tuple[Image, Image]:
    """Mean (C,) of targets (H * W, C), and axes (C, C), one a column, in which their details are uncorrelated.

    They are the principal axes of the differences between neighbouring pixels, largest first. It is details that take
    the bits: those of the colours themselves can be quite different axes, and made files up to a fifth larger.
    """
    mean = targets.mean(axis=0, dtype=np.float64)
    image = targets.reshape(geometry.height, geometry.width, geometry.channels)
    moments: Image = np.zeros((geometry.channels, geometry.channels))
    for axis in (0, 1):
        differences: Image = np.diff(image, axis=axis).reshape(-1, geometry.channels).astype(np.float64)
        moments += np.matmul(np.transpose(differences), differences)
    _, axes = np.linalg.eigh(moments)
    axes = axes[:, ::-1]
    return mean, axes * np.where(axes.sum(axis=0) < 0, -1.0, 1.0)


def interpolate(level: DenseLevel, table: Image, geometry: Geometry) -> Image:
    """Bilinear interpolation of a table (rows, cols, F) to (H, W, F)."""
    y, x = level.axis(geometry.height), level.axis(geometry.width)
    fy, fx = (y.fraction / (1 << y.bits))[:, None, None], (x.fraction / (1 << x.bits))[:, None]
    band = table[y.low] * (1 - fy) + table[y.high] * fy
    return band[:, x.low] * (1 - fx) + band[:, x.high] * fx


def _block_means(image: Image, log2_stride: int) -> Image:
    """Means over blocks of 2^log2_stride, edges repeated."""
    block = 1 << log2_stride
    rows, cols = -(-image.shape[0] // block), -(-image.shape[1] // block)
    padded = np.pad(image, ((0, rows * block - image.shape[0]), (0, cols * block - image.shape[1]), (0, 0)), "edge")
    return padded.reshape(rows, block, cols, block, -1).mean(axis=(1, 3))


def analyse(
    spec: Ngp, geometry: Geometry, targets: npt.NDArray[np.float32], step: float, parameters: Parameters
) -> tuple[Parameters, Mapping[str, float]]:
    """Parameters whose levels and linear part reproduce the targets to within the quantizer step.

    Args:
        targets: (H * W, C).
        step: quantizer step of every level, in the unit of the targets.
        parameters: initial values of the other tensors.

    Returns:
        The parameters, and the step of each level's table.
    """
    mean, axes = color_basis(targets, geometry)
    channels = geometry.channels
    left = ((targets - mean) @ axes).reshape(geometry.height, geometry.width, channels)
    start = dict(parameters)
    for i, level in enumerate(spec.levels):
        assert isinstance(level, DenseLevel)
        used = min(level.features, channels)
        table = np.zeros(level.shape(geometry))
        table[:, :, :used] = _block_means(left[:, :, :used], level.log2_stride)
        if i < len(spec.levels) - 1:
            table = np.round(table / step) * step
            left[:, :, :used] -= interpolate(level, table[:, :, :used], geometry)
        start[f"level{i}"] = table.astype(np.float32)
    skip = np.zeros((channels, spec.encoding_size), np.float32)
    at = 0
    for level in spec.levels:
        used = min(level.features, channels)
        skip[:, at : at + used] = axes[:, :used]
        at += level.features
    start["skip"] = skip
    if spec.hidden:
        start[f"weight{len(spec.hidden)}"] = np.zeros_like(parameters[f"weight{len(spec.hidden)}"])
    start["bias_out"] = mean.astype(np.float32)
    return start, {f"level{i}": step for i in range(len(spec.levels))}


def coefficients_of(problem: Problem, parameters: Parameters, steps: Mapping[str, float]) -> Image:
    """The picture's coefficients (H, W, C) through the linear part as the file will hold it."""
    spec, geometry = problem.spec, problem.geometry
    assert isinstance(spec, Ngp)
    level = spec.levels[0]
    assert isinstance(level, WaveletLevel)

    def as_stored(name: str) -> Image:
        return np.asarray(np.round(parameters[name] / steps[name]), np.float64) * steps[name]

    inverse = np.linalg.pinv(as_stored("skip"))
    colors: Image = np.matmul(problem.targets - as_stored("bias_out"), np.transpose(inverse))
    return wavelet_coefficients(colors.reshape(geometry.height, geometry.width, -1), level.n_levels)


def wavelet_coefficients(image: npt.NDArray[Any], n_levels: int) -> npt.NDArray[Any]:
    """The coefficients (H, W, F) of values (H, W, F), of which a wavelet level makes these values, as floats."""
    planes = np.ascontiguousarray(np.moveaxis(image, 2, 0))
    analyse_planes(planes, n_levels)
    planes /= gains(image.shape[0], image.shape[1], n_levels)
    return np.ascontiguousarray(np.moveaxis(planes, 0, 2))


def analyse_planes(planes: npt.NDArray[Any], n_levels: int) -> None:
    """The forward transform of (F, H, W) floats, in place, without gains."""

    def plane(worker: int, i: int) -> None:
        for level in range(1, n_levels + 1):
            for vertical in (False, True):
                with by_parity(lattice_of(planes[i], level), vertical=vertical) as (even, odd):
                    _lift(even, odd)

    Workers(min(n_threads(), len(planes))).run(len(planes), plane)


def _lift(even: npt.NDArray[Any], odd: npt.NDArray[Any]) -> None:
    """One level of the forward transform along the first axis."""
    if not len(odd):
        return
    for coefficient, target in zip(LIFTING, (odd, even, odd, even), strict=True):
        sums = neighbour_sums(even, odd, of_odd=target is even)
        sums *= even.dtype.type(coefficient * 2.0**-LIFTING_BITS)
        target += sums
