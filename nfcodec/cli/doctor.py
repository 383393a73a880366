"""`nfcodec doctor`: versions, engines and devices, and what is missing for what."""

from __future__ import annotations

import platform
from typing import Any

import click

from nfcodec.cli import _console
from nfcodec.cli._options import json_option, verbose_option
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

_WITHOUT = "no: this Pillow was made without it"

NOT_AVAILABLE = "not available: "
"""How the status of an engine begins that cannot be used."""


@click.command("doctor", cls=Verb, short_help="Show what is installed and what is missing.")
@json_option
@verbose_option
def command(as_json: bool) -> None:
    """Show versions, what can be used for fitting, and what is missing for what."""
    packages = {name: _console.version(name) for name in (*_REQUIRED, *_OPTIONAL)}
    engines, problem = _engines()
    kinds = _kinds()
    if as_json:
        _console.out_json(
            {
                "nfcodec": __version__,
                "python": platform.python_version(),
                "platform": platform.platform(),
                "packages": packages,
                "images": kinds,
                "engines": engines,
                "engines_problem": problem,
            }
        )
        return
    lacking = {**dict.fromkeys(_REQUIRED, "though nfcodec needs it"), **_OPTIONAL}
    rows = [("nfcodec", __version__), ("python", platform.python_version())]
    rows += [(name, found or _not_installed(name, lacking[name])) for name, found in packages.items()]
    rows += [("platform", platform.platform())]
    rows += [(f"images {name}", "yes" if there else _WITHOUT) for name, there in kinds.items()]
    rows += [(f"engine {name}", f"for {', '.join(each['fields'])}: {each['status']}") for name, each in engines.items()]
    rows += [("engines", f"not available: {problem}")] if problem else []
    width = max(len(name) for name, _ in rows)
    _console.out("\n".join(f"{name:{width}}  {value}" for name, value in rows))


def _not_installed(name: str, why: str) -> str:
    return f"not installed, {why}" if name in _REQUIRED else f"not installed; {why}"


def _kinds() -> dict[str, bool]:
    """What Pillow may have been made without."""
    from nfcodec.images.outputs import parts_of_pillow

    return parts_of_pillow()


def _engines() -> tuple[dict[str, dict[str, Any]], str | None]:
    """What each engine is for and whether it can be used; and what is wrong where none can be asked."""
    try:
        from nfcodec.fitting import engines

        return {
            name: {"usable": not status.startswith(NOT_AVAILABLE), "fields": _fits(name), "status": status}
            for name, status in engines.report()
        }, None
    except Exception as error:  # a broken torch is just what one runs the doctor for
        return {}, f"{type(error).__name__}: {error}"


def _fits(engine: str) -> list[str]:
    """The families that an engine is for."""
    return [
        name
        for name, entry in FAMILIES.items()
        if any(engine in load(field).counterparts for field in entry.fields.values())
    ]
