"""Pillow opens and saves .nfc files."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, UnidentifiedImageError

import nfcodec
import nfcodec.pillow
from nfcodec import codec
from nfcodec.errors import FormatError, LimitError, TargetNotReachedError, UsageError
from nfcodec.format import WEIGHTS, XMP, Header, read_chunks, write_chunks
from nfcodec.limits import Limits
from nfcodec.pillow import NfcImageFile, PillowError
from tests.codec.pictures import picture

ROOT = Path(__file__).parents[1]
QUICK = {"psnr": 30, "effort": 1, "field": "samples"}
EXACT = {**QUICK, "psnr": None, "lossless": True}
EXIF = Image.Exif()
EXIF[0x010F], EXIF[0x0112] = "a camera", 6


def image_of(mode="RGB", size=(37, 23)) -> Image.Image:
    """A small picture in one of Pillow's modes."""
    samples = picture(size[1], size[0], channels=3).samples
    if mode == "I;16":
        return Image.fromarray(samples[:, :, 0].astype(np.uint16) * 256)
    image = Image.fromarray(samples).convert("RGB" if mode == "PA" else mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(samples[:, :, 1]))
    return image


def saved(image=None, **options) -> bytes:
    """The bytes of an image as Pillow saves it; quickly where nothing else is said."""
    buffer = io.BytesIO()
    (image or image_of()).save(buffer, "NFC", **(options or QUICK))
    return buffer.getvalue()


def opened(data: bytes) -> ImageFile.ImageFile:
    return Image.open(io.BytesIO(data))


@pytest.fixture(scope="module")
def data() -> bytes:
    """A small file with metadata."""
    return saved(psnr=30, effort=1, field="table", icc_profile=b"a profile", exif=EXIF, xmp=b"<x/>")


@pytest.fixture
def no_decoding(monkeypatch):
    monkeypatch.setattr(codec, "decode", lambda *_, **__: pytest.fail("the pixels were decoded"))


# ------------------------------------------------------------------------------------------------------ registration


@pytest.mark.parametrize("code", ["import nfcodec.pillow", "import nfcodec; nfcodec.register_pillow()"])
def test_either_way_registers(code, tmp_path):
    path = tmp_path / "a.nfc"
    program = f"""
from PIL import Image
{code}
import nfcodec.pillow, sys
nfcodec.register_pillow()
assert Image.ID.count("NFC") == 1 and Image.MIME["NFC"] == "image/x-nfcodec"
Image.new("L", (5, 4), 77).save({str(path)!r}, field="samples")
with Image.open({str(path)!r}) as image:
    assert (image.format, image.size, image.getpixel((4, 3))) == ("NFC", (5, 4), 77)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_opening_and_decoding_load_no_fitting(tmp_path, data):
    (tmp_path / "a.nfc").write_bytes(data)
    program = f"""
import nfcodec.pillow, sys
from PIL import Image
with Image.open({str(tmp_path / "a.nfc")!r}) as image:
    image.load()
