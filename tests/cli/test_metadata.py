"""What the command line makes of metadata, of pages and of inks."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from nfcodec.images.exif import orientation, resolution
from nfcodec.images.files import read_image
from tests.cli.commands import PNG, encode_picture, picture


@pytest.fixture
def turned(run):
    """a.jpg, and a.nfc of it: to be turned to the right, 300 pixels an inch."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture().samples).save("a.jpg", quality=95, exif=exif, dpi=(300, 300))
    assert run("encode", "a.jpg", "-e", 1, "--lossless").code == 0
    return np.asarray(Image.open("a.jpg"))


@pytest.mark.parametrize("suffix", ["ppm", "npy"])
def test_orientation_is_applied_where_it_cannot_be_held(run, turned, suffix):
    result = run("decode", "a.nfc", f"b.{suffix}")
    assert result.code == 0
    assert result.err == (
        f"nfcodec: note: the pixels are turned as the EXIF in a.nfc says, because {suffix} cannot hold it\n"
    )
    assert np.array_equal(read_image(f"b.{suffix}").samples, np.rot90(turned, -1))
    assert run("decode", "-q", "a.nfc", f"c.{suffix}").err == ""


def test_a_png_holds_orientation_and_resolution(run, turned):
    result = run("decode", "a.nfc", "b.png")
    assert (result.code, result.err) == (0, "")
    with Image.open("b.png") as image:
        assert np.array_equal(np.asarray(image), turned)
        assert image.getexif()[0x0112] == 6
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.02)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_upright(run, turned, suffix):
    result = run("decode", "a.nfc", f"b.{suffix}", "--upright")
    assert (result.code, result.err) == (0, "")
    back = read_image(f"b.{suffix}")
    assert back.samples.shape == (12, 10, 3)
    assert suffix == "jpg" or np.array_equal(back.samples, np.rot90(turned, -1))
    assert orientation(back.metadata["exif"]) == 1
    assert resolution(back.metadata["exif"]) == (300, 300)


TURNED = "nfcodec: note: the pixels are turned as the EXIF in {} says, because --strip leaves it out\n"
COLOURS = "nfcodec: note: the colour profile in {} is left out, so programs will take the colours for sRGB\n"


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "npy"])
def test_strip(run, turned, suffix):
    result = run("decode", "a.nfc", f"b.{suffix}", "--strip")
    assert (result.code, result.err) == (0, TURNED.format("a.nfc"))
    back = read_image(f"b.{suffix}")
    assert np.array_equal(back.samples, np.rot90(turned, -1))
    assert back.metadata == {}


def test_an_encode_leaves_metadata_out(run, turned):
    with Image.open("a.jpg") as image:
        exif = image.getexif()
        image.save("p.png", exif=exif, icc_profile=b"a profile", dpi=(300, 300))
    for option, metadata, notes in (
        ("strip", [], TURNED.format("p.png") + COLOURS.format("p.png")),
        ("upright", ["exif", "icc"], ""),
    ):
        result = run("encode", "p.png", f"{option}.nfc", "-e", 1, "--lossless", f"--{option}")
        assert result.code == 0
        assert "".join(line for line in result.err.splitlines(keepends=True) if "note:" in line) == notes
        info = json.loads(run("info", f"{option}.nfc", "--json").out)
        assert (info["width"], info["height"], sorted(info["metadata"])) == (10, 12, metadata)
        assert json.loads(run("compare", "p.png", f"{option}.nfc", "--json").out)["identical"] is True
        assert run("verify", f"{option}.nfc", "--reference", "p.png").code == 0


def test_turned_pictures_are_the_same(run, turned):
    assert run("decode", "a.nfc", "b.ppm").code == 0
    assert json.loads(run("compare", "a.jpg", "b.ppm", "--json").out)["identical"] is True
    assert run("verify", "a.nfc", "--reference", "b.ppm").code == 0
    assert run("verify", "a.nfc", "--reference", "a.jpg").code == 0


def test_no_note_where_nothing_is_turned(run):
    encode_picture(run)
    assert run("decode", "a.nfc", "b.ppm").err == ""


def test_a_seed_that_changes_nothing(run):
    assert "--seed 7 changed nothing: the chain has no random order" in encode_picture(run, "--seed", 7).err
    assert "--seed" not in encode_picture(run, "-f", "--seed", 0).err
    assert "--seed" not in encode_picture(run, "-f", "--seed", 7, "--transform", "rpp").err
    with open("a.png", "wb") as file:
        file.write(PNG)
    assert run("encode", "a.png", "-f", "-q", "-e", 1, "--seed", 7).err == ""


def test_resolution_of_a_png(run):
    Image.open(io.BytesIO(PNG)).save("a.png", dpi=(200, 100))
    assert run("encode", "a.png", "-e", 1).code == 0
    assert run("decode", "a.nfc", "b.png").code == 0
    with Image.open("b.png") as image:
        assert image.info["dpi"] == pytest.approx((200, 100), abs=0.02)


def test_one_page(run):
    pages = [Image.fromarray(picture().samples), Image.fromarray(255 - picture().samples)]
    pages[0].save("a.tif", save_all=True, append_images=pages[1:])
    for verb in (("encode", "a.tif"), ("compare", "a.tif", "a.tif")):
        result = run(*verb)
        assert result.code == 3
        assert "cannot read a.tif: it is an animation or has several pages; name one of them (--frame N)" in result.err
    assert "it has no frame or page 2; they are counted from 0 (--frame N)" in run("encode", "a.tif", "--frame", 2).err
    assert run("encode", "a.tif", "--frame", -1).code == 2
    assert run("encode", "a.tif", "--frame", 1, "-e", 1, "--lossless").code == 0
    assert run("decode", "a.nfc", "b.png").code == 0
    assert np.array_equal(read_image("b.png").samples, 255 - picture().samples)
    assert json.loads(run("compare", "a.tif", "b.png", "--frame", 1, "--json").out)["identical"] is True
    assert run("verify", "a.nfc", "--reference", "a.tif", "--frame", 1).code == 0
    assert run("verify", "a.nfc", "--reference", "a.tif", "--frame", 0).code == 5


def test_inks(run):
    """What is said of how they were converted is said wherever such a picture is read."""
    Image.new("CMYK", (20, 10), (255, 0, 0, 0)).save("a.jpg")
    note = "nfcodec: note: a.jpg: its CMYK inks have no colour profile that could be used, so the colours that it"
    for arguments in (
        ("encode", "a.jpg", "-e", 1),
        ("compare", "a.jpg", "a.nfc"),
        ("verify", "a.nfc", "--reference", "a.jpg"),
    ):
        result = run(*arguments)
        assert result.code == 0
        assert result.err.count(note) == 1
    assert run("encode", "a.jpg", "-e", 1, "-f", "-q").err == ""
