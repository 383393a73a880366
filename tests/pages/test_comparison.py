"""The page of two pictures: what it says, what it shows, and how it copes with odd and with huge ones."""

import base64
import io
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from nfcodec.metrics import psnr_db
from nfcodec.pages import differences, pictures
from nfcodec.pages.comparison import comparison_page, diff_png
from nfcodec.pages.differences import by_channel, by_part, error_map, heat
from nfcodec.pages.pictures import Shown
from nfcodec.raster import Raster
from tests.pages.elements import Elements, assert_stands_alone
from tests.pages.pictures import HOSTILE, SIZES, pair


def images(html):
    """The pictures on a page."""
    sources = [image["src"] for image in Elements(html).tags("img")]
    return [Image.open(io.BytesIO(base64.b64decode(each.removeprefix("data:image/png;base64,")))) for each in sources]


# ------------------------------------------------------------------------------------------------------- numbers


def test_channels_have_the_numbers_of_their_samples():
    first, second = pair(alpha=True)
    a, b = (each.raster.to_array().astype(float) for each in (first, second))
    found = by_channel(first.raster, second.raster)
    assert [each.name for each in found] == ["all colours", "red", "green", "blue", "alpha"]
    for each, part in zip(found, [slice(0, 3), 0, 1, 2, 3], strict=True):
        apart = b[:, :, part] - a[:, :, part]
        rms = math.sqrt((apart**2).mean())
        expected = (20 * math.log10(255 / rms), rms, apart.mean(), np.abs(apart).max(), (apart == 0).mean())
        assert (each.psnr_db, each.rms, each.mean, each.largest, each.equal) == pytest.approx(expected)


@pytest.mark.parametrize("depth", [8, 16])
def test_pictures_that_are_the_same(depth):
    first, second = pair(channels=1, depth=depth, noise=0)
    (gray,) = by_channel(first.raster, second.raster)
    assert (gray.name, gray.psnr_db, gray.rms, gray.largest, gray.equal) == ("gray", math.inf, 0, 0, 1)
    html = comparison_page(first, second, SIZES, 1.0)
    assert "All colour samples are the same" in html
    assert len(images(html)) == 2
    assert not np.asarray(Image.open(io.BytesIO(diff_png(first.raster, second.raster)))).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (7, 2), (31, 17)])
def test_parts_cover_the_picture(shape):
    first, second = (each.raster.samples for each in pair(*shape))
    parts = by_part(first, second, 255)
    assert (len(parts), len(parts[0])) == tuple(min(side, 3) for side in shape)
    if shape == (1, 1):
        assert parts == [[psnr_db(first, second, 255)]]
    if shape == (31, 17):
        assert parts[2][0] == psnr_db(first[20:, :5], second[20:, :5], 255)
    assert comparison_page(*pair(*shape), SIZES, None).count("<tr>") == len(parts) + 1 + 3 + 5


# ----------------------------------------------------------------------------------------------------------- map


