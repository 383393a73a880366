"""The engines for GPUs as they are, but for the device; what `engines.create` loads in their place."""

from __future__ import annotations

from nfcodec.fitting.engines.cuda.engine import CudaEngine
from nfcodec.fitting.engines.tinycudann import TcnnEngine


def cuda(problem, parameters, objective, seed, device):
    """The cuda engine, whose steps run one by one here."""
    return CudaEngine(problem, parameters, objective, seed, "cpu")


def tinycudann(problem, parameters, objective, seed, device):
    """The tinycudann engine, on a stand-in for the library."""
    return TcnnEngine(problem, parameters, objective, seed, "cpu")
