"""`nfcodec verify`: does a file decode to the samples that its encoder saw, and to the PSNR it promises?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from nfcodec.cli import _console
from nfcodec.cli._limits import limit_options
from nfcodec.cli._options import (
    FilePath,
    input_name,
    json_option,
    named,
    quiet_option,
    read_nfc,
    read_picture,
    verbose_option,
)
from nfcodec.cli._pictures import frame_option
from nfcodec.cli._verb import Verb
from nfcodec.errors import FormatError, NfcError, TargetNotReachedError, UsageError

if TYPE_CHECKING:
    from nfcodec.limits import Limits

_PSNR_TOLERANCE_DB = 1e-9


@click.command("verify", cls=Verb, pattern="*.nfc")
@click.argument("source", metavar="IN", type=FilePath(0))
@click.option("--reference", type=FilePath(0), metavar="IMG", help="Also measure the PSNR against this image.")
@frame_option("IMG")
@limit_options
@json_option
@quiet_option
@verbose_option
@click.pass_context
def command(
    ctx: click.Context, source: str, reference: str | None, frame: int | None, as_json: bool, limits: Limits
) -> None:
    """Decode the .nfc file IN and compare with the digest it carries.

    Exit code 4: the samples differ. Exit code 5: the PSNR against the reference is below the file's target.
    """
    from nfcodec.codec import inspect, verify

    data = read_nfc(source, limits)
    with named(source):
        target_psnr_db = inspect(data, limits).target_psnr_db
        result = verify(data, limits)
    report: dict[str, Any] = {"path": source, **result.to_dict()}
    failure: NfcError | None = None
    if not result.ok:
        failure = FormatError(f"{input_name(source)} does not decode to the samples that its digest names")
    if reference is not None:
        from nfcodec.images.exif import upright
        from nfcodec.metrics import psnr_db

        original, decoded = upright(read_picture(reference, limits, frame)), upright(result.raster)
        if original.samples.shape != decoded.samples.shape or original.depth != decoded.depth:
            raise UsageError(f"{input_name(reference)} and {input_name(source)} differ in size, channels or depth")
        psnr = psnr_db(original.samples, decoded.samples, original.peak)
        reached = psnr + _PSNR_TOLERANCE_DB >= target_psnr_db
        report |= {"reference_psnr_db": psnr, "target_psnr_db": target_psnr_db, "reached": reached}
        if failure is None and not reached:
            message = f"{psnr:.4f} dB is below the target of {_target(target_psnr_db)}"
            failure = TargetNotReachedError(message, psnr)
    if failure is not None:
        _console.error(str(failure))
        report |= _console.failure(failure, str(failure), failure.exit_code)
    if as_json:
        _console.out_json(report)
    elif failure is None:
        _console.note(_summary(source, report))
    ctx.exit(0 if failure is None else failure.exit_code)


def _summary(source: str, report: dict[str, Any]) -> str:
    text = f"{input_name(source)}: ok"
    if "reference_psnr_db" in report:
        psnr_db, target_db = report["reference_psnr_db"], report["target_psnr_db"]
        text += ", the same as" if psnr_db == math.inf else f", {psnr_db:.4f} dB against"
        text += f" the reference (target {_target(target_db)})"
    return text


def _target(psnr_db: float) -> str:
    return "no loss" if psnr_db == math.inf else f"{psnr_db:g} dB"
