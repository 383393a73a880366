"""Options about a picture, in calls with many files: each file gets what it would get in a call of its own."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nfcodec.cli import _many
from nfcodec.cli.decode import Decode
from nfcodec.cli.encode import Encode
from nfcodec.codec import View
from nfcodec.images.files import read_image
from nfcodec.limits import DEFAULT_LIMITS
from tests.cli.commands import PNG, files

GOLDEN = Path(__file__).parents[1] / "conformance" / "golden"
NFC = (GOLDEN / "wavelet-primes.nfc").read_bytes()  # 37 x 31 pixels
QUICK = ("--field", "samples")


@pytest.fixture
def here(monkeypatch):
    """Let the work be done in this process."""
    monkeypatch.setattr(_many, "_executor", lambda *_: _many._here)


@pytest.fixture
def put(run):
    """Write files into the directory of `run`."""

    def put_all(data, *names):
        for name in names:
            Path(name).write_bytes(data)

    return put_all


@pytest.mark.parametrize("processes", [True, False], ids=["processes", "here"])
def test_decode_regions_in_a_format(run, put, processes, request):
    if not processes:
        request.getfixturevalue("here")
    put(NFC, "a.nfc", "b.nfc")
    options = ("--region", "5,4,10,20", "--scale", "1/2", "--format", "webp", "--strip")
    assert run("decode", "a.nfc", "one.webp", *options).code == 0
    result = run("decode", "a.nfc", "b.nfc", "-o", "out", "--json", *options)
    assert result.code == 0, result.err
    for line in map(json.loads, result.out.splitlines()):
        assert (line["format"], line["width"], line["height"]) == ("webp", 6, 10)
        assert Path(line["path"]).suffix == ".webp"
        assert Path(line["path"]).read_bytes() == Path("one.webp").read_bytes()


def test_a_region_that_only_some_pictures_have(run, put, here, nfc):
    put(NFC, "large.nfc")
    put(nfc, "moved.nfc")  # by rpp
    result = run("decode", "large.nfc", "moved.nfc", "-o", "out", "--region", "30,20,2,2")
    assert result.code == 2
    assert "moved.nfc: the transform rpp has moved the pixels" in result.err
    assert read_image("out/large.png").samples.shape == (2, 2, 3)


def test_a_format_that_only_some_pictures_fit(run, put, here):
    put(NFC, "a.nfc")
    put((GOLDEN / "wavelet-gray16.nfc").read_bytes(), "deep.nfc")
    result = run("decode", "a.nfc", "deep.nfc", "--format", "jpg", "--quality", 80)
    assert result.code == 2
    assert files() == ["a.jpg", "a.nfc", "deep.nfc"]
    assert "deep.nfc" in result.err


def test_encode_frames_upright_and_bare(run, here):
    pages = [Image.new("L", (4, 3), shade) for shade in (10, 20)]
    orientation = Image.Exif()
    orientation[0x0112] = 6
    for name in ("a.tif", "b.tif"):
        pages[0].save(name, save_all=True, append_images=pages[1:])
    Image.new("CMYK", (4, 3), (0, 200, 10, 0)).save("inks.tif")
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save("turned.png", exif=orientation)

    result = run("encode", "a.tif", "b.tif", *QUICK, "--lossless")
    assert result.code == 3
    assert result.err.count("nfcodec: error: ") == 2
    assert run("encode", "a.tif", "b.tif", "--frame", 1, *QUICK, "--lossless").code == 0
    assert run("decode", "a.nfc", "b.nfc", "--format", "npy").code == 0
    assert np.array_equal(np.load("b.npy"), np.full((3, 4), 20))

    result = run("encode", "inks.tif", "turned.png", "--strip", *QUICK, "--lossless", "-v")
    assert result.code == 0, result.err
    notes = [line.removeprefix("nfcodec: note: ") for line in result.err.splitlines() if "note: " in line]
    assert [note.split(":")[0] for note in notes if note.startswith("inks.tif: ")] == ["inks.tif"]
    assert any("turned.png" in note and "--strip" in note for note in notes)
    assert run("decode", "turned.nfc", "turned.npy").code == 0
    assert np.load("turned.npy").shape == (4, 3)


def test_a_report_is_of_one_picture(run, put):
    put(PNG, "a.png", "b.png")
    for more in (("b.png",), ("-o", "out/"), ("--ray", "local")):
        result = run("encode", "a.png", *more, "--report", "page.html", *QUICK)
        assert result.code == 2
        assert "--report is for one file that is encoded here" in result.err
    assert files() == ["a.png", "b.png"]
    assert run("encode", "a.png", "-o", "a.nfc", "--report", "page.html", *QUICK).code == 0
    assert files() == ["a.nfc", "a.png", "b.png", "page.html"]


@pytest.mark.parametrize(
    "work",
    [
        Decode("jpeg", DEFAULT_LIMITS, View((1, 2, 3, 4), 8), quality=5, strip=True),
        Encode({"effort": 1}, DEFAULT_LIMITS, frame=2, upright=True),
    ],
    ids=["decode", "encode"],
)
def test_work_can_be_sent_elsewhere(work):
    assert pickle.loads(pickle.dumps(work)) == work
