"""The pages in a real browser: wide and narrow, light and dark, with the keyboard alone, and without a network."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from nfcodec.pages.comparison import comparison_page
from tests.browsing import requests
from tests.pages.pictures import HOSTILE, SIZES, pair
from tests.pages.test_encoding import page_of

HOME, END, RIGHT, DOWN, TAB = "\ue011", "\ue010", "\ue014", "\ue015", "\ue004"

pytestmark = pytest.mark.slow


def clip(browser):
    return browser.execute_script("return getComputedStyle(document.querySelector('.stage .right')).clipPath")


def ground(browser):
    """How bright the page's corner is, of a screenshot."""
    with Image.open(io.BytesIO(browser.get_screenshot_as_png())) as shot:
        pixels = np.asarray(shot.convert("L"))
        assert float(pixels.std()) > 5
        return int(pixels[0, 0])


def shown(browser, width, scheme):
    """Make the window so wide, and light or dark."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def check_every_width(browser):
    """Nothing makes the page wider than its window, and it is as light or dark as is asked for."""
    for width in (1280, 400):
        for scheme in ("light", "dark"):
            shown(browser, width, scheme)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
            images = browser.find_elements("css selector", "img")
            assert all(image.size["width"] > 0.4 * min(width, 600) for image in images if image.is_displayed())
            assert (ground(browser) > 128) == (scheme == "light")


def check_wiping(browser):
    """With the keyboard, and with the pointer."""
    slider = browser.find_element("css selector", ".wipe input")
    assert "50%" in clip(browser)
    slider.send_keys(END)
    assert "100%" in clip(browser)
    slider.send_keys(HOME)
    assert clip(browser).replace("0px", "0%") in ("inset(0% 0% 0% 0%)", "inset(0%)")
    slider.send_keys(RIGHT)
    assert "0.1%" in clip(browser)
    browser.find_element("css selector", ".stage").click()
    assert 45 < float(slider.get_attribute("value")) < 55


def check_quiet(browser, path):
    """No errors, and nothing asked for but the page itself."""
    assert not [entry for entry in browser.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]
    assert requests(browser) == [path.as_uri()]


def opened(browser, html, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(html, encoding="utf-8")
    browser.get("about:blank")
    requests(browser)
    browser.get(path.as_uri())
    return path


def test_a_comparison(browser, tmp_path):
    first, second = pair(90, 120)
    path = opened(browser, comparison_page(first, second, SIZES, 0.9), tmp_path)
    check_every_width(browser)
    check_wiping(browser)
    sizes = browser.find_element("css selector", "select")
    stage = browser.find_element("css selector", ".stage")
    fitting = stage.size["width"]
    for width in (120, 240, 480, 960):
        sizes.send_keys(DOWN)
        assert stage.size["width"] == width
    assert browser.execute_script("return document.documentElement.scrollWidth") == 400
    view = browser.find_element("css selector", ".view")
    assert view.get_attribute("tabindex") == "0"
    view.send_keys(RIGHT)
    sizes.send_keys(HOME)
    assert stage.size["width"] == fitting
    check_quiet(browser, path)


@pytest.mark.parametrize("shape", [(3000, 2), (2, 3000)])
def test_strips_can_be_seen(browser, tmp_path, shape):
    opened(browser, comparison_page(*pair(*shape), SIZES, None), tmp_path)
    for width in (1280, 400):
        shown(browser, width, "light")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        for element in browser.find_elements("css selector", ".view"):
            assert 0 < element.size["height"] <= 0.9 * 800
        for image in browser.find_elements("css selector", "img"):
            assert image.size["width"] >= 90
            assert image.size["height"] >= 4


def test_an_encode(browser, tmp_path):
    path = opened(browser, page_of(psnr=30, effort=3, field="wavelet")[0], tmp_path)
    check_every_width(browser)
    check_wiping(browser)
    plots = browser.find_elements("css selector", ".plot svg")
    assert len(plots) == 2
    assert all(plot.size["width"] >= 570 for plot in plots)  # they scroll, so that one can read them
    bars = [bar.size["width"] for bar in browser.find_elements("css selector", "td.bar div")]
    assert max(bars) > 10 * min(bars)
    check_quiet(browser, path)


def test_hostile_names_do_nothing(browser, tmp_path):
    first, second = pair()
    html = comparison_page(replace(first, name=HOSTILE * 9), second, SIZES, None)
    path = opened(browser, html, tmp_path)
    check_every_width(browser)
    check_quiet(browser, path)
