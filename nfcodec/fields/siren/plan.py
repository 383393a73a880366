"""Which SIREN to fit when the user names only the family, and the weights that a fit begins with."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace

import numpy as np

from nfcodec.exact.field import Parameters, Role
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.siren.field import OMEGA_0, Siren
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fitting.family import TileBytes
from nfcodec.fitting.problem import Problem

SAMPLES_PER_PARAMETER = 4
"""A SIREN with fewer samples for each parameter is memory, which K-FAC fills faster."""

PAPERS_DEPTH = 3
PARAMETERS_AT_50_DB, DB_PER_OCTAVE = 3.0, 10.0
"""Of a SIREN that memorises a gray picture: parameters a pixel, and how much lower a target halves them."""

COLORS_OVER_GRAY, LEAST_PERMUTED = 2.0, 2.0
"""A factor for pictures of three channels; and the fewest parameters a pixel of a permuted picture, for a gray one."""

WIDTHS = (16, 4096, 8)
"""Of a SIREN that memorises: the least, the largest, and what they are multiples of."""

MAX_WIDENINGS = 2
"""How often a field that cannot reach its target is fitted again, wider."""

PARAMETERS_PER_BYTE, RATE_DEPENDENCE = 0.56, 0.38
"""Of small SIRENs, for each byte that wavelets would take: the first over the bytes a pixel to the power of the second
(the power fitted to Kodak pictures at 30 dB). Only a first guess: a short fit corrects it."""

GROWTH, GROWTH_DB, DETAIL_DEPENDENCE, LARGEST_GROWTH = 3.84, 4.3, 0.4, 16.0
"""What fits usually make of the first guess: so many times the parameters at 30 dB, twice as many for so many dB more,
times a power of the parameters a pixel; at most so many. A plan of time goes by it."""

PARAMETERS_PER_TILE, HIDDEN_LAYERS, FREQUENCIES = 2450, 4, 8
MAX_TILES, MIN_TILE_SIDE = 255, 32
MIN_WIDTH, MAX_WIDTH = 8, 4096
"""Of a tile's network."""

LEAST_SHARE = 0.01
"""Of a tile with nothing in it, over the share that all tiles would have if they were alike."""


def is_small(field: Siren | TiledSiren, geometry: Geometry) -> bool:
    """Whether a field has far fewer parameters than the picture has samples."""
    return field.n_parameters(geometry) * SAMPLES_PER_PARAMETER <= geometry.n_pixels * geometry.channels


def default_siren(geometry: Geometry, permutes: bool, psnr_db: float) -> Siren:
    """The paper's depth, and a width that gives its 3 parameters a gray pixel at 50 dB, fewer at lower targets.

    A permuted picture must be memorised, so it gets no fewer than 2 a pixel.
    """
    per_pixel = PARAMETERS_AT_50_DB * 2 ** ((psnr_db - 50) / DB_PER_OCTAVE)
    per_pixel = max(per_pixel, LEAST_PERMUTED if permutes else 0.0)
    per_pixel *= COLORS_OVER_GRAY if geometry.channels == 3 else 1
    width, (least, largest, unit) = math.sqrt(per_pixel * geometry.n_pixels / PAPERS_DEPTH), WIDTHS
    return Siren(min(largest, max(least, unit * round(width / unit))), PAPERS_DEPTH)