assert not {{"numba", "torch", "nfcodec.fitting"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_other_files_are_left_alone():
    with Image.open(ROOT / "benchmarks" / "data" / "sample.png") as image:
        assert image.format == "PNG"
    with pytest.raises(UnidentifiedImageError):
        opened(b"Filetype: Flipper NFC device")


# ------------------------------------------------------------------------------------------------------------ opening


class Counted(io.BytesIO):
    """A file that counts the bytes that are read of it."""

    n_read = 0

    def read(self, size=-1):
        found = super().read(size)
        self.n_read += len(found)
        return found


def test_opening_reads_the_header_and_the_metadata_alone(no_decoding):
    plain = saved(**EXACT, icc_profile=b"a profile")
    assert len(plain) > 1500
    file = Counted(plain)
    image = Image.open(file)
    assert file.n_read < len(plain) // 2  # beginnings that Pillow's other formats look at count, too
    assert (image.mode, image.size, image.format) == ("RGB", (37, 23), "NFC")
    assert image.format_description == "neural-field image"
    assert image.get_format_mimetype() == "image/x-nfcodec"
    assert image.info == {"icc_profile": b"a profile"}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16"])
def test_all_modes_there_and_back(mode):
    image = image_of(mode)
    if mode == "PA":
        image = image.convert("P").convert("PA")
    kept = saved(image, **EXACT)
    assert kept == nfcodec.encode(image, **EXACT)
    back = opened(kept)
    assert back.mode == {"1": "L", "P": "RGB", "PA": "RGBA"}.get(mode, mode)
    np.testing.assert_array_equal(
        np.asarray(back), np.asarray(image if back.mode == mode else image.convert(back.mode))
    )


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV", "F", "I"])
def test_other_modes_are_refused(mode, tmp_path):
    path = tmp_path / "a.nfc"
    with pytest.raises(OSError, match=f"the colour mode {mode} is not supported") as caught:
        Image.new(mode, (4, 3)).save(path)
    assert isinstance(caught.value, PillowError)
    assert (caught.value.code, caught.value.exit_code) == ("image.mode", 3)
    assert not path.exists()


def test_what_pillow_has_no_mode_for():
    deep = nfcodec.encode(picture(depth=16), **EXACT)
    with pytest.raises(OSError, match="decode_array") as caught:
        opened(deep)
    assert isinstance(caught.value.__cause__, UsageError)


def test_pixels_are_those_of_decode(data):
    with opened(data) as image:
        image.load()
    np.testing.assert_array_equal(np.asarray(image), nfcodec.decode_array(data))
    image.putpixel((0, 0), (1, 2, 3))
    assert image.getpixel((0, 0)) == (1, 2, 3)


def test_files_are_closed_after_loading_and_with_the_image(data, tmp_path):
    path = tmp_path / "A.NFC"
    path.write_bytes(data)
    image = Image.open(path)
    file = image.fp
    assert file is not None
    image.load()
    assert (file.closed, image.fp) == (True, None)
    with Image.open(path) as image:
        file = image.fp
    assert file is not None
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        image.load()


def test_files_that_others_have_opened_stay_open(data):
    file = io.BytesIO(data)
    Image.open(file).load()
    assert not file.closed


def test_copies_and_pickles(data):
    expected = nfcodec.decode_array(data)
    for make in (copy.copy, Image.Image.copy, lambda image: pickle.loads(pickle.dumps(image))):
        np.testing.assert_array_equal(np.asarray(make(opened(data))), expected)


# ------------------------------------------------------------------------------------------------------ smaller sizes


@pytest.fixture
def scales(monkeypatch):
    """The scales that pictures are decoded at from here on."""
    found: list[int] = []
    decode = nfcodec.decode

    def noting(data, *, scale=1, **options):
        found.append(scale)
        return decode(data, scale=scale, **options)

    monkeypatch.setattr(nfcodec, "decode", noting)
    return found


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("size", [(80, 64), (61, 47)])
def test_thumbnails_decode_at_a_reduced_size(mode, size, scales):
    kept = saved(image_of(mode, size), **EXACT)
    image, whole = opened(kept), opened(kept)
    image.thumbnail((8, 8))
    whole.load()
    whole.thumbnail((8, 8), reducing_gap=None)  # with one, Pillow makes no thumbnails of 16 bits
    assert (image.size, image.mode) == (whole.size, mode)
    assert scales == [4 if size == (80, 64) else 2, 1]
    difference = np.asarray(image).astype(int) - np.asarray(whole).astype(int)
    assert np.abs(difference).max() < (12 * 256 if mode == "I;16" else 12)


@pytest.mark.parametrize("transform", ["rpp", "inversion+rpp", "zigzag"])
def test_thumbnails_of_moved_pixels_are_made_of_the_whole_picture(transform, scales):
    kept = saved(**EXACT, transform=transform)
    image = opened(kept)
    assert image.draft(None, (4, 4)) is None
    image.thumbnail((9, 9))
    assert (image.size, scales) == ((9, 6), [1])


@pytest.mark.parametrize("scale", [2, 4])
def test_drafts_are_the_smaller_pictures_of_decode(data, scale):
    image = opened(data)
    image.draft(None, (37 // scale, 23 // scale))
    np.testing.assert_array_equal(np.asarray(image), nfcodec.decode_array(data, scale=scale))
    assert image.info == opened(data).info


def test_drafts(data):
    image = opened(data)
    assert image.draft(None, (18, 11)) == ("RGB", (0, 0, 18.5, 11.5))
    assert image.size == (19, 12)
    assert image.draft("L", (9, 4)) == ("RGB", (0, 0, 9.25, 5.75))  # the whole picture counts, not the last draft
    assert image.size == (10, 6)
    image.load()
    assert image.draft(None, (1, 1)) is None
    assert image.size == np.asarray(image).shape[1::-1] == (10, 6)


@pytest.mark.parametrize("size", [(37, 23), (37, 12), (19, 1), (1000, 1000)])
def test_drafts_are_not_smaller_than_asked_for(data, size):
    image = opened(data)
    assert image.draft(None, size) == ("RGB", (0, 0, 37.0, 23.0))
    np.testing.assert_array_equal(np.asarray(image), nfcodec.decode_array(data))


def test_a_draft_without_a_size_changes_nothing(data):
    image = opened(data)
    assert image.draft("L", None) is None
    assert image.size == (37, 23)


def test_smallest_drafts():
    image = opened(saved(image_of("L", (300, 2)), **EXACT))
    assert image.draft(None, (0, 0)) == ("L", (0, 0, 300 / 128, 2 / 128))
    assert np.asarray(image).shape == (1, 3)


# ------------------------------------------------------------------------------------------------------------- saving


def test_saving_is_encoding(tmp_path):
    image = image_of()
    for options in (
        {"psnr": 33, "effort": 1, "field": "table"},
        {**EXACT, "transform": "inversion"},
        {**QUICK, "psnr": None, "size": 2000},
    ):
        image.save(tmp_path / "a.nfc", **options)
        assert (tmp_path / "a.nfc").read_bytes() == nfcodec.encode(image, **options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"quality": 80}, ValueError, "does not know 'quality'; it takes psnr, size"),
        ({"psnr": 400}, ValueError, "psnr must be a number over 0 and at most 150"),
        ({"psnr": 30, "size": 100}, ValueError, "exclude each other"),
        ({"size": 20, "field": "samples"}, TargetNotReachedError, "bytes"),
        ({"limits": Limits(max_pixels=5)}, LimitError, "over the limit of 5"),
        ({"limits": 5}, ValueError, "limits must be an nfcodec.Limits"),
        ({"save_all": True, "append_images": [image_of()]}, ValueError, "holds one picture"),
        ({"dpi": (300,)}, ValueError, "dpi must hold 2 numbers"),
        ({"dpi": (300, -1)}, ValueError, "dpi must be"),
        ({"dpi": (300, 1e-9)}, ValueError, "dpi must be"),
    ],
)
def test_what_cannot_be_saved(options, error, message, tmp_path):
    with pytest.raises(error, match=message):
        image_of().save(tmp_path / "a.nfc", **options)
    assert list(tmp_path.iterdir()) == []


def test_one_picture_may_be_all():
    assert saved(save_all=True, **QUICK) == saved()


def test_a_file_can_be_saved_over_itself(tmp_path, data):
    path = tmp_path / "a.nfc"
    path.write_bytes(data)
    Image.open(path).save(path, **EXACT)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), nfcodec.decode_array(data))


