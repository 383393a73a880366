"""Fitting a field to a transformed picture, up to quantized weights that reach the target."""

from nfcodec.fitting.events import Event, Listener, ignore
from nfcodec.fitting.plan import candidates
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.rate import smallest_payload
from nfcodec.fitting.solution import Request, Solution
from nfcodec.fitting.solve import promised_bytes, solve

__all__ = [
    "Event",
    "Listener",
    "Problem",
    "Request",
    "Solution",
    "candidates",
    "ignore",
    "promised_bytes",
    "smallest_payload",
    "solve",
]
