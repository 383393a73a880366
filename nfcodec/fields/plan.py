"""Which field to fit when the user names only its kind."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nfcodec.errors import UsageError
from nfcodec.exact.field import FieldSpec
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import DenseLevel
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fields.wavelet.field import WaveletLevel

MAX_LOG2_STRIDE = 6
MAX_WAVELET_LEVELS = 6
HIDDEN_WIDTH = 16
N_FILTERS = (16, 32, 64, 128)
MIN_WIDTH, MAX_WIDTH = 8, 4096
SAMPLES_PER_PARAMETER = 4
"""A SIREN with fewer samples for each parameter is memory, which K-FAC fills faster."""

PARAMETERS_PER_BYTE, RATE_DEPENDENCE = 0.56, 0.38
"""Of small SIRENs, for each byte that wavelet levels would take: the first over the bytes a pixel to the power of the
second (the power fitted to Kodak pictures at 30 dB). Only a first guess: a short fit corrects it."""

PARAMETERS_PER_TILE, HIDDEN_LAYERS, FREQUENCIES = 2450, 4, 8
MAX_TILES, MIN_TILE_SIDE = 255, 32


def candidates(
    field: str | FieldSpec,
    geometry: Geometry,
    permutes: bool,
    psnr_db: float,
    wavelets: bool = True,
    wavelet_bytes: Callable[[int, int], Sequence[float]] = lambda rows, cols: [math.inf] * (rows * cols),
) -> list[FieldSpec]:
    """Fields to choose from; the solver takes the one that promises the smallest file, of SIRENs the first that does.

    Args:
        field: "ngp", "siren", or a field, which is then the only candidate.
        permutes: whether the chain moves pixels.
        wavelets: whether the engine can fit wavelet levels.
        wavelet_bytes: about what a field of wavelet levels would take for each tile of a grid of so many rows and
            columns, row by row; tells how much there is to a picture, and where.

    Raises:
        UsageError: an unknown field name.
    """
    if isinstance(field, FieldSpec):
        return [field]
    if field == "siren":
        large = default_siren(geometry, permutes, psnr_db)
        small = None if permutes else tiled_siren(geometry, wavelet_bytes)
        return [small, large] if small and is_small(small, geometry) else [large]
    if field == "ngp":
        if permutes:
            return [default_ngp(geometry), table_ngp(geometry)]
        return wavelet_ngps(geometry) if wavelets else [default_ngp(geometry)]
    raise UsageError(f"unknown field {field!r}; known: ngp, siren")


def default_ngp(geometry: Geometry) -> Ngp:
    """Dense dyadic levels from a stride of 64 pixels (less for small pictures) to every pixel, one residual layer."""
    shorter = min(geometry.height, geometry.width)
    coarsest = min(MAX_LOG2_STRIDE, max(0, math.ceil(math.log2(shorter)) - 1))
    levels = tuple(DenseLevel(s, geometry.channels) for s in range(coarsest, -1, -1))
    return Ngp(levels, hidden=(HIDDEN_WIDTH,) if geometry.n_pixels >= 4096 else (), bias=True, skip=True)


def wavelet_ngp(geometry: Geometry) -> Ngp:
    """One wavelet level, down to bands of a few coefficients, and a linear map of colours."""
    shorter = min(geometry.height, geometry.width)
    n_levels = min(MAX_WAVELET_LEVELS, max(0, shorter.bit_length() - 3))
    return Ngp((WaveletLevel(n_levels, geometry.channels),), hidden=(), bias=True, skip=True)


def wavelet_ngps(geometry: Geometry) -> list[FieldSpec]:
    """The same without and with the filters that ship with the package, from few to all."""
    plain = wavelet_ngp(geometry)
    return [plain, *(replace(plain, hidden=(n_filters,), shipped=True) for n_filters in N_FILTERS)]


def table_ngp(geometry: Geometry) -> Ngp:
    """One entry a pixel and a linear map: for permuted pictures, whose pixels say nothing about each other."""
    return Ngp((DenseLevel(0, geometry.channels),), hidden=(), bias=True, skip=True)


def tiled_siren(geometry: Geometry, wavelet_bytes: Callable[[int, int], Sequence[float]]) -> TiledSiren | None:
    """A SIREN for each tile that may reach what wavelet levels reach; None for one that is out of range.

    Args:
        wavelet_bytes: see `candidates`.
    """
    total = wavelet_bytes(1, 1)[0]
    n_parameters = PARAMETERS_PER_BYTE * total * (total / geometry.n_pixels) ** -RATE_DEPENDENCE
    if not 0 < n_parameters < geometry.n_pixels * geometry.channels:
        return None
    n_tiles = max(1.0, n_parameters / PARAMETERS_PER_TILE)
    aspect = geometry.width / geometry.height
    rows, cols = (
        max(1, min(MAX_TILES, round(math.sqrt(n_tiles * slope)), n // MIN_TILE_SIDE))
        for slope, n in ((1 / aspect, geometry.height), (aspect, geometry.width))
    )
    n_bytes = np.array(wavelet_bytes(rows, cols))
    overhead = max(0.0, (float(n_bytes.sum()) - total) / len(n_bytes))  # of a picture of its own
    shares = np.maximum(n_bytes - overhead, 0.01 * total / len(n_bytes))
    siren = Siren(MIN_WIDTH, HIDDEN_LAYERS, frequencies=FREQUENCIES)
    widths = [
        max(MIN_WIDTH, width_for(siren, geometry, n_parameters * share)) for share in (shares / shares.sum()).tolist()
    ]
    return TiledSiren(rows, cols, tuple(widths), HIDDEN_LAYERS, FREQUENCIES)


def width_for(spec: Siren, geometry: Geometry, n_parameters: float) -> int:
    """The width that gives a SIREN, otherwise the same, about so many parameters."""

    def size(width: int) -> int:
        return replace(spec, width=width).n_parameters(geometry)

    wider = min(MAX_WIDTH, max(2, bisect_left(range(MAX_WIDTH + 1), n_parameters, lo=1, key=size)))
    return min(wider - 1, wider, key=lambda width: abs(size(width) - n_parameters))


def small_siren(spec: Siren, geometry: Geometry) -> Siren:
    """The same field with initial weights for fewer parameters than samples: more frequencies in larger pictures."""
    return replace(spec, first_scale=max(1.0, math.sqrt(geometry.n_pixels) / 250))


def is_small(spec: FieldSpec, geometry: Geometry) -> bool:
    """Whether a field is a SIREN, or tiles of them, with far fewer parameters than the picture has samples."""
    n_samples = geometry.n_pixels * geometry.channels
    return isinstance(spec, Siren | TiledSiren) and spec.n_parameters(geometry) * SAMPLES_PER_PARAMETER <= n_samples


def default_siren(geometry: Geometry, permutes: bool, psnr_db: float) -> Siren:
    """The paper's depth, and a width that gives its 3 parameters a gray pixel at 50 dB, fewer at lower targets.

    A permuted picture must be memorised, so it gets no fewer than 2 a pixel.
    """
    per_pixel = 3.0 * 2 ** ((psnr_db - 50) / 10)
    per_pixel = max(per_pixel, 2.0 if permutes else 0.0) * (2 if geometry.channels == 3 else 1)
    width = math.sqrt(per_pixel * geometry.n_pixels / 3)
    return well_started(Siren(min(4096, max(16, 8 * round(width / 8))), hidden_layers=3), geometry)


def well_started(spec: Siren, geometry: Geometry) -> Siren:
    """The same field with initial weights that fit detail in few steps (docs/decisions.md).

    Larger ones than the paper's make more frequencies, the first layer's as many more as the picture is larger; but a
    field with fewer parameters than samples fits worse with many of them.
    """
    memorises = spec.n_parameters(geometry) >= geometry.n_pixels * geometry.channels
    scale = 2.0 if memorises else 1.5
    return replace(spec, init_scale=scale, first_scale=scale * max(1.0, math.sqrt(geometry.n_pixels) / 128))
