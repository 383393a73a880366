"""`nfcodec info`: what headers say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from nfcodec.cli._inputs import given
from nfcodec.cli._limits import limit_options
from nfcodec.cli._many import run
from nfcodec.cli._options import FilePath, Many, json_option, named, recursive_option, verbose_option
from nfcodec.cli._verb import Verb
from nfcodec.cli._work import Job, Made, Work
from nfcodec.images.names import NFC_SUFFIX

if TYPE_CHECKING:
    from nfcodec.fitting.request import Listener
    from nfcodec.limits import Limits


@dataclass(frozen=True)
class Inspect(Work):
    """Reading headers."""

    limits: Limits

    input_suffixes = (NFC_SUFFIX,)
    is_quick = True

    def check_start(self, head: bytes, source: str) -> None:
        from nfcodec.format import check_start

        check_start(head)

    def open(self, data: bytes, job: Job) -> bytes:
        return data

    def make(self, opened: bytes, job: Job, listen: Listener | None) -> Made:
        from nfcodec.codec import inspect

        with named(job.source):
            info = inspect(opened, self.limits).to_dict()
        rows = {"path": job.source, **_readable(info)}
        width = max(map(len, rows))
        text = "\n".join(f"{name:{width}}  {value}" for name, value in rows.items())
        return Made({"path": job.source, **info}, text=text)


@click.command("info", cls=Verb, short_help="Show what .nfc files say of themselves.")
@click.argument("paths", metavar="IN...", nargs=-1, required=True, type=FilePath(0))
@recursive_option
@limit_options
@json_option
@verbose_option
def command(paths: tuple[str, ...], recursive: bool, as_json: bool, limits: Limits) -> int:
    """Show what each .nfc file IN says about itself, without decoding it.

    The seed is that of the random order (rpp), without which there is none; no file holds the seed of gradient steps.
    """
    return run(Inspect(limits), given(paths, None, recursive, None), Many())


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
