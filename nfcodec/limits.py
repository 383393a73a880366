"""Every guard against files and images that ask for too much, in one place: what decoding costs, and how much may be.

The cost of a file is known before it is paid: the header and the first bytes of its chunks say how many numbers there
are to decode and what is computed of them. `nfcodec.codec.document` adds that up and holds it against the limits.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from nfcodec import arguments
from nfcodec.errors import LimitError

MAX_EFFORT = 9
"""Efforts are 1 (fast) .. MAX_EFFORT (small files)."""

MAX_PSNR_DB = 150.0
"""The highest target an encoder accepts; 16-bit samples are without loss well below it."""


_FOUND = {
    "dimension": "the picture has a side of {} pixels",
    "pixels": "the picture has {} pixels",
    "file_bytes": "the file has {} bytes",
    "memory_bytes": "decoding may take {} bytes of memory",
    "work": "decoding may keep a core busy for {} seconds",
    "header_bytes": "the header has {} bytes",
    "metadata_bytes": "the metadata has {} bytes",
}
"""What is said of a value that is over a limit."""

_ROUNDED = 1000
"""From here on numbers in messages have no decimals."""


@dataclass(frozen=True)
class Cost:
    """What a piece of decoding takes at most.

    Attributes:
        memory_bytes: at its peak, with what it leaves.
        work: seconds of one core of the reference machine (`nfcodec.fitting.cost`), all threads together.
        kept_bytes: of memory, what is still taken when it is over.
    """

    memory_bytes: float = 0.0
    work: float = 0.0
    kept_bytes: float = 0.0

    def then(self, other: Cost) -> Cost:
        """Both, one after the other: the second comes on top of what the first keeps."""
        peak = max(self.memory_bytes, self.kept_bytes + other.memory_bytes)
        return Cost(peak, self.work + other.work, self.kept_bytes + other.kept_bytes)

    def keeping(self, kept_bytes: float) -> Cost:
        """The same, of which only so much is kept."""
        return Cost(self.memory_bytes, self.work, kept_bytes)


@dataclass(frozen=True)
class Limits:
    """Upper bounds that are checked before memory is allocated or time is spent. Each is inclusive; `inf` is none.

    UsageError for what is no number from 0 on.

    Attributes:
        max_dimension: pixels a side.
        max_pixels: of a picture.
        max_file_bytes: of a file that is read, be it an .nfc file or an image.
        max_memory_bytes: that decoding takes at its peak, beside the interpreter and its libraries.
        max_work: that decoding takes, in seconds of a core of the reference machine: a core of usual speed. Threads
            share it out, so that it is over sooner.
        max_header_bytes: of the header of an .nfc file.
        max_metadata_bytes: of a profile, EXIF or XMP, unpacked.
    """

    max_dimension: float = 32_768
    max_pixels: float = 89_478_485  # Pillow's MAX_IMAGE_PIXELS
    max_file_bytes: float = 2**31
    max_memory_bytes: float = 8e9
    max_work: float = 600.0
    max_header_bytes: float = 65_536
    max_metadata_bytes: float = 2**24

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, arguments.bound(each.name, getattr(self, each.name)))

    def check(self, name: str, value: float) -> None:
        """Raise LimitError, coded "limit.name", if `value` is over the limit called `name` (a field without `max_`)."""
        bound: float = getattr(self, f"max_{name}")
        if value > bound:
            found = _FOUND[name].format(_number(value))
            raise LimitError(f"{found}, which is over the limit of {_number(bound)}", code=name)

    def check_geometry(self, width: int, height: int) -> None:
        """Check an image's sides and pixel count."""
        self.check("dimension", max(width, height))
        self.check("pixels", width * height)

    def check_cost(self, cost: Cost) -> None:
        """Check what decoding takes."""
        self.check("memory_bytes", cost.memory_bytes)
        self.check("work", cost.work)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) or value >= _ROUNDED else f"{value:.3g}"


DEFAULT_LIMITS = Limits()
