"""What kernels are given together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.uintp]


class Wanted(NamedTuple):
    """What outputs are compared with.

    Attributes:
        targets, samples: (C, H * W), of the outputs and of what they decode to.
        value_map: (C, 4): sign; first threshold; samples per unit of output, or 0 if thresholds must be searched; peak.
        thresholds: (C, peak), of sign * output.
        scale: of errors in the gradient.
        quantum: gradients see errors rounded to multiples of it; 0 for none.
        differentiate: whether to compute gradients as well.
    """

    targets: Floats
    samples: Floats
    value_map: Floats
    thresholds: Floats
    scale: np.float32
    quantum: np.float32
    differentiate: bool


class Found(NamedTuple):
    """What a task adds up.

    Attributes:
        weights, biases: gradients of the packed network.
        errors: (2,): the sums of squared errors of the outputs and of the decoded samples.
        outputs: (C, H * W), becomes the outputs; or (C, 0).
    """

    weights: Floats
    biases: Floats
    errors: npt.NDArray[np.float64]
    outputs: Floats


class Packed(NamedTuple):
    """A network's matrices, flat, the i-th at w_at[i], and their transposes; biases likewise."""

    weights: Floats
    transposed: Floats
    w_at: Indices
    biases: Floats
    b_at: Indices


class ReluNet(NamedTuple):
    """A ReLU network.

    Attributes:
        sizes: rows of the inputs, of each hidden layer, and of the outputs, all multiples of four.
        has_skip: whether there is a linear map beside the hidden layers; its matrix is at w_at[n_hidden + 1].
    """

    sizes: Indices
    n_hidden: np.uintp
    has_skip: bool
    packed: Packed


class Rows(NamedTuple):
    """Rows of pixels y0 .. y1 - 1."""

    y0: np.uintp
    y1: np.uintp


class Grid(NamedTuple):
    """Grid levels and where pixels fall in them; see `kernels.grids`.

    Attributes:
        levels: a row of columns for each.
        tables: of all levels, flat.
        steps: a quantizer step for each level, to round its entries to as they are read; 0 for none.
        row_cells, row_fractions, col_cells, col_fractions: (levels, H or W), of the hash levels.
    """

    levels: Indices
    tables: Floats
    steps: Floats
    row_cells: Indices
    row_fractions: Floats
    col_cells: Indices
    col_fractions: Floats


class Slopes(NamedTuple):
    """The gradient of the encoding of a chunk of rows.

    Attributes:
        y0: the first row; width: pixels a row.
        encoding: (features, pixels).
    """

    y0: np.uintp
    width: np.uintp
    encoding: Floats


class GridScratch(NamedTuple):
    """Scratch of a worker.

    Attributes:
        network: what a block of pixels takes on its way through a network and back.
        rows: two interpolated rows for each feature.
        cells: for each level, which rows of entries are there.
    """

    network: Floats
    rows: Floats
    cells: Indices


class AdamStep(NamedTuple):
    """Constants of one step of Adam; correction: 1 - beta^t."""

    rate: np.float32
    beta_1: np.float32
    beta_2: np.float32
    correction_1: np.float32
    correction_2: np.float32
    eps: np.float32


class Softening(NamedTuple):
    """How values are rounded softly.

    Attributes:
        step: of the quantizer; softness: from 0.35 (soft) to 0.08 (hard); key: uint32 that selects the noise.
    """

    step: np.float32
    softness: np.float32
    key: np.uint32
