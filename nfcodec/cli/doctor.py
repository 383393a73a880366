"""`nfcodec doctor`: versions, engines and devices, and what is missing for what."""

from __future__ import annotations

import platform

import click

from nfcodec.cli import _console
from nfcodec.cli._options import verbose_option
from nfcodec.cli._verb import Verb
from nfcodec.fields.registry import FAMILIES
from nfcodec.lazy import load
from nfcodec.version import __version__

_REQUIRED = ("numpy", "pillow", "constriction", "zstandard", "click", "rich", "numba", "threadpoolctl")

_OPTIONAL = {
    "torch": "for GPUs and the engine torch: pip install 'nfcodec[torch]'",
    "triton": "for ngp in the engine cuda; comes with torch for CUDA",
    "tinycudann": "for the engine tinycudann: conda install -c conda-forge tiny-cuda-nn",
}


@click.command("doctor", cls=Verb)
@verbose_option
def command() -> None:
    """Show versions, what can be used for fitting, and what is missing for what."""
    rows = [("nfcodec", __version__), ("python", platform.python_version())]
    rows += [(name, _console.version(name) or "not installed, though nfcodec needs it") for name in _REQUIRED]
    rows += [(name, _console.version(name) or f"not installed; {use}") for name, use in _OPTIONAL.items()]
    rows += [("platform", platform.platform()), *_engines()]
    width = max(len(name) for name, _ in rows)
    _console.out("\n".join(f"{name:{width}}  {value}" for name, value in rows))


def _engines() -> list[tuple[str, str]]:
    try:
        from nfcodec.fitting import engines

        return [(f"engine {name}", f"{_fits(name)}: {status}") for name, status in engines.report()]
    except Exception as error:  # a broken torch is just what one runs the doctor for
        return [("engines", f"not available: {type(error).__name__}: {error}")]


def _fits(engine: str) -> str:
    """The families that an engine is for, in words."""
    found = [
        name
        for name, entry in FAMILIES.items()
        if any(engine in load(field).counterparts for field in entry.fields.values())
    ]
    return f"for {', '.join(found)}"
