"""Fitting engines. `create` makes one; what a field is to an engine, its counterpart, stands in the field's table.

A new engine is a class here and a line in `registry.ENGINES`; a new field names its counterparts, one for each engine
that is to fit it, and each is a class that the engine's module describes.
"""

from nfcodec.fitting.engines.base import Adam, Engine, Halt, Objective, Rates, Stats, gradient_seconds
from nfcodec.fitting.engines.registry import (
    check_installed,
    create,
    engine_names,
    for_request,
    has_cuda_device,
    report,
    usable,
)

__all__ = [
    "Adam",
    "Engine",
    "Halt",
    "Objective",
    "Rates",
    "Stats",
    "check_installed",
    "create",
    "engine_names",
    "for_request",
    "gradient_seconds",
    "has_cuda_device",
    "report",
    "usable",
]
