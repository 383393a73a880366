"""What `encode --report` writes: the page about an encode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcodec.cli import _encoded
from nfcodec.cli._console import STDIO
from nfcodec.codec import decode
from nfcodec.codec.breakdown import breakdown
from nfcodec.images.exif import upright
from nfcodec.pages.comparison import Source
from nfcodec.pages.encoding import encoding_page

if TYPE_CHECKING:
    from nfcodec.codec import Encoded
    from nfcodec.limits import Limits
    from nfcodec.pages.recording import Recording
    from nfcodec.raster import Raster


def page(
    raster: Raster, encoded: Encoded, report: _encoded.Report, recording: Recording, name: str, limits: Limits
) -> bytes:
    """The page, in UTF-8.

    Args:
        name: of the picture's file.
    """
    out, icc = report["path"], raster.metadata.get("icc")
    original = Source(name, upright(raster), icc)
    decoded = Source("standard output" if out == STDIO else out, upright(decode(encoded.data, limits)), icc)
    note, recipe = _encoded.note(report), _encoded.settings(report["recipe"])
    said = [note] if note else []
    if recipe:
        said.append(f"Recipe of effort {report['effort']} for {report['field']}: {recipe}.")
    recording.finish()
    return encoding_page(original, decoded, report, recording, breakdown(encoded.data, limits), said).encode()
