"""How good a decoded picture is, by all measures that records have."""

from __future__ import annotations

from benchmarks.data.pictures import Bytes
from benchmarks.rates.ssimulacra2 import ssimulacra2
from benchmarks.records.store import Row
from nfcodec.errors import UsageError
from nfcodec.metrics import ms_ssim, psnr_db

MEASURES = {"psnr_db": "PSNR", "ms_ssim": "MS-SSIM", "ssimulacra2": "SSIMULACRA2"}
"""Names in records, and those for people. Each is higher for better."""


def measures(picture: Bytes, decoded: Bytes) -> Row:
    """What a record says of a decoded picture; None where the picture is too small for a measure.

    Args:
        picture, decoded: (H, W, 3) or (H, W).
    """
    seen = ssimulacra2(picture, decoded)
    return {
        "psnr_db": round(min(psnr_db(picture, decoded, 255), 999.0), 4),
        "ms_ssim": _ms_ssim(picture, decoded),
        "ssimulacra2": None if seen is None else round(seen, 4),
    }


def _ms_ssim(picture: Bytes, decoded: Bytes) -> float | None:
    try:
        return round(ms_ssim(picture, decoded, 255), 6)
    except UsageError:
        return None
