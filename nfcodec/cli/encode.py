"""`nfcodec encode`: image files become .nfc files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from nfcodec.cli._extra import OUT, check_extra
from nfcodec.cli._inputs import given
from nfcodec.cli._limits import limit_options
from nfcodec.cli._many import run
from nfcodec.cli._options import (
    STDIO,
    FieldChoice,
    FilePath,
    Many,
    Transforms,
    input_name,
    is_nfc,
    json_option,
    many_options,
    named,
    output_option,
    overwrite_option,
    positive,
    quiet_option,
    reading,
    recursive_option,
    verbose_option,
)
from nfcodec.cli._pictures import frame_option, metadata_options, treated
from nfcodec.cli._verb import Verb
from nfcodec.cli._work import Job, Made, Work
from nfcodec.errors import ImageReadError
from nfcodec.fields.registry import field_names, field_usages
from nfcodec.images.names import NFC_SUFFIX, READ_SUFFIXES, is_nfc_name, is_picture_name
from nfcodec.limits import MAX_EFFORT, MAX_PSNR_DB

if TYPE_CHECKING:
    from nfcodec.fitting.request import Listener
    from nfcodec.limits import Limits
    from nfcodec.raster import Raster

REPORT = "--report"

_JSON_KEYS = {
    "fitted": "How the weights came about, in words.",
    "effort": "What was spent: that of --effort, or less where --time-limit is short or a quick file is the best.",
    "steps": "Gradient steps in all; 0 where the weights were solved in closed form or nothing was fitted.",
    "fit_steps": "Those of them that fitted the weights; the others fine-tuned the rounded weights.",
    "engine": "What took the steps; null where there were none, or none that brought anything.",
    "seed": "The --seed that the bytes depend on; null where nothing in them is random.",
    "tried": "Field, effort, bytes and PSNR of all files that were compared, that which was kept among them.",
    "png_bytes": "The size of the picture as a PNG without metadata, with a palette where that is smaller.",
    "bound_bytes": "Lower bound for the size, where pixels are in a random order (rpp); else null.",
    "error, code, kind, reason": "Nothing but these, if there is no file: the message, the exit code, the class of the "
    "error, and which check refused.",
}
"""Those that do not explain themselves."""


def _transforms() -> Mapping[str, str]:
    from nfcodec.transforms import usages

    return usages()


@dataclass(frozen=True)
class Encode(Work):
    """Encoding with options."""

    options: Mapping[str, Any]
    limits: Limits
    frame: int | None = None
    strip: bool = False
    upright: bool = False
    page: str | None = None

    input_suffixes = tuple(READ_SUFFIXES)
    done = "encoded"
    tells = True

    @property
    def suffix(self) -> str:
        return NFC_SUFFIX

    def refuse(self, source: str) -> None:
        if is_nfc_name(source):
            raise ImageReadError(f"{source} has the name of an .nfc file, but encode takes pictures")

    def check_start(self, head: bytes, source: str) -> None:
        from nfcodec.images.files import picture_start

        name = input_name(source)
        if is_nfc(head):
            raise ImageReadError(f"{name} is an .nfc file already; `nfcodec decode` makes a picture of it")
        picture_start(name)(head)

    def check_extras(self, job: Job, overwrite: bool) -> None:
        if self.page is not None:
            check_extra(REPORT, self.page, {"IN": job.source, OUT: str(job.target)}, overwrite, (".html",))

    def open(self, data: bytes, job: Job) -> tuple[Raster, list[str]]:
        """Return the picture, and remarks on it."""
        from nfcodec.images.files import raster_from_bytes

        source, notes = job.source, list[str]()
        with named(source):
            raster = raster_from_bytes(data, self.limits, input_name(source), reading(source, self.frame, notes.append))
        return treated(raster, source, self.strip, self.upright, notes.append), notes

    def make(self, opened: tuple[Raster, list[str]], job: Job, listen: Listener | None) -> Made:
        import threading

        from nfcodec.cli import _encoded, _report
        from nfcodec.codec import EncodeOptions, bound_bytes, encode
        from nfcodec.pages.recording import Recording

        (raster, notes), options = opened, EncodeOptions(**self.options)
        sizes: list[int] = []
        as_png = threading.Thread(target=lambda: sizes.append(_png_bytes(raster)), daemon=True)
        as_png.start()  # as it takes seconds of a large picture
        recording = None if self.page is None else Recording(listen)
        encoded = encode(raster, options, recording or listen, self.limits)
        as_png.join()
        png_bytes = sizes[0] if sizes else _png_bytes(raster)
        target_db = encoded.report["target_psnr_db"]
        bound = None if target_db is None else bound_bytes(raster, options.transform, target_db)
        report: dict[str, Any] = {"path": job.target, **encoded.report, "png_bytes": png_bytes, "bound_bytes": bound}
        settings = _encoded.settings(report["recipe"])
        extras: dict[str, bytes] = {}
        if self.page is not None and recording is not None:
            name = input_name(job.source)
            extras[self.page] = _report.page(raster, encoded, report, recording, name, self.limits)
        about_file = _encoded.note(report), _encoded.note_on_seed(options.seed, report)
        missed = f"the target of {_encoded.target(report)} is not reached"
        return Made(
            report,
            encoded.data,
            extras,
            summary=_encoded.summary("standard output" if job.target == STDIO else str(job.target), report),
            notes=[*notes, *filter(None, about_file)],
            details=[f"recipe of effort {report['effort']} for {report['field']}: {settings}"],
            warnings=[] if report["reached"] else [missed],
        )


@click.command(
    "encode",
    cls=Verb,
    short_help="Encode pictures as .nfc files.",
    lists={
        "Fields": field_usages,
        "Transforms, joined by +, of pixels and of their samples z, from 0 to 1": _transforms,
        "Keys of --json": lambda: _JSON_KEYS,
    },
    epilog="Example: nfcodec encode photo.png photo.nfc --psnr 40, or: nfcodec encode *.png -o small -j 4",
)
@click.argument("paths", metavar="IN... [OUT]", nargs=-1, required=True, type=FilePath(0))
@output_option
@click.option("--psnr", "psnr_db", type=float, callback=positive(MAX_PSNR_DB), metavar="DB",
              help="The PSNR that the decoded picture has at least, in decibels: at 30 it looks rough, at 40 it is"
                   " hard to tell from the original.  [default: 40]")  # fmt: skip
@click.option("--size", "size_bytes", type=click.IntRange(1), metavar="BYTES",
              help="Instead: the best PSNR in a file of at most so many bytes.")  # fmt: skip
@click.option("--bpp", type=float, callback=positive(), metavar="BITS",
              help="The same in bits a pixel.")  # fmt: skip
@click.option("--lossless", is_flag=True, help="Instead: decode to the very samples of IN.")
@click.option("--field", type=FieldChoice(field_names()), default="auto", show_default=True,
              help="What is fitted to the picture; the fields are listed below.")  # fmt: skip
@click.option("--transform", type=Transforms(), default="none", show_default=True, metavar="CHAIN",
              help="Changes the picture before the fit, and is undone by the decoder: none, or transforms joined by +"
                   " (rpp, standardize+rpp, gamma:2), which are listed below.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, metavar="N",
              help="Seed of the random order (rpp), and of initial weights and noise where gradient steps are"
                   " taken; where there is neither it changes nothing.")  # fmt: skip
@click.option(
    "-e",
    "--effort",
    type=click.IntRange(1, MAX_EFFORT),
    default=5,
    show_default=True,
    help="How hard to try: 1 is fast, 9 makes the smallest files.",
)
@click.option("--fast", is_flag=True, help="The same as -e 1.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
              help="Where gradient steps are taken.")  # fmt: skip
@click.option("--engine", default="auto", show_default=True, metavar="NAME",
              help="What takes the gradient steps; `nfcodec doctor` lists what there is.")  # fmt: skip
@click.option("--max-steps", type=click.IntRange(1), metavar="N", help="Stop the fit after N gradient steps.")
@click.option("--time-limit", "time_limit_s", type=float, callback=positive(), metavar="S",
              help="Spend as much effort, up to -e, as S seconds allow on this machine, beside the time to load and"
                   " compile. Where even the least takes longer, steps and searches are cut short.")  # fmt: skip
@click.option("--best-effort", is_flag=True, help="Write the best file even if it misses the PSNR or the size.")
@click.option(REPORT, "page", type=FilePath(1), metavar="HTML",
              help="Also write a page for a browser: how the fit went, where the bits are, what was lost.")  # fmt: skip
@frame_option("IN")
@metadata_options
@recursive_option
@many_options
@limit_options
@overwrite_option
@json_option
@quiet_option
@verbose_option
def command(
    paths: tuple[str, ...],
    output: str | None,
    recursive: bool,
    overwrite: bool,
    as_json: bool,
    limits: Limits,
    many: Many,
    fast: bool,
    frame: int | None,
    strip: bool,
    upright: bool,
    page: str | None,
    **options: Any,
) -> int:
    """Encode the picture IN as the .nfc file OUT, by fitting a field to it; or many pictures.

    IN is a PNG, a JPEG, a picture of another common format, or a NumPy array in .npy. OUT is by default IN with the
    suffix .nfc.

    Several IN, or one and -o with a directory, go each to a file of their own. Those that exist are skipped.

    A file is written only if it decodes to the PSNR asked for, or has the size asked for; otherwise the exit code is 5
    and there is no file. It is 6 for a file that decoders would refuse, if they do not raise their limits.
    """
    files = given(paths, output, recursive, is_picture_name)
    if files.target is not None and is_picture_name(files.target):
        raise click.UsageError(
            f"{files.target} has the name of a picture, but encode writes an .nfc file; for many pictures: nfcodec"
            " encode *.png -o DIR"
        )
    if fast:
        options["effort"] = 1
    if files.is_many or many.ray is not None:
        from nfcodec.codec import EncodeOptions

        EncodeOptions(**options)  # what makes no sense makes none for all of them
        if page is not None:
            raise click.UsageError(f"{REPORT} is for one file that is encoded here")
    return run(Encode(options, limits, frame, strip, upright, page), files, many, overwrite)


def _png_bytes(raster: Raster) -> int:
    """What the picture takes as a PNG without metadata, with a palette where that is smaller."""
    from dataclasses import replace

    from nfcodec.images.files import image_bytes
    from nfcodec.images.indexed import indexed_png

    bare = replace(raster, metadata={})
    return min(len(made) for made in (image_bytes(bare, "png"), indexed_png(bare)) if made is not None)