def tiled_siren(geometry: Geometry, wavelet_bytes: TileBytes) -> TiledSiren | None:
    """A SIREN for each tile that may reach what wavelets reach; None for one that is out of range.

    Args:
        wavelet_bytes: tells how much there is to the picture, and where.

    Raises:
        FormatError: nothing tells.
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
    shares = np.maximum(n_bytes - overhead, LEAST_SHARE * total / len(n_bytes))
    siren = Siren(MIN_WIDTH, HIDDEN_LAYERS, FREQUENCIES)
    widths = [
        max(MIN_WIDTH, width_for(siren, geometry, n_parameters * share)) for share in (shares / shares.sum()).tolist()
    ]
    return TiledSiren(rows, cols, tuple(widths), HIDDEN_LAYERS, FREQUENCIES)


def grown(field: TiledSiren, geometry: Geometry, psnr_db: float) -> TiledSiren:
    """What short fits are likely to make of a first guess."""
    detail = field.n_parameters(geometry) / geometry.n_pixels
    growth = min(LARGEST_GROWTH, GROWTH * 2 ** ((psnr_db - 30) / GROWTH_DB) * detail**DETAIL_DEPENDENCE)
    tiles = field.tiles(geometry)
    sizes = [growth * tile.siren.n_parameters(tile.geometry) for tile in tiles]
    widths = [width_for(tile.siren, geometry, size) for tile, size in zip(tiles, sizes, strict=True)]
    return replace(field, widths=tuple(widths))


def width_for(field: Siren, geometry: Geometry, n_parameters: float) -> int:
    """The width that gives a SIREN, otherwise the same, about so many parameters."""

    def size(width: int) -> int:
        return replace(field, width=width).n_parameters(geometry)

    wider = min(MAX_WIDTH, max(2, bisect_left(range(MAX_WIDTH + 1), n_parameters, lo=1, key=size)))
    return min(wider - 1, wider, key=lambda width: abs(size(width) - n_parameters))


@dataclass(frozen=True)
class Start:
    """Factors on the paper's initial weights (Yeom et al. 2025); no part of the field.

    Attributes:
        init_scale: on those of the hidden layers.
        first_scale: on those of the first layer, which set the frequencies that there are at the start.
    """

    init_scale: float = 1.0
    first_scale: float = 1.0


PAPER = Start()

MEMORISING_SCALE, SCALE = 2.0, 1.5
"""Larger initial weights than the paper's make more frequencies; a field with fewer parameters than samples fits worse
with many of them."""

PAPERS_SIDE, SMALL_SIDE = 128, 250
"""Sides of a picture over which frequencies grow with it: of fields that memorise, and of small ones."""


def well_started(field: Siren, geometry: Geometry) -> Start:
    """Initial weights that fit detail in few steps, for a field that memorises."""
    memorises = field.n_parameters(geometry) >= geometry.n_pixels * geometry.channels
    scale = MEMORISING_SCALE if memorises else SCALE
    return Start(scale, scale * max(1.0, math.sqrt(geometry.n_pixels) / PAPERS_SIDE))


def small_start(geometry: Geometry) -> Start:
    """Initial weights for fewer parameters than samples: more frequencies in larger pictures."""
    return Start(first_scale=max(1.0, math.sqrt(geometry.n_pixels) / SMALL_SIDE))


def initial(field: Siren, geometry: Geometry, seed: int, start: Start = PAPER) -> Parameters:
    """First layer U(-1/2, 1/2), others U(+-sqrt(6 / fan_in) / omega_0), biases U(+-1 / sqrt(fan_in)) (paper)."""
    rng = np.random.default_rng(seed)
    parameters: Parameters = {}
    fan_in = 2
    for tensor in field.layout(geometry):
        if tensor.role is Role.MATRIX:
            fan_in = tensor.shape[1]
            bound = math.sqrt(6 / fan_in) / OMEGA_0
            bound *= 1.0 if tensor.name == "weight_out" else start.init_scale
            bound = 0.5 * start.first_scale if tensor.name == "weight0" else bound
        else:
            bound = 1 / math.sqrt(fan_in)
        parameters[tensor.name] = rng.uniform(-bound, bound, tensor.shape).astype(np.float32)
    return parameters


def initial_for(problem: Problem, seed: int, start: Start = PAPER) -> Parameters:
    """The same for a problem of a `Siren`: the last layer follows the mean and the scale of the targets."""
    assert isinstance(problem.field, Siren)
    parameters = initial(problem.field, problem.geometry, seed, start)
    parameters["weight_out"] *= math.sqrt(problem.gain)
    parameters["bias_out"] = problem.targets.mean(axis=0, dtype=np.float64).astype(np.float32)
    return parameters
