"""`nfcodec info`: what a header says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nfcodec.cli import _console
from nfcodec.cli._limits import limit_options
from nfcodec.cli._options import FilePath, json_option, named, read_nfc, verbose_option
from nfcodec.cli._verb import Verb

if TYPE_CHECKING:
    from nfcodec.limits import Limits


@click.command("info", cls=Verb, pattern="*.nfc")
@click.argument("source", metavar="IN", type=FilePath(0))
@limit_options
@json_option
@verbose_option
def command(source: str, as_json: bool, limits: Limits) -> None:
    """Show what the .nfc file IN says about itself, without decoding it.

    The seed is that of the random order (rpp), without which there is none; no file holds the seed of gradient steps.
    """
    from nfcodec.codec import inspect

    data = read_nfc(source, limits)
    with named(source):
        info = inspect(data, limits).to_dict()
    if as_json:
        _console.out_json({"path": source, **info})
        return
    rows = {"path": source, **_readable(info)}
    width = max(map(len, rows))
    _console.out("\n".join(f"{name:{width}}  {value}" for name, value in rows.items()))


def _readable(info: dict[str, Any]) -> dict[str, str]:
    rows: dict[str, str] = {}
    for key, value in info.items():
        if isinstance(value, float):
            text = f"{value:.4f}".rstrip("0").rstrip(".")
        elif isinstance(value, dict):
            text = ", ".join(f"{name} {item}" for name, item in value.items())  # pyright: ignore[reportUnknownVariableType]
        elif isinstance(value, list | tuple):
            text = ", ".join(map(str, value)) or "none"  # pyright: ignore[reportUnknownArgumentType]
        else:
            text = {"None": "-", "True": "yes", "False": "no"}.get(str(value), str(value))
        rows[key.replace("_", " ")] = text
    return rows
