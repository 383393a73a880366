"""FINER: sines whose frequency grows with their argument (Liu et al., CVPR 2024, arXiv 2312.02434)."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.plain.fields.siren import OMEGA_0, Siren


class Finer(Siren):
    """sin(30 (|z| + 1) z) with z = W x + b, else as a SIREN.

    As in the authors' code (github.com/liuzhen0212/FINER), gradients take |z| + 1 for a constant, and its script for
    images (run_finer.sh) leaves the biases of the first layer as torch draws them.
    """

    def activation(self, z: Tensor) -> Tensor:
        return torch.sin(OMEGA_0 * (z.detach().abs() + 1) * z)