# ----------------------------------------------------------------------------------------------------------- metadata


def test_metadata_there_and_back(data):
    image = opened(data)
    assert image.info == {"icc_profile": b"a profile", "exif": EXIF.tobytes(), "xmp": b"<x/>"}
    assert image.getexif()[0x0112] == 6
    assert opened(saved(image)).info == image.info


def test_what_is_given_to_save_stands_in_place_of_what_the_image_has(data):
    tags = Image.Exif()
    tags[0x0112] = 3
    image = opened(data)
    again = opened(saved(image, **QUICK, exif=tags.tobytes(), xmp="<y>ä</y>", icc_profile=None))
    assert again.info == {"exif": tags.tobytes(), "xmp": "<y>ä</y>".encode()}
    assert opened(saved(image, **QUICK, exif=b"", xmp=None, icc_profile=b"")).info == {}
    assert image.info["xmp"] == b"<x/>"


@pytest.mark.parametrize("known", [False, True])
def test_resolution(known):
    image = image_of()
    image.info["dpi"] = (72, 72)
    if known:
        image = opened(saved(image))
        assert image.info["dpi"] == (72, 72)
    again = opened(saved(image, **QUICK, dpi=(300, 150)))
    assert again.info["dpi"] == (300, 150)
    assert opened(saved(image)).info["dpi"] == (72, 72)


def test_resolution_beside_exif():
    again = opened(saved(**QUICK, exif=EXIF, dpi=(300, 150)))
    assert (again.info["dpi"], again.getexif()[0x010F]) == ((300, 150), "a camera")


# -------------------------------------------------------------------------------------------------- damage and limits


def test_verify_finds_every_flipped_byte_and_decodes_nothing(data, no_decoding):
    opened(data).verify()
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0x24
        with pytest.raises(OSError, match=r"."):
            opened(bytes(damaged)).verify()
    for size in range(len(data)):
        with pytest.raises(OSError, match=r"."):
            opened(data[:size]).verify()


