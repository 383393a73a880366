"""Pictures in the inks of a printing press (CMYK), as the colours of a screen (sRGB)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from nfcodec.errors import ImageReadError

if TYPE_CHECKING:
    from PIL import Image

MODE = "CMYK"
_LONGEST_DESCRIPTION = 60

GUESSED = (
    "its CMYK inks have no colour profile that could be used, so the colours that it is read with are a rough guess"
)


def to_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, str]:
    """Convert a CMYK image, and say in a sentence without an end how that was done.

    What a profile says of the inks is followed (relative colorimetric, with black point compensation, as most programs
    do); without one that is for CMYK, each ink takes away one of red, green and blue.

    Raises:
        ImageReadError: this Pillow was made without LittleCMS.
    """
    image.load()
    try:
        converted = _through(image, profile) if profile else None
    except ImportError as error:
        raise ImageReadError("this Pillow cannot convert CMYK; convert the image to RGB first", code="mode") from error
    return converted or (image.convert("RGB"), GUESSED)


def _through(image: Image.Image, profile: bytes) -> tuple[Image.Image, str] | None:
    """The same through a profile; None where it is damaged or none of CMYK."""
    from PIL import ImageCms

    try:
        inks: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if inks.profile.xcolor_space.strip() != MODE:
            return None
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
        converted = ImageCms.profileToProfile(image, inks, _srgb(), intent, "RGB", flags=flags)
    except (OSError, ImageCms.PyCMSError):
        return None
    assert converted is not None  # as it is only where the image itself is to be changed
    return (
        converted,
        f"its CMYK inks were converted to sRGB through its colour profile{_named(inks.profile.profile_description)}",
    )


def _srgb() -> Any:
    from PIL import ImageCms

    return ImageCms.createProfile("sRGB")  # pyright: ignore[reportUnknownVariableType]


def _named(description: str | None) -> str:
    words = " ".join((description or "").split())
    if not words:
        return ""
    return f" ({words if len(words) <= _LONGEST_DESCRIPTION else f'{words[:_LONGEST_DESCRIPTION]}..'})"
