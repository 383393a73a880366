"""`nfcodec verify`: do files decode to the samples that their encoder saw, and to the PSNR they promise?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from nfcodec.cli._inputs import given
from nfcodec.cli._limits import limit_options
from nfcodec.cli._many import run
from nfcodec.cli._options import (
    FilePath,
    Many,
    input_name,
    json_option,
    many_options,
    named,
    quiet_option,
    read_picture,
    recursive_option,
    verbose_option,
)
from nfcodec.cli._pictures import frame_option
from nfcodec.cli._verb import Verb
from nfcodec.cli._work import Failure, Job, Made, Work
from nfcodec.errors import FormatError, NfcError, TargetNotReachedError, UsageError
from nfcodec.images.names import NFC_SUFFIX

if TYPE_CHECKING:
    from nfcodec.fitting.request import Listener
    from nfcodec.limits import Limits

_PSNR_TOLERANCE_DB = 1e-9


@dataclass(frozen=True)
class Verify(Work):
    """Comparing with the digest, and with a reference if there is one."""

    limits: Limits
    reference: str | None = None
    frame: int | None = None

    input_suffixes = (NFC_SUFFIX,)
    done = "verified"

    def check_start(self, head: bytes, source: str) -> None:
        from nfcodec.format import check_start

        check_start(head)

    def open(self, data: bytes, job: Job) -> bytes:
        return data

    def make(self, opened: bytes, job: Job, listen: Listener | None) -> Made:
        from nfcodec.codec import inspect, verify

        source, limits, reference = job.source, self.limits, self.reference
        with named(source):
            target_psnr_db = inspect(opened, limits).target_psnr_db
            result = verify(opened, limits)
        report: dict[str, Any] = {"path": source, **result.to_dict()}
        failure: NfcError | None = None
        if not result.ok:
            failure = FormatError(f"{input_name(source)} does not decode to the samples that its digest names")
        if reference is not None:
            from nfcodec.images.exif import upright
            from nfcodec.metrics import psnr_db

            original, decoded = upright(read_picture(reference, limits, self.frame)), upright(result.raster)
            if original.samples.shape != decoded.samples.shape or original.depth != decoded.depth:
                raise UsageError(f"{input_name(reference)} and {input_name(source)} differ in size, channels or depth")
            psnr = psnr_db(original.samples, decoded.samples, original.peak)
            reached = psnr + _PSNR_TOLERANCE_DB >= target_psnr_db
            report |= {"reference_psnr_db": psnr, "target_psnr_db": target_psnr_db, "reached": reached}
            if failure is None and not reached:
                message = f"{psnr:.4f} dB is below the target of {_target(target_psnr_db)}"
                failure = TargetNotReachedError(message, psnr)
        if failure is not None:
            return Made(report, failure=Failure.of(failure))
        return Made(report, summary=_summary(source, report))


@click.command("verify", cls=Verb, short_help="Check that .nfc files decode as they should.")
@click.argument("paths", metavar="IN...", nargs=-1, required=True, type=FilePath(0))
@click.option("--reference", type=FilePath(0), metavar="IMG", help="Also measure the PSNR of IN against this picture.")
@frame_option("IMG")
@recursive_option
@many_options
@limit_options
@json_option
@quiet_option
@verbose_option
def command(
    paths: tuple[str, ...],
    reference: str | None,
    frame: int | None,
    recursive: bool,
    as_json: bool,
    limits: Limits,
    many: Many,
) -> int:
    """Decode each .nfc file IN and compare with the digest it carries.

    Exit code 4: the samples differ. Exit code 5: the PSNR against the reference is below the file's target.
    """
    files = given(paths, None, recursive, None)
    if reference is not None and (files.is_many or many.ray is not None):
        raise click.UsageError("--reference is for one file that is verified here")
    return run(Verify(limits, reference, frame), files, many)


def _summary(source: str, report: dict[str, Any]) -> str:
    text = f"{input_name(source)}: ok"
    if "reference_psnr_db" in report:
        psnr_db, target_db = report["reference_psnr_db"], report["target_psnr_db"]
        text += ", the same as" if psnr_db == math.inf else f", {psnr_db:.4f} dB against"
        text += f" the reference (target {_target(target_db)})"
    return text


def _target(psnr_db: float) -> str:
    return "no loss" if psnr_db == math.inf else f"{psnr_db:g} dB"
