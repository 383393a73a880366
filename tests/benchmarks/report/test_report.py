"""The report: records in groups, plots, and the page, which is also driven in a browser."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.report.answer import QUESTION, answer
from benchmarks.report.comparisons import Comparison, comparisons
from benchmarks.report.encode_groups import codec_setups
from benchmarks.report.estimates import Mean, Ratio
from benchmarks.report.evidence import settings
from benchmarks.report.grouping import ImageKey, Setup, accelerations, by_dataset, by_image, having, setups
from benchmarks.report.page import REST, page
from benchmarks.report.panels import panels
from benchmarks.report.plot import number, plain_log
from benchmarks.report.plots import Plot, plots
from benchmarks.report.plots_maps import thumbnail
from benchmarks.report.table import Table
from benchmarks.report.tables import tables
from nfcodec.pages import Side
from tests.browsing import requests
from tests.pages.elements import Elements, assert_stands_alone

RNG = np.random.default_rng(0)
SIREN = {"field": "siren", "width": 32, "side": 32, "precision": "fp32"}
NGP = {"field": "ngp", "width": 0, "side": 32, "precision": "fp16"}
STEPS = {"none": 100, "rpp": 50, "zigzag": 10}


def png(samples: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()


def run(study: str, image: str, transform: str, *, dataset: str = "kodak", shape=SIREN, **results):
    settings = {"target_db": 50.0, "max_steps": 1000, "seed": 0, **shape}
    key = f"{study}-{dataset}-{image}-{transform}-{shape['field']}"
    return {"key": key, "study": study, "dataset": dataset, "image": image, "transform": transform} | settings | results


def search(image: str, transform: str, steps: int | None, *, dataset: str = "kodak", shape=SIREN):
    """One of the study "paper"; steps None: no rate arrived, all diverged."""
    if steps is None:
        return run("paper", image, transform, dataset=dataset, shape=shape, reached=False, steps=3)
    curve = [[step, 10 + 40 * step / steps] for step in (0, 1, steps // 2, steps)]
    results = {"reached": True, "steps": steps, "log2_rate": -9, "seconds": 1.0, "curve": curve}
    return run("paper", image, transform, dataset=dataset, shape=shape, **results)


def watched(image: str, transform: str, shape=SIREN):
    """One of the study "dynamics", with everything."""
    lowest = 12.0 if transform == "none" else 28.0
    plane = {"along": [-0.5, 0.0, 1.0, 1.5], "across": [-1.0, 0.0, 1.0]}
    picture = {"picture": png(RNG.integers(0, 256, (8, 8), np.uint8)), "error": png(np.full((8, 8), 200, np.uint8))}
    return run(
        "dynamics", image, transform, shape=shape, reached=True, steps=40,
        curve=[[0, 8.0], [1, -999.0], [10, 25.0], [40, 50.1]],
        spectrum=(RNG.random((4, 4)) * 5).tolist(),
        squared_error_variance={"20": 1e-3, "30": 2e-5, "40": 1e-7, "50": 5e-10},
        line=[30.0, lowest, 40.0, 50.0],
        plane_0_30={**plane, "psnr_db": (RNG.random((3, 4)) * 30 - 10).tolist()},
        plane_30_50={**plane, "psnr_db": (20 + RNG.random((3, 4)) * 30).tolist()},
        original=png(np.arange(64, dtype=np.uint8).reshape(8, 8)),
        reconstructions={"20": picture, "30": picture},
    )  # fmt: skip


def encode(image: str, transform: str, repeat: int, n_bytes: int):
    settings = {"field": "siren", "side": 0, "gray": False, "target_db": 40.0, "effort": 5, "repeat": repeat}
    results = {
        "bytes": n_bytes,
        "encode_seconds": 1.5 + repeat,
        "reached": transform == "none",
        "steps": 9,
        "fit_steps": 8,
    }
    names = {"study": "codec", "dataset": "kodak", "image": image, "transform": transform}
    return {
        "key": f"c-{image}-{transform}-{repeat}",
        **names,
        **settings,
        **results,
        "processor": "a CPU",
        "threads": 2,
    }


def gallery():
    shown = {
        chain: {"picture": png(np.full((300, 300), 7, np.uint8)), "counts": [3, 0, 1], "lowest": low, "highest": 0.9}
        for chain, low in (("none", 0.0), ("rpp", 0.9))
    }
    return {"key": "g", "study": "gallery", "dataset": "kodak", "image": "one", "side": 32, "seed": 0, "gallery": shown}


@pytest.fixture(scope="module")
def rows():
    found = [
        search(image, transform, steps + i, dataset=dataset, shape=shape)
        for shape in (SIREN, NGP)
        for dataset in ("kodak", "holiday")
        for i, image in enumerate(("one", "two"))
        for transform, steps in STEPS.items()
    ]
    found.append(search("three", "none", 100, shape=NGP))
    found.append(search("three", "rpp", None, shape=NGP))
    found += [watched(image, transform) for image in ("one", "two") for transform in ("none", "rpp")]
    found += [encode(image, transform, r, 900) for image in "ab" for transform in ("none", "rpp") for r in (0, 1)]
    return [*found, gallery()]


@pytest.fixture(scope="module")
def drawn(rows) -> dict[str, Plot]:
    found = plots(rows)
    assert len({plot.name for plot in found}) == len(found)
    return {plot.name: plot for plot in found}


# ---------------------------------------------------------------------------------------------------------- grouping


def test_set_ups_are_what_can_be_compared():
    different = (("width", 64), ("loss", "frog"), ("max_steps", 9))
    others = [{**search("one", "none", 9), key: value} for key, value in different]
    found = setups([search("one", "none", 9), search("one", "rpp", 9), watched("one", "none"), *others])
    assert [len(group) for group in found.values()] == [1, 2, 1, 1]
    assert len({setup.name for setup in found}) == len({setup.title for setup in found}) == 4
    assert len(setups([search("one", "none", 9), watched("one", "none")], "paper", "dynamics")) == 1
    machines = [encode("a", "none", 0, 1), {**encode("a", "none", 1, 1), "processor": "another"}]
    assert len(codec_setups(machines)) == 2


def test_pictures_and_their_runs():
    again = search("one", "none", 70)
    images = by_image([search("two", "rpp", 5), search("one", "none", 80), again, search("one", "rpp", None)])
    assert list(images) == [ImageKey("kodak", "one"), ImageKey("kodak", "two")]
    assert images[ImageKey("kodak", "one")]["none"] is again
    assert list(having(images, ("none", "rpp"))) == [ImageKey("kodak", "one")]
    assert not having(images, ("none", "rpp"), "curve")


def test_the_papers_datasets_come_first_and_in_its_order():
    names = ("zoo", "clic", "art", "div2k_valid", "kodak")
    assert list(by_dataset(by_image(search("one", "none", 1, dataset=name) for name in names))) == [
        "kodak", "div2k_valid", "clic", "art", "zoo",
    ]  # fmt: skip


def test_settings_at_their_defaults_go_without_saying():
    row = search("one", "none", 9)
    assert Setup.of({**row, "engine": "torch"}) == Setup.of({**row, "engine": "numba"}) == Setup.of(row)
    assert Setup.of({**row, "engine": "plain"}).chosen == ["in plain PyTorch"]  # begins with other weights
    wire = {**row, "field": "wire", "engine": "plain"}
    assert not Setup.of(wire).chosen
    assert Setup.of(row | {"loss": "l2", "growth": 0.0, "table": 24, "adam": "field"}) == Setup.of(row)
    setup = Setup.of(row | {"loss": "relative-l2", "growth": 1.5, "table": 15, "adam": "usual", "precision": "fp16"})
    assert setup.chosen == ["relative L2", "growth 1.5", "table 2^15", "usual Adam", "fp16"]
    assert setup.name == "siren-w32-32-fp16-max1000-loss-relative-l2-growth-1_5-table-15-adam-usual"
    assert Setup.of(row | {"entries": 0.1}).chosen == ["entries within 0.1"]
    assert Setup.of(row | {"entries": 1.0}).chosen == ["entries within 1"]


def test_seeds_are_runs_of_one_picture():
    again = [{**search("a", chain, steps), "seed": 1} for chain, steps in (("none", 100), ("rpp", 25))]
    rows = [search("a", "none", 100), search("a", "rpp", 50), *again]
    assert len(setups(rows)) == 1
    images = by_image(rows)
    assert [key.title for key in images] == ["kodak a", "kodak a, seed 1"]
    assert accelerations(images.values(), "rpp") == [Ratio(3.0, "exact")]
    rows[-1] |= {"reached": False}
    assert accelerations(by_image(rows).values(), "rpp") == [Ratio((2 + 0.1) / 2, "at most")]


def test_a_search_that_never_arrived_counts_with_the_cap():
    images = by_image([search("a", "none", 100), search("a", "rpp", None), search("b", "none", 9)])
    assert accelerations(images.values(), "rpp") == [Ratio(0.1, "at most")]


# ---------------------------------------------------------------------------------------------------------- plots


def test_one_plot_each_of_what_there_is(drawn):
    siren, ngp = "siren-w32-32-fp32-max1000", "ngp-32-fp16-max1000"
    kinds = ("best-rates", "psnr-by-step")
    more = ("error-variance", "barrier", "loss-planes", "spectrum")
    assert set(drawn) == {
        *(f"{kind}-{ngp}" for kind in kinds), *(f"{kind}-{siren}" for kind in (*kinds, *more)), "gallery-32",
        "codec-siren-whole-rgb-40db-effort5",
    }  # fmt: skip


def test_no_plots_without_data():
    assert not plots([])
    assert not plots([search("one", "none", None), run("dynamics", "one", "none", reached=False, steps=1)])


def test_plots_are_svg_on_its_own(drawn):
    for plot in drawn.values():
        root = ElementTree.fromstring(plot.svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert plot.title
        assert plot.caption.endswith(".")
        for element in root.iter():
            for name, value in element.attrib.items():
                if name.endswith("href"):
                    assert value.startswith((f"#{plot.name}--", "data:image/png;base64,"))
        assert not re.findall(r"https?://(?!www\.w3\.org/)", plot.svg)


def test_the_same_records_give_the_same_bytes(rows, drawn):
    assert plots(rows) == list(drawn.values())


def texts(plot: Plot) -> list[str]:
    return [
        "".join(each.itertext()) for each in ElementTree.fromstring(plot.svg).iter("{http://www.w3.org/2000/svg}text")
    ]


def test_curves_of_many_transforms_are_those_of_the_fastest():
    steps = {"none": 100, "rpp": 150, "inversion": 200, "zigzag": 10, "standardize": 50, "gamma:2": 120}
    steps |= {"scale:2": 60, "scale:0.5": 70, "center:1": 80}
    (plot,) = [
        plot
        for plot in plots([search("one", transform, n) for transform, n in steps.items()])
        if plot.name.startswith("psnr-by-step")
    ]
    assert {"original", "RPP", "zigzag", "standardize", "scale:2", "scale:0.5"} <= set(texts(plot))
    assert not {"inversion", "gamma:2", "center:1"} & set(texts(plot))
    assert "Of 8 transforms, RPP and those with the fewest steps on average." in plot.caption


def test_best_rates_count_pictures(drawn):
    plot = drawn["best-rates-ngp-32-fp16-max1000"]
    assert sorted(text for text in texts(plot) if text.isdigit()) == ["4", "4", "5"]
    assert "13 of 14 searches arrived" in plot.caption


def test_the_barrier_says_how_low_it_gets(drawn):
    caption = drawn["barrier-siren-w32-32-fp32-max1000"].caption
    assert "12.0 dB for original and 28.0 dB for RPP" in caption
    assert "15.3 dB for original and 28.3 dB for RPP" in caption


def test_two_machines_give_two_plots_with_names_of_their_own(rows):
    both = [*(row for row in rows if row["study"] == "codec")]
    both += [{**row, "processor": "another", "key": row["key"] + "-"} for row in both]
    first, second = plots(both)
    assert second.name == first.name + "-2"
    ids = [set(re.findall(r'\bid="([^"]+)"', plot.svg)) for plot in (first, second)]
    assert not ids[0] & ids[1]


def test_numbers_on_axes():
    values = {0.5: "0.5", 1: "1", 20: "20", 20_000: "20,000", 1e-4: "10⁻⁴", 2.5e-10: "2.5 x 10⁻¹⁰", 1e8: "10⁸"}
    assert [number(value) for value in values] == list(values.values())


@pytest.mark.parametrize(("low", "high"), [(45_000, 55_000), (1, 2.9), (0.05, 20), (1, 1e5)])
def test_logarithmic_axes_have_a_few_ticks(low, high):
    axes = Figure().add_subplot()
    plain_log(axes, "x", (1, 2, 5))
    axes.set_xlim(low, high)
    assert 2 <= sum(low <= tick <= high for tick in axes.get_xticks()) <= 16


def test_thumbnails_leave_out_pixels_instead_of_mixing_them():
    small = thumbnail(png(RNG.choice(np.array([0, 255], np.uint8), (300, 200))))
    assert small.shape == (100, 67)
    assert set(np.unique(small)) == {0, 255}


# ---------------------------------------------------------------------------------------------------------- page

TABLE = Table(
    "Steps & co.", "Steps", ("name", "steps", "acceleration"),
    (
        ("b", 20, Mean.of([Ratio(2.0, "exact"), Ratio(3.0, "exact")] * 3)),
        ("a", 100, None),
        ("c", 3, Mean.of([Ratio(0.5, "at most")])),
        ("d", 20, float("nan")),
    ),
    ("A <note>.",),
)  # fmt: skip


@pytest.fixture(scope="module")
def html(rows, drawn) -> str:
    return page("A report", [TABLE], list(drawn.values()), comparisons(rows), ["One note."])


@pytest.fixture(scope="module")
def story(rows, drawn) -> str:
    made = [TABLE, *tables(rows)]
    return page("A", made, list(drawn.values()), comparisons(rows), [], answer(rows), panels(settings(rows)))


def headings(html: str) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", html)


def test_the_page_needs_nothing_else(html):
    assert_stands_alone(html)


def test_the_answer_comes_first_and_the_rest_is_folded(story, html):
    assert headings(story) == [QUESTION, "Table 1, cell by cell", "Curves", "Pictures", REST]
    shown, _, folded = story.partition("<details")
    assert {"table-table-1-siren", "plot-psnr-by-step-siren-w32-32-fp32-max1000", "picture-4"} <= set(
        Elements(shown).values("id")
    )
    assert {"table-Steps-co-", "plot-gallery-32", "picture-5"} <= set(Elements(folded).values("id"))
    assert not [values for values in Elements(story).tags("details") if "open" in values]
    assert not headings(html)
    assert all("open" in values for values in Elements(html).tags("details"))
    assert_stands_alone(story)


@pytest.mark.parametrize("which", ["html", "story"])
def test_links_lead_somewhere(which, request):
    elements = Elements(request.getfixturevalue(which))
    ids = elements.values("id")
    links = {values["href"] or "" for tag, values in elements.found if tag == "a"}
    assert {link[1:] for link in links} <= set(ids)
    assert {"#table-Steps-co-", "#plot-gallery-32", "#picture-1"} <= links


def test_everything_is_escaped():
    bad = "<script>alert('1 & \"2\"')</script>"
    table = Table(bad, bad, (bad,), ((bad,),), (bad,))
    plot = Plot("p", bad, '<svg xmlns="http://www.w3.org/2000/svg"/>', bad)
    html = page(bad, [table], [plot], [Comparison(bad, Side(bad, '">' + bad), Side(bad, "AA=="))], [bad])
    elements = Elements(html)
    assert [tag for tag, _ in elements.found].count("script") == 1
    assert "<script>alert" not in html
    assert all(bad in elements.values(name) for name in ("data-order", "aria-label", "alt"))


def test_cells_carry_what_they_are_sorted_by(html):
    assert Elements(html).values("data-order") == ["b", "20", "2.5", "a", "100", "", "c", "3", "0.5", "d", "20", ""]
    assert "≤ 0.50" in html
    assert "2.50 <small>[" in html


def test_plots_follow_light_and_dark(html):
    plotted = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert "var(--ink)" in plotted
    assert "var(--rpp)" in plotted
    assert "#22262b" not in plotted


def test_sections_that_have_nothing_are_left_out():
    assert headings(page("T", [], [], [], [], ["One sentence."])) == [QUESTION]
    assert headings(page("T", [TABLE], [], [], [], ["One `sentence`."])) == [QUESTION, REST]
    assert "<code>sentence</code>" in page("T", [TABLE], [], [], [], ["One `sentence`."])


def test_comparisons(rows):
    found = comparisons(rows)
    assert len(found) == 8
    assert [each.title.partition(". ")[0] for each in found[:4]] == [
        "Original, and fitted as it is to 30 dB", "Original, and fitted with RPP to 30 dB", "Both at 30 dB",
        "Errors at 30 dB, white is 4 RMS",
    ]  # fmt: skip
    assert len(comparisons(rows, n_images=1)) == 4
    others = comparisons([watched("one", name) for name in ("sympower", "none", "rpp")])
    assert [each.right.label for each in others] == [
        "fitted as it is, 30 dB", "fitted with RPP, 30 dB", "fitted with sympower, 30 dB",
        *["fitted with RPP, 30 dB"] * 2, *["fitted with sympower, 30 dB"] * 2,
    ]  # fmt: skip
    assert len(comparisons([watched("one", "rpp")])) == 1
    again = {key: value for key, value in watched("one", "rpp").items() if key not in ("original", "reconstructions")}
    assert len(comparisons([watched("one", "rpp"), again])) == 1
    ngp = watched("one", "none", NGP)
    assert comparisons([ngp])[0].right.label == "fitted as it is, 20 dB"
    assert not comparisons([{**ngp, "reconstructions": {}}])


# ---------------------------------------------------------------------------------------------------------- browser


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 400])
def test_the_answer_in_a_browser(browser, story, tmp_path, width):
    path = tmp_path / "report.html"
    path.write_text(story, encoding="utf-8")
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(path.as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    for element in browser.find_elements("css selector", ".panel, .plots svg, .pictures .stage"):
        if element.is_displayed():
            assert min(240, width - 40) < element.size["width"] <= width
    hidden = browser.find_element("id", "plot-gallery-32")
    assert not hidden.is_displayed()
    browser.execute_script("location.hash = 'plot-gallery-32'")
    wait = pytest.importorskip("selenium.webdriver.support.wait")
    wait.WebDriverWait(browser, 5).until(lambda _: hidden.is_displayed())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_in_a_browser(browser, html, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(html, encoding="utf-8")
    browser.get("about:blank")
    requests(browser)
    browser.get(path.as_uri())

    def column(i: int) -> list[str]:
        return browser.execute_script(
            "return [...document.querySelectorAll('tbody tr')].map(row => row.cells[arguments[0]].textContent)", i
        )

    def sorted_by() -> list[str | None]:
        return [each.get_attribute("aria-sort") for each in browser.find_elements("css selector", "th")]

    headers = browser.find_elements("css selector", "th button")
    assert column(0) == ["b", "a", "c", "d"]
    headers[1].click()
    assert column(1) == ["3", "20", "20", "100"]
    assert column(0) == ["c", "b", "d", "a"]
    assert sorted_by() == [None, "ascending", None]
    headers[1].send_keys("\n")
    assert column(0) == ["a", "b", "d", "c"]
    assert sorted_by() == [None, "descending", None]
    for missing_last in (["c", "b"], ["b", "c"]):
        headers[2].click()
        assert column(0)[:2] == missing_last
    headers[0].click()
    assert column(0) == ["a", "b", "c", "d"]
    assert sorted_by() == ["ascending", None, None]

    def clip() -> str:
        return browser.execute_script("return getComputedStyle(document.querySelector('.stage .right')).clipPath")

    slider = browser.find_element("css selector", ".wipe input")
    assert "50%" in clip()
    slider.send_keys("\ue010")  # End
    assert "100%" in clip()
    slider.send_keys("\ue011")  # Home
    assert clip().replace("0px", "0%") in ("inset(0% 0% 0% 0%)", "inset(0%)")
    browser.find_element("css selector", ".stage").click()
    assert 45 < float(re.findall(r"([\d.]+)%", clip())[0]) < 55

    browser.execute_script("window.scrollTo(0, 0)")
    with Image.open(io.BytesIO(browser.get_screenshot_as_png())) as shot:
        assert float(np.asarray(shot.convert("L")).std()) > 5
    assert not [entry for entry in browser.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]
    assert requests(browser) == [path.as_uri()]
