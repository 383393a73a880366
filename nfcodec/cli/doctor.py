"""`nfcodec doctor`: versions, engines and devices."""

from __future__ import annotations

import platform

import click

from nfcodec.cli import _console
from nfcodec.cli._options import verbose_option
from nfcodec.cli._verb import Verb
from nfcodec.version import __version__

_DISTRIBUTIONS = (
    "numpy",
    "pillow",
    "constriction",
    "zstandard",
    "click",
    "rich",
    "torch",
    "numba",
    "triton",
    "tinycudann",
)


@click.command("doctor", cls=Verb)
@verbose_option
def command() -> None:
    """Show versions and what can be used for fitting."""
    rows = [("nfcodec", __version__), ("python", platform.python_version())]
    rows += [(name, _console.version(name) or "not installed") for name in _DISTRIBUTIONS]
    rows += [("platform", platform.platform()), *_engines()]
    width = max(len(name) for name, _ in rows)
    _console.out("\n".join(f"{name:{width}}  {value}" for name, value in rows))


def _engines() -> list[tuple[str, str]]:
    try:
        from nfcodec.fitting import engines

        return [(f"engine {name}", status) for name, status in engines.report()]
    except Exception as error:  # a broken torch is just what one runs the doctor for
        return [("engines", f"not available: {type(error).__name__}: {error}")]
