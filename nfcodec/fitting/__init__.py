"""Fitting a field to a transformed picture, up to quantized weights that reach the target."""

from nfcodec.fitting.events import Event, Listener, ignore
from nfcodec.fitting.plan import candidates, wavelet_ngp
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.rate import smallest_payload
from nfcodec.fitting.small import SmallFit
from nfcodec.fitting.solution import Request, Solution
from nfcodec.fitting.solve import solve
from nfcodec.fitting.wavelet_bytes import WaveletBytes

__all__ = [
    "Event",
    "Listener",
    "Problem",
    "Request",
    "SmallFit",
    "Solution",
    "WaveletBytes",
    "candidates",
    "ignore",
    "smallest_payload",
    "solve",
    "wavelet_ngp",
]
