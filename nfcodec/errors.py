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
"""

from __future__ import annotations


class NfcError(Exception):
    """Root of every error that nfcodec raises on purpose; `exit_code` is the command line's."""

    exit_code = 1


class UsageError(NfcError, ValueError):
    """An argument is outside its documented range."""

    exit_code = 2


class ImageReadError(NfcError):
    """The input cannot be read as an image that nfcodec can represent."""

    exit_code = 3


class FormatError(NfcError):
    """The bytes are not a valid .nfc file."""

    exit_code = 4


class NotNfcError(FormatError):
    """The bytes do not start with the .nfc signature."""


class UnsupportedError(FormatError):
    """The file uses a feature or version that this nfcodec does not know."""


class TargetNotReachedError(NfcError):
    """The fit ended below the requested PSNR; `psnr_db` is what it reached."""

    exit_code = 5

    def __init__(self, message: str, psnr_db: float) -> None:
        super().__init__(message)
        self.psnr_db = psnr_db


class LimitError(NfcError):
    """Going on would exceed one of the limits in `nfcodec.limits.Limits`."""

    exit_code = 6


class WriteError(NfcError):
    """The output cannot be written (or exists, and overwriting was not asked for)."""

    exit_code = 7


class EngineError(NfcError):
    """The requested fitting engine or device is not available on this machine."""