@pytest.mark.parametrize("factor", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("depth", [8, 16])
def test_the_map_is_the_rms_of_squares(monkeypatch, factor, depth):
    monkeypatch.setattr(differences, "BAND", 500)
    a, b = (each.raster.samples for each in pair(31, 22, depth=depth))
    found = error_map(a, b, factor)
    squares = (a.astype(float) - b) ** 2
    expected = [
        [math.sqrt(squares[y : y + factor, x : x + factor].mean()) for x in range(0, 22, factor)]
        for y in range(0, 31, factor)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_map_grows_brighter_up_to_its_end():
    colours = heat(np.linspace(0, 12, 200, dtype=np.float32)[None], 8.0)[0].astype(float)
    brightness = colours @ [0.299, 0.587, 0.114]
    assert (np.diff(brightness[:130]) >= 0).all()
    assert tuple(colours[0]) == (0, 0, 0)
    assert (colours[134:] == (255, 248, 208)).all()


def test_the_map_as_a_file_has_all_pixels(monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 100)
    first, second = pair()
    second.raster.samples[5, 6] = 255 - second.raster.samples[5, 6]
    image = Image.open(io.BytesIO(diff_png(first.raster, second.raster)))
    assert (image.mode, image.size) == ("RGB", (40, 30))
    assert image.getpixel((6, 5)) == max(image.getpixel((x, y)) for x in range(40) for y in range(30))


# ---------------------------------------------------------------------------------------------------------- page


def test_the_page_stands_alone_and_says_it_all():
    first, second = pair()
    html = comparison_page(first, second, SIZES, 0.98765432)
    assert_stands_alone(html)
    text = Elements(html).text
    assert f"{psnr_db(first.raster.samples, second.raster.samples, 255):.2f} dB" in text
    for said in ("0.987654", "1,000", "6.667", "0.667", "40 x 30", "3 x 8 bits", "red", "bottom"):
        assert said in text
    assert [image.size for image in images(html)] == [(40, 30)] * 3
    np.testing.assert_array_equal(np.asarray(images(html)[1]), second.raster.samples)


def test_names_of_files_are_only_text():
    first, second = (replace(each, name=HOSTILE) for each in pair())
    html = comparison_page(first, second, SIZES, None)
    html.encode()
    assert_stands_alone(html)
    elements = Elements(html)
    assert len(elements.tags("script")) == 1
    assert "<script>alert" not in html
    assert not re.search("[\u202e\udcff]", html)
    assert "the picture is too small" in elements.text


@pytest.mark.parametrize(("channels", "depth", "alpha"), [(1, 8, False), (1, 16, True), (3, 16, False), (3, 8, True)])
def test_all_kinds_of_pictures_are_shown(channels, depth, alpha):
    first, second = pair(channels=channels, depth=depth, alpha=alpha)
    html = comparison_page(first, second, SIZES, None)
    shown = np.asarray(images(html)[0])
    expected = first.raster.to_array()
    np.testing.assert_array_equal(shown, expected if depth == 8 else expected >> 8)
    assert ("alpha" in Elements(html).text.splitlines()) == alpha


def test_profiles_are_shown_with(monkeypatch):
    first, second = pair()
    icc = bytes(128)
    html = comparison_page(replace(first, icc=icc), second, SIZES, None)
    assert [image.info.get("icc_profile") for image in images(html)] == [icc, None, None]


# ---------------------------------------------------------------------------------------------------------- huge


@pytest.mark.parametrize(
    ("size", "factor"),
    [((1, 1), 1), ((2000, 2000), 1), ((2001, 2000), 2), ((9000, 9000), 5), ((1, 30_000), 2), ((100_000, 3), 7)],
)
def test_large_pictures_are_reduced(size, factor):
    shown = Shown.of(*size)
    assert shown.factor == factor
    assert (shown.note is None) == (factor == 1)
    assert all(math.ceil(side / factor) <= pictures.LONGEST_SIDE for side in size)
    assert size[0] * size[1] / factor**2 <= pictures.MOST_PIXELS


def test_a_reduced_page_says_so_and_keeps_its_numbers(monkeypatch):
    first, second = pair(31, 40)
    whole = comparison_page(first, second, SIZES, None)
    monkeypatch.setattr(pictures, "MOST_PIXELS", 200)
    html = comparison_page(first, second, SIZES, None)
    assert "the mean of 3 x 3 pixels" in html
    assert [image.size for image in images(html)] == [(14, 11)] * 3
    tables = [re.findall(r"<table>.*?</table>", each, re.DOTALL) for each in (whole, html)]
    assert tables[0] == tables[1]


@pytest.mark.parametrize("shape", [(7, 5, 3), (7, 5), (1, 9, 1)])
def test_means_are_those_of_squares(shape):
    plane = np.random.default_rng(1).integers(0, 65536, shape, np.uint16)
    found = pictures._means(plane, 3)
    assert found.shape == (math.ceil(shape[0] / 3), math.ceil(shape[1] / 3), *shape[2:])
    assert found[0, -1] == pytest.approx(
        plane[:3, shape[1] // 3 * 3 if shape[1] % 3 else -3 :].mean(axis=(0, 1)), abs=0.5
    )


def test_a_bright_picture_is_not_wrapped_round():
    raster = Raster(np.full((9, 9, 1), 65535, np.uint16))
    image = Image.open(io.BytesIO(Shown(4).png(raster)))
    assert (np.asarray(image) == 255).all()