def test_verify_comes_right_after_opening(data):
    image = opened(data)
    image.load()
    with pytest.raises(ValueError, match="closed"):
        image.verify()
    image = opened(data)
    image.verify()
    with pytest.raises(ValueError, match="closed"):
        image.load()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:40], "truncated"),
        (lambda data: data.replace(b"\r\n", b"\n", 1), "text mode"),
        (lambda data: data[:8] + b"\x07" + data[9:], "format version 7 is not supported"),
        (lambda data: data.replace(b"HEAD", b"HEAP"), "newer nfcodec"),
        (lambda data: write_chunks({WEIGHTS: b""}), "does not begin with a header"),
        (lambda data: data.replace(b"xmpm", b"iccp"), "out of order"),
    ],
)
def test_opening_says_what_is_wrong(data, change, message):
    with pytest.raises(OSError, match=message) as caught:
        opened(change(data))
    assert isinstance(caught.value, PillowError)
    assert isinstance(caught.value.__cause__, FormatError)
    assert caught.value.code == caught.value.__cause__.code


def test_a_file_that_was_cut_off_opens_and_does_not_load(data):
    image = opened(data[: data.index(b"WGHT") + 20])
    assert (image.size, image.info) == ((37, 23), {})
    with pytest.raises(OSError, match="truncated") as caught:
        image.load()
    assert isinstance(caught.value, PillowError)
    assert (caught.value.code, caught.value.exit_code) == ("format.truncated", 4)


def test_lost_metadata_does_not_matter_before_loading(data):
    """The header announces more than there is."""
    chunks = read_chunks(data)
    del chunks[XMP]
    image = opened(write_chunks(chunks))
    assert "xmp" not in image.info
    with pytest.raises(OSError, match="header announces"):
        image.load()


def test_limits_of_the_codec(data, monkeypatch):
    monkeypatch.setattr(NfcImageFile, "limits", NfcImageFile.limits)
    nfcodec.register_pillow(limits=Limits(max_pixels=800))
    nfcodec.register_pillow()  # which leaves the limits as they are
    with pytest.raises(OSError, match="over the limit of 800") as caught:
        opened(data)
    assert isinstance(caught.value, PillowError)
    assert caught.value.code == "limit.pixels"
    with pytest.raises(LimitError, match="over the limit of 800"):
        nfcodec.encode(image_of(), **QUICK, limits=NfcImageFile.limits)
    nfcodec.register_pillow(limits=Limits(max_work=0))
    image = opened(data)
    with pytest.raises(OSError, match="seconds"):
        image.load()
    with pytest.raises(UsageError, match="limits"):
        nfcodec.register_pillow(limits=5)  # type: ignore[arg-type]


def test_pillows_own_limit(data, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(Image.DecompressionBombError):
        opened(data)


def test_a_chunk_that_claims_to_be_huge_takes_no_memory(data):
    chunks = read_chunks(data)
    header = Header.unpack(chunks[b"HEAD"], Limits()).pack()
    cut = write_chunks({b"HEAD": header, WEIGHTS: b""})
    lie = cut.replace(b"WGHT\0\0\0\0", b"iccp\xff\xff\xff\xff")

    class Careful(io.BytesIO):
        def read(self, size=-1):
            assert size is None or size < 10_000
            return super().read(size)

    assert Image.open(Careful(lie)).size == (37, 23)


# ------------------------------------------------------------------------------------------------------- piece by piece


@pytest.mark.parametrize("n_bytes", [1, 50, 10_000])
def test_the_parser(data, n_bytes):
    parser = ImageFile.Parser()
    for at in range(0, len(data), n_bytes):
        parser.feed(data[at : at + n_bytes])
    assert parser.image is not None
    np.testing.assert_array_equal(np.asarray(parser.close()), nfcodec.decode_array(data))


def test_the_parser_tells_the_size_early(data, no_decoding):
    parser = ImageFile.Parser()
    parser.feed(data[: data.index(b"WGHT")])
    assert parser.image is not None
    assert parser.image.size == (37, 23)


def test_the_parser_misses_the_end(data):
    parser = ImageFile.Parser()
    parser.feed(data[:-3])
    with pytest.raises(OSError, match="truncated"):
        parser.close()
    parser = ImageFile.Parser()
    parser.feed(data[:30])
    with pytest.raises(OSError, match="cannot parse"):
        parser.close()
