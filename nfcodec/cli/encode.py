"""`nfcodec encode`: an image file becomes an .nfc file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from nfcodec.cli import _console
from nfcodec.cli._extra import OUT, check_extra, write_extra
from nfcodec.cli._limits import limit_options
from nfcodec.cli._options import (
    STDIO,
    FieldChoice,
    FilePath,
    Transforms,
    check_output,
    default_output,
    input_name,
    is_nfc,
    json_option,
    named,
    overwrite_option,
    positive,
    quiet_option,
    read_file,
    reading,
    verbose_option,
    write_output,
)
from nfcodec.cli._pictures import frame_option, metadata_options, treated
from nfcodec.cli._verb import Verb
from nfcodec.fields.registry import field_names
from nfcodec.images.names import NFC_SUFFIX, is_picture_name
from nfcodec.limits import MAX_EFFORT, MAX_PSNR_DB

if TYPE_CHECKING:
    from nfcodec.images.files import Reading
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


@click.command(
    "encode",
    cls=Verb,
    pattern="*.png",
    lists={
        "Transforms, joined by +, of pixels and of their samples z, from 0 to 1": _transforms,
        "Keys of --json": lambda: _JSON_KEYS,
    },
    epilog="Example: nfcodec encode photo.png --psnr 38 --transform rpp",
)
@click.argument("source", metavar="IN", type=FilePath(0))
@click.argument("target", metavar="[OUT]", required=False, type=FilePath(1))
@click.option("--psnr", "psnr_db", type=float, callback=positive(MAX_PSNR_DB), metavar="DB",
              help="The PSNR that the decoded file is guaranteed to reach.  [default: 40]")  # fmt: skip
@click.option("--size", "size_bytes", type=click.IntRange(1), metavar="BYTES",
              help="Instead: the best PSNR in a file of at most so many bytes.")  # fmt: skip
@click.option("--bpp", type=float, callback=positive(), metavar="BITS",
              help="The same in bits a pixel.")  # fmt: skip
@click.option("--lossless", is_flag=True, help="Instead: decode to the very samples of IN.")
@click.option("--field", type=FieldChoice(field_names()), default="auto", show_default=True,
              help="What is fitted: wavelets (auto, where pixels keep their places), a table of the pixels (auto, where"
                   " the chain moves them), a SIREN, Instant-NGP, grids (auto, from effort 4 on, where they make the"
                   " smaller file), or nothing: the samples are packed (auto, where that is smaller). Of ngp all or"
                   " some sizes may be given: ngp:levels=8,table=18,features=2,hidden=64x64 (table: log2 of a level's"
                   " entries).")  # fmt: skip
@click.option("--transform", type=Transforms(), default="none", show_default=True, metavar="CHAIN",
              help="Applied before the fit, undone by the decoder: none, or transforms joined by + (rpp,"
                   " standardize+rpp, gamma:2); see below.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, metavar="N",
              help="Seed of the random order (rpp), and of initial weights and noise where gradient steps are"
                   " taken; where there is neither it changes nothing.")  # fmt: skip
@click.option(
    "-e", "--effort", type=click.IntRange(1, MAX_EFFORT), default=5, show_default=True, help="1 fast, 9 small."
)
@click.option("--fast", is_flag=True, help="The same as -e 1.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--engine", default="auto", show_default=True, metavar="NAME", help="See `nfcodec doctor`.")
@click.option("--max-steps", type=click.IntRange(1), metavar="N", help="Stop the fit after N steps.")
@click.option("--time-limit", "time_limit_s", type=float, callback=positive(), metavar="S",
              help="Spend as much effort, up to -e, as S seconds allow on this machine, beside the time to load and"
                   " compile. Where even the least takes longer, steps and searches are cut short.")  # fmt: skip
@click.option("--best-effort", is_flag=True, help="Write the best file even if it misses the PSNR.")
@click.option(REPORT, "page", type=FilePath(1), metavar="HTML",
              help="Also write a page for a browser: how the fit went, where the bits are, what was lost.")  # fmt: skip
@frame_option("IN")
@metadata_options
@limit_options
@overwrite_option
@json_option
@quiet_option
@verbose_option
@click.pass_context
def command(
    ctx: click.Context,
    source: str,
    target: str | None,
    page: str | None,
    frame: int | None,
    strip: bool,
    upright: bool,
    overwrite: bool,
    as_json: bool,
    limits: Limits,
    **options: Any,
) -> None:
    """Encode the image IN (PNG, JPEG, ... or .npy) as OUT, by default IN with the suffix .nfc.

    OUT is written only if it decodes to the PSNR asked for, or has the size asked for; otherwise the exit code is 5
    and there is no file. It is 6 for a file that decoders would refuse, if they do not raise their limits.
    """
    if target is not None and is_picture_name(target):
        many = f"; {ctx.command.for_many()}" if isinstance(ctx.command, Verb) else ""
        raise click.UsageError(f"{target} has the name of a picture, but encode writes an .nfc file{many}")
    out = default_output(source, target, NFC_SUFFIX)
    if out == STDIO and as_json:
        raise click.UsageError("--json and the .nfc file cannot both go to standard output; name OUT")
    if page is not None:
        check_extra(REPORT, page, {"IN": source, OUT: out}, overwrite, (".html",))
    notes: list[str] = []
    raster = _read(source, limits, reading(source, frame, notes.append))
    raster = treated(raster, source, strip, upright, notes.append)
    check_output(source, out, overwrite)

    if options.pop("fast"):
        options["effort"] = 1
    import threading

    from nfcodec.cli import _encoded, _report
    from nfcodec.codec import EncodeOptions, bound_bytes, encode
    from nfcodec.pages.recording import Recording

    encode_options = EncodeOptions(**options)
    sizes: list[int] = []
    as_png = threading.Thread(target=lambda: sizes.append(_png_bytes(raster)), daemon=True)
    as_png.start()  # as it takes seconds of a large picture
    with _console.progress() as on_event:
        recording = None if page is None else Recording(on_event)
        encoded = encode(raster, encode_options, recording or on_event, limits)
    as_png.join()
    png_bytes = sizes[0] if sizes else _png_bytes(raster)
    target_db = encoded.report["target_psnr_db"]
    bound = None if target_db is None else bound_bytes(raster, options["transform"], target_db)
    report: dict[str, Any] = {"path": out, **encoded.report, "png_bytes": png_bytes, "bound_bytes": bound}
    made = None if recording is None else _report.page(raster, encoded, report, recording, input_name(source), limits)
    write_output(out, encoded.data, overwrite)  # when all that takes time is done: from here on nothing can stop it
    if page and made:
        write_extra(page, made, overwrite)
    if not report["reached"]:
        _console.warning(f"the target of {_encoded.target(report)} is not reached")
    if as_json:
        _console.out_json(report)
    if _console.verbosity() > 0:
        settings = _encoded.settings(report["recipe"])
        _console.note(f"recipe of effort {report['effort']} for {report['field']}: {settings}")
    about_file = _encoded.note(report), _encoded.note_on_seed(options["seed"], report)
    for each in [*notes, *filter(None, about_file)]:
        _console.remark(each)
    _console.note(_encoded.summary("standard output" if out == STDIO else out, report))


def _read(source: str, limits: Limits, how: Reading) -> Raster:
    from nfcodec.errors import ImageReadError
    from nfcodec.images.files import picture_start, raster_from_bytes

    name = input_name(source)
    check_picture = picture_start(name)

    def check(head: bytes) -> None:
        if is_nfc(head):
            raise ImageReadError(f"{name} is an .nfc file already; `nfcodec decode` makes a picture of it")
        check_picture(head)

    data = read_file(source, check, limits)
    with named(source):
        return raster_from_bytes(data, limits, name, how)


def _png_bytes(raster: Raster) -> int:
    """What the picture takes as a PNG without metadata, with a palette where that is smaller."""
    from dataclasses import replace

    from nfcodec.images.files import image_bytes
    from nfcodec.images.indexed import indexed_png

    bare = replace(raster, metadata={})
    return min(len(made) for made in (image_bytes(bare, "png"), indexed_png(bare)) if made is not None)
