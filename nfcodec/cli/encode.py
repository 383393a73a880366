"""`nfcodec encode`: an image file becomes an .nfc file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from nfcodec.cli import _console
from nfcodec.cli._options import (
    NFC_SUFFIX,
    STDIO,
    check_output,
    default_output,
    input_name,
    json_option,
    overwrite_option,
    positive,
    quiet_option,
    read_input,
    verbose_option,
    write_output,
)
from nfcodec.fields.registry import field_names
from nfcodec.limits import MAX_EFFORT, MAX_PSNR_DB

if TYPE_CHECKING:
    from nfcodec.codec import Encoded
    from nfcodec.raster import Raster


@click.command("encode", epilog="Example: nfcodec encode photo.png --psnr 38 --transform rpp")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="[OUT]", required=False)
@click.option("--psnr", "psnr_db", type=float, callback=positive(MAX_PSNR_DB), metavar="DB",
              help="The PSNR that the decoded file is guaranteed to reach.  [default: 40]")  # fmt: skip
@click.option("--size", "size_bytes", type=click.IntRange(1), metavar="BYTES",
              help="Instead: the best PSNR in a file of at most so many bytes.")  # fmt: skip
@click.option("--bpp", type=float, callback=positive(), metavar="BITS",
              help="The same in bits a pixel.")  # fmt: skip
@click.option("--lossless", is_flag=True, help="Instead: decode to the very samples of IN.")
@click.option("--field", type=click.Choice(field_names()), default="auto", show_default=True,
              help="What is fitted: wavelets (auto, where pixels keep their places), a table of the pixels (auto, where"
                   " the chain moves them), a SIREN, or Instant-NGP.")  # fmt: skip
@click.option("--transform", default="none", show_default=True, metavar="CHAIN",
              help="Applied before the fit, undone by the decoder: none, or names joined by + (rpp, standardize+rpp,"
                   " gamma:2).")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, metavar="N",
              help="Seed of the permutation and the initial weights.")  # fmt: skip
@click.option(
    "-e", "--effort", type=click.IntRange(1, MAX_EFFORT), default=5, show_default=True, help="1 fast, 9 small."
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--engine", default="auto", show_default=True, metavar="NAME", help="See `nfcodec doctor`.")
@click.option("--max-steps", type=click.IntRange(1), metavar="N", help="Stop the fit after N steps.")
@click.option(
    "--time-limit", "time_limit_s", type=float, callback=positive(), metavar="S", help="Stop the fit after S seconds."
)
@click.option("--best-effort", is_flag=True, help="Write the best file even if it misses the PSNR.")
@overwrite_option
@json_option
@quiet_option
@verbose_option
def command(source: str, target: str | None, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Encode the image IN (PNG, JPEG, ... or .npy) as OUT, by default IN with the suffix .nfc.

    OUT is written only if it decodes to the PSNR asked for, or has the size asked for; otherwise the exit code is 5
    and there is no file.
    """
    out = default_output(source, target, NFC_SUFFIX)
    if out == STDIO and as_json:
        raise click.UsageError("--json and the .nfc file cannot both go to standard output; name OUT")
    from nfcodec.images.files import raster_from_bytes

    data = read_input(source)
    raster = raster_from_bytes(data, name=input_name(source))
    check_output(out, overwrite)

    from nfcodec.codec import EncodeOptions, bound_bytes, encode

    encode_options = EncodeOptions(**options)
    with _console.progress() as on_event:
        encoded = encode(raster, encode_options, on_event)
    write_output(out, encoded.data, overwrite)
    encoded.report["png_bytes"] = _png_bytes(raster)
    target_db = encoded.report["target_psnr_db"]
    encoded.report["bound_bytes"] = None if target_db is None else bound_bytes(raster, options["transform"], target_db)
    for message in encoded.report.get("warnings", []):
        _console.warning(message)
    if not encoded.report["reached"]:
        _console.warning(f"the target of {_target(encoded)} is not reached")
    if as_json:
        _console.out_json({"path": out, **encoded.report})
    if _console.verbosity() > 0:
        settings = ", ".join(_settings(encoded.report["recipe"]))
        _console.note(f"recipe of effort {options['effort']} for {encoded.report['field']}: {settings}")
    _console.note(_summary(out, encoded))


def _png_bytes(raster: Raster) -> int:
    """What the picture takes as a PNG without metadata."""
    from dataclasses import replace

    from nfcodec.images.files import image_bytes

    return len(image_bytes(replace(raster, metadata={}), "png"))


def _target(encoded: Encoded) -> str:
    """What was asked for, in words."""
    if "target_bytes" in encoded.report:
        return f"{encoded.report['target_bytes']} bytes"
    psnr_db = encoded.report["target_psnr_db"]
    return "no loss" if psnr_db is None else f"{psnr_db:g} dB"


def _summary(out: str, encoded: Encoded) -> str:
    report = encoded.report
    name = "standard output" if out == STDIO else out
    psnr = "lossless" if report["psnr_db"] is None else f"{report['psnr_db']:.2f} dB"
    text = (
        f"{name}: {report['bytes']} bytes, {report['bpp']:.3f} bpp, {psnr} "
        f"(target {_target(encoded)}) in {report['seconds']:.1f} s; {report['field']}, fitted {report['fitted']}"
    )
    text += f"; PNG: {report['png_bytes']} bytes"
    if report["bound_bytes"] is not None:
        text += f"; lower bound for this transform: {report['bound_bytes']} bytes"
    return text


def _settings(recipe: Mapping[str, Any]) -> Iterator[str]:
    """Each setting of a recipe in words; a group of settings as one list."""
    for name, value in recipe.items():
        if isinstance(value, Mapping):
            yield from _settings(value)  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield f"{name.replace('_', ' ')} {_in_words(value)}"


def _in_words(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(_in_words, value)) + "]"  # pyright: ignore[reportUnknownArgumentType]
    return f"{value:g}" if isinstance(value, float) else str(value)
