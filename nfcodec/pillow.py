"""Lets Pillow open and save .nfc files: importing this module registers the format, as `nfcodec.register_pillow` does.

    import nfcodec.pillow
    from PIL import Image

    Image.open("photo.png").save("photo.nfc", psnr=40)
    with Image.open("photo.nfc") as image:  # reads the header and the metadata
        image.thumbnail((200, 200))         # decodes at a reduced size

docs/use/pillow.md tells what it does and where Pillow sets bounds.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Generator
from typing import IO, Any

from PIL import Image, ImageFile

import nfcodec
from nfcodec import arguments, codec
from nfcodec.codec.view import MAX_SCALE
from nfcodec.errors import ImageReadError, NfcError, UsageError
from nfcodec.format.chunks import SIGNATURE
from nfcodec.images import exif, files, to_pillow
from nfcodec.limits import DEFAULT_LIMITS, Limits

FORMAT, MIME_TYPE, SUFFIX = "NFC", "image/x-nfcodec", ".nfc"

OPTIONS = tuple(inspect.signature(nfcodec.encode).parameters)[1:]
"""Keyword arguments of `Image.save` that go to `nfcodec.encode`, which checks them."""

METADATA = ("icc_profile", "exif", "xmp", "dpi")
"""Keyword arguments of `Image.save` that stand in place of what the image has in `info`."""


class PillowError(NfcError, OSError):
    """What opening and saving through Pillow raises where `nfcodec` itself raises another error: an OSError, which
    programs that read images expect. `code` and `exit_code` are those of the other error, which is its `__cause__`.
    """


class NfcImageFile(ImageFile.ImageFile):
    """An .nfc file that Pillow has opened. Its pixels are decoded when they are asked for, perhaps at a reduced size.

    Attributes:
        limits: for all files that are opened or saved through Pillow.
    """

    limits = DEFAULT_LIMITS
    format = FORMAT
    format_description = "neural-field image"

    def _open(self) -> None:
        assert self.fp is not None
        with _for_pillow():
            outline = codec.outline(self.fp, self.limits)
            header = outline.header
            self._mode = to_pillow.pil_mode(header.channels, header.depth, header.alpha)
            self.info |= to_pillow.pil_info(outline.metadata)
        self._whole, self._has_views = (header.width, header.height), outline.has_views
        self._set_scale(1)

    def _set_scale(self, scale: int) -> None:
        self._scale = scale
        width, height = self._whole
        self._size = (-(-width // scale), -(-height // scale))
        self.tile = [ImageFile._Tile(FORMAT, (0, 0, *self._size), 0, self.mode)]  # pyright: ignore[reportPrivateUsage]

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> tuple[str, tuple[int, int, float, float]] | None:
        """Let the pixels be decoded at the whole size or a half, a quarter, .. of it, as long as `size` fits in.

        Args:
            mode: does not matter, as no other is decoded faster.
            size: width and height that the picture shall have at least.

        Returns:
            The mode, and the box of the reduced picture that the whole one fills; None if the pixels have been loaded,
            were moved by a transform, or there is no size.
        """
        if not self.tile or size is None or not self._has_views:
            return None
        width, height = self._whole
        scale = 1
        while 2 * scale <= MAX_SCALE and width >= 2 * scale * size[0] and height >= 2 * scale * size[1]:
            scale *= 2
        self._set_scale(scale)
        return self.mode, (0, 0, width / scale, height / scale)

    def load(self) -> Image.core.PixelAccess | None:
        """Decode the pixels, if that has not been done. Raises PillowError."""
        if self.tile:
            with _for_pillow():
                self.im = nfcodec.decode(self._data(), scale=self._scale, limits=self.limits).im
            self.tile, self.readonly = [], 0
            self._leave()
        return super().load()

    def load_seek(self, pos: int) -> None:
        """Its being there tells `ImageFile.Parser` that only the whole file can be decoded."""

    def verify(self) -> None:
        """Check the structure of the file and all its checksums; decodes nothing. Raises PillowError.

        `nfcodec.NfcFile.verify` decodes the picture, too. As of every image in Pillow, this must follow right upon
        opening, and the file has to be opened anew for its pixels.
        """
        with _for_pillow():
            codec.inspect(self._data(), self.limits)
        super().verify()

    def _data(self) -> bytes:
        if self.fp is None:
            raise ValueError("the file of this image is closed, and its pixels have not been loaded")
        self.fp.seek(0)
        return files.read_bytes(self.fp, self.limits)  # pyright: ignore[reportArgumentType]

    def _leave(self) -> None:
        """Close the file if Pillow has opened it, as after loading other formats."""
        if self._exclusive_fp and self.fp is not None:
            self.fp.close()
        self.fp = None


def register(limits: Limits | None = None) -> None:
    """Register the format, with other limits if they are given; see `nfcodec.register_pillow`."""
    if limits is not None:
        NfcImageFile.limits = _checked(limits)
    Image.register_open(FORMAT, NfcImageFile, _accept)
    Image.register_save(FORMAT, _save)
    Image.register_save_all(FORMAT, _save_all)
    Image.register_extension(FORMAT, SUFFIX)
    Image.register_mime(FORMAT, MIME_TYPE)


def _checked(limits: Limits) -> Limits:
    arguments.instance_of("limits", limits, Limits, "an nfcodec.Limits")
    return limits


def _accept(prefix: bytes) -> bool:
    """Whether a file is one of ours, be it damaged or of a later version: then opening says so."""
    return prefix.startswith(SIGNATURE[:4])


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """What `Image.save` calls: encodes to the end before it writes anything."""
    given: dict[str, Any] = dict(image.encoderinfo)
    metadata = {key: given.pop(key) for key in METADATA if key in given}
    if unknown := sorted(given.keys() - set(OPTIONS)):
        raise UsageError(
            f"saving as {FORMAT} does not know {unknown[0]!r}; it takes {', '.join((*OPTIONS, *METADATA))}"
        )
    limits = given.pop("limits", None)
    limits = NfcImageFile.limits if limits is None else _checked(limits)
    with _for_pillow(ImageReadError):
        raster = files.raster_from_pil(image, limits, _info(image, metadata))
    file.write(nfcodec.encode(raster, limits=limits, **given))


def _save_all(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """What `Image.save` calls where several pictures may be meant."""
    if image.encoderinfo.pop("append_images", None) or getattr(image, "is_animated", False):
        raise UsageError(f"a file of the format {FORMAT} holds one picture; save each in a file of its own")
    _save(image, file, filename)


def _info(image: Image.Image, given: dict[str, Any]) -> dict[Any, Any]:
    """The image's `info`, and in its place what is given to `save`; None or nothing takes a kind of metadata away."""
    info: dict[Any, Any] = {**image.info, **given}
    if isinstance(info.get("exif"), Image.Exif):
        info["exif"] = info["exif"].tobytes()
    if given.get("dpi") is not None:
        info["exif"] = exif.with_resolution(info.get("exif") or b"", _resolution(given["dpi"]))
    return info


def _resolution(dpi: object) -> exif.Resolution:
    across, down = arguments.items("dpi", dpi, 2, 2, "numbers of pixels an inch, across and down")
    allowed = "a number of pixels an inch that a picture can have"
    found = arguments.number("dpi", across, exif.MAX_DPI, allowed), arguments.number("dpi", down, exif.MAX_DPI, allowed)
    if not all(map(exif.is_possible, found)):
        raise UsageError(f"dpi must be {allowed}, not {found}")
    return found


@contextlib.contextmanager
def _for_pillow(kind: type[NfcError] = NfcError) -> Generator[None]:
    """Make errors of a kind OSErrors, too."""
    try:
        yield
    except kind as error:
        translated = PillowError(str(error))
        translated.code, translated.exit_code = error.code, error.exit_code
        raise translated from error


register()
