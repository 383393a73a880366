"""Every error nfcodec raises on purpose.

NfcError
├── UsageError            an argument makes no sense                        (exit code 2; also a ValueError)
├── ImageReadError        the input is no image, or one we cannot represent (exit code 3)
├── FormatError           the bytes are not a valid .nfc file               (exit code 4)
│   ├── NotNfcError       ... they do not even start like one
│   └── UnsupportedError  ... they need a newer nfcodec
├── TargetNotReachedError the fit stopped below the requested PSNR          (exit code 5)
├── LimitError            decoding or encoding would exceed a limit         (exit code 6)
├── WriteError            the output cannot be written                      (exit code 7)
└── EngineError           the requested engine or device is not available   (exit code 1)

Each error has a `code` for programs, which stays when the message for people is worded anew. It begins with the code
of the class; where several guards raise the same class, a word behind a dot says which it was. `CODES` lists them all.
"""

from __future__ import annotations

import math

CODES = {
    "error": "any other failure",
    "usage": "an argument is of a wrong type or outside its range, or arguments exclude each other",
    "image": "the input cannot be read as a picture",
    "image.unreadable": "the file cannot be opened or read",
    "image.unknown": "the content is of no known kind of image",
    "image.damaged": "the image is truncated, or does not decode",
    "image.pages": "the image is an animation or has several pages, of which none was named, or not the one that was",
    "image.mode": "the colour model is not supported",
    "image.depth": "the number of bits a sample is not supported in this kind of file",
    "image.array": "the array has no shape or type of a picture",
    "format": "the bytes are not a valid .nfc file",
    "format.truncated": "the file, or a part of it, ends too early",
    "format.transfer": "the signature was damaged by a transfer in text mode",
    "format.crc": "a chunk does not have its checksum",
    "format.chunks": "chunks are missing, repeated, out of order, or not those that the header announces",
    "format.trailing": "a part is followed by bytes that do not belong there",
    "format.number": "an integer is too long, not in its shortest form, or out of range",
    "format.header": "the picture has no pixels",
    "format.field": "the description of the field is out of range",
    "format.steps": "quantizer steps are too many, too few, or out of range",
    "format.chain": "the chain of transforms is too long, or a parameter is out of range",
    "format.order": "the order of the symbols is unknown, or does not suit the field",
    "format.scale": "the scale of a tensor's symbols is out of range",
    "format.stream": "an entropy-coded stream is corrupt, too short, or too long",
    "format.symbol": "a symbol is larger than it may be",
    "format.arithmetic": "weights or coefficients are too large for exact arithmetic",
    "format.range": "a residual or a lossless plane leaves the range of the samples",
    "format.packed": "packed samples are more or fewer than the picture's, or packed in an unknown way",
    "format.frame": "a compressed part, of metadata or packed samples, does not decompress to what it states",
    "format.digest": "the decoded samples do not have the digest in the file",
    "format.signature": "the bytes do not begin like an .nfc file",
    "format.unsupported": "the file needs a newer nfcodec",
    "format.unsupported.version": "the major version of the format is not known",
    "format.unsupported.chunk": "a chunk that must not be ignored is not known",
    "format.unsupported.mode": "the number of colour channels is neither 1 nor 3",
    "format.unsupported.field": "the kind of field is not known",
    "format.unsupported.transform": "a transform is not known",
    "format.unsupported.permutation": "the algorithm of a permutation is not known",
    "target": "the fit ended below the requested PSNR or above the requested size",
    "limit": "going on would exceed a limit",
    "limit.dimension": "a side of the picture is over `Limits.max_dimension`",
    "limit.pixels": "the pixels are over `Limits.max_pixels`",
    "limit.memory_bytes": "the memory that decoding takes is over `Limits.max_memory_bytes`",
    "limit.work": "the seconds that decoding takes are over `Limits.max_work`",
    "limit.header_bytes": "the header is over `Limits.max_header_bytes`",
    "limit.metadata_bytes": "the metadata is over `Limits.max_metadata_bytes`",
    "limit.file_bytes": "the file is over `Limits.max_file_bytes`",
    "limit.scans": "a JPEG has more scans than any that is meant to be looked at",
    "limit.precision": "value transforms cancel each other so closely that exact tables would take too long",
    "limit.exhausted": "the memory of this machine, or what it allows this process, does not suffice",
    "write": "the output cannot be written",
    "engine": "the engine or device is not available, or cannot fit the field",
}
"""What each code means; docs/reference/errors.md has the same list."""


class NfcError(Exception):
    """Root of every error that nfcodec raises on purpose; `exit_code` is the command line's.

    Args:
        message: for people.
        code: which guard it was, where a class has several: `code` of the error is then that of its class, a dot, and
            this word.
    """

    exit_code = 1
    code: str = "error"

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = f"{type(self).code}.{code}"

    def say(self, message: str) -> None:
        """Replace the message, by one that says more; what kind of error it is stays."""
        self.args = (message,)


class UsageError(NfcError, ValueError):
    """An argument is outside its documented range."""

    exit_code = 2
    code = "usage"


class ImageReadError(NfcError):
    """The input cannot be read as an image that nfcodec can represent."""

    exit_code = 3
    code = "image"


class FormatError(NfcError):
    """The bytes are not a valid .nfc file."""

    exit_code = 4
    code = "format"


class NotNfcError(FormatError):
    """The bytes do not start with the .nfc signature."""

    code = "format.signature"


class UnsupportedError(FormatError):
    """The file uses a feature or version that this nfcodec does not know."""

    code = "format.unsupported"


class TargetNotReachedError(NfcError):
    """The fit ended below the requested PSNR; `psnr_db` is what it reached."""

    exit_code = 5
    code = "target"

    def __init__(self, message: str, psnr_db: float = math.nan) -> None:
        super().__init__(message)
        self.psnr_db = psnr_db


class LimitError(NfcError):
    """Going on would exceed one of the limits in `nfcodec.limits.Limits`."""

    exit_code = 6
    code = "limit"


class WriteError(NfcError):
    """The output cannot be written (or exists, and overwriting was not asked for)."""

    exit_code = 7
    code = "write"


class EngineError(NfcError):
    """The requested fitting engine or device is not available on this machine."""

    code = "engine"
