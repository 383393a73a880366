"""The page about an encode: what is kept of its events, the plots, the bytes of its parts, and all kinds of encodes."""

import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

import nfcodec
from nfcodec.codec.breakdown import Share, breakdown
from nfcodec.fitting.request import Event
from nfcodec.pages.comparison import Source
from nfcodec.pages.encoding import MOST_SHARES, encoding_page
from nfcodec.pages.plots import Line, Mark, Plot, ticks
from nfcodec.pages.recording import Recording
from nfcodec.raster import Raster
from tests.cli.commands import picture
from tests.pages.elements import Elements, assert_stands_alone
from tests.pages.pictures import HOSTILE

# ------------------------------------------------------------------------------------------------------- recording


def steps(phase, n, seconds, start=0.0, task="", **more):
    """Events of a phase, one every so many seconds."""
    found = (Event(phase, i, n, 20 + i / n, 40.0, start + i * seconds, task=task) for i in range(n + 1))
    return [replace(each, **more) for each in found]


def recorded(events, further=None):
    recording = Recording(further)
    for event in events:
        recording(event)
    recording.finish()
    return recording


def test_all_events_are_handed_on():
    heard = []
    events = steps("fit", 50, 0.1)
    recorded(events, heard.append)
    assert heard == events


def test_long_encodes_keep_few_events_and_the_ends_of_phases():
    fit, rounding = steps("fit", 100_000, 0.01), steps("quantize", 3, 0.1, start=1000)
    recording = recorded([*fit, *rounding])
    assert 1000 < len(recording.events) < 3500
    for event in (fit[0], fit[-1], rounding[0], rounding[-1]):
        assert event in recording.events
    gaps = [b.seconds - a.seconds for a, b in zip(recording.events, recording.events[1:], strict=False)]
    assert max(gaps) < 0.01 * 1000


def test_phases_tell_what_was_done():
    events = [
        Event("prepare", 0, 0, -math.inf, 40.0, 0.5, "compiling"),
        *steps("fit", 10, 0.1, start=1.0, bits_per_pixel=3.0),
        *steps("quantize", 4, 0.1, start=2.0),
        *steps("fit", 5, 0.2, start=3.0),
        Event("write", 0, 0, 40.1, 40.0, 5.0, "kept", bits_per_pixel=2.0),
    ]
    recording = recorded(events)
    assert recording.messages == ["compiling", "kept"]
    fit = recording.phases["", "fit"]
    assert (fit.begins, fit.steps, fit.psnr_db, fit.bits_per_pixel) == (2, 15, 21, 3.0)
    assert recording.phases["", "quantize"].steps == 5
    assert sum(phase.seconds for phase in recording.phases.values()) == pytest.approx(5.0 - 0.5)


# ----------------------------------------------------------------------------------------------------------- plots


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (31.2, 40.5, [32, 34, 36, 38, 40]), (0, 0.0031, None), (0, 86_400, None)],
)
def test_ticks_are_round(low, high, expected):
    found = ticks(low, high)
    assert expected is None or found == expected
    assert 2 <= len(found) <= 7
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in found)


def test_plots_stay_inside_their_frame():
    lines = [Line([(0, -500), (1, 35), (2, 1e9)], 0), Line([(1, 30)], 1), Line([(0, 31), (2, 32)], 2, joined=False)]
    plot = Plot("A <title>", 'It "says" &', 2.0, 30.0, 40.0, lines, [Mark((2, 40), 1, "<file>")], (36, "<level>"))
    svg = ElementTree.fromstring(re.search("<svg.*</svg>", plot.svg, re.DOTALL)[0])
    (line,) = svg.iter("polyline")
    points = [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]
    assert points == [(56, 226), (382, 126), (708, 26)]
    assert len(list(svg.iter("circle"))) == 4
    assert svg.get("aria-label") == 'A <title> over seconds. It "says" &'
    assert [each.text for each in svg.iter("title")] == ["<file>"]


# ------------------------------------------------------------------------------------------------------------ page


def page_of(source="a.png", shares=None, said=(), **options):
    raster, recording = picture(), Recording()
    encoded = nfcodec.encode_with_report(raster, on_event=recording, **options)
    recording.finish()
    decoded = Raster.from_array(nfcodec.decode_array(encoded.data))
    report = {**encoded.report, "png_bytes": 300, "bound_bytes": None}
    shares = breakdown(encoded.data) if shares is None else shares
    html = encoding_page(Source(source, raster), Source("b.nfc", decoded), report, recording, shares, said)
    html.encode()
    return html, report


@pytest.mark.parametrize(
    "options",
    [
        {"psnr": 30, "effort": 1}, {"psnr": 30, "effort": 3, "field": "wavelet"}, {"lossless": True, "effort": 1},
        {"size": 300, "effort": 1}, {"psnr": 25, "effort": 1, "transform": "rpp"},
        {"psnr": 90, "field": "samples"},
    ],
    ids=str,
)  # fmt: skip
def test_all_kinds_of_encodes(options):
    html, report = page_of(**options)
    assert_stands_alone(html)
    text = Elements(html).text
    assert f"{report['bytes']:,}" in text
    assert report["fitted"] in text
    assert ("no loss" if report["psnr_db"] is None else f"{report['psnr_db']:.2f} dB") in text
    parts = sum(1 for line in text.splitlines() if line.startswith(("weights: ", "header: ", "signature")))
    assert parts == len(re.findall('class="bar"', html))
    svgs = [ElementTree.fromstring(each) for each in re.findall("<svg.*?</svg>", html, re.DOTALL)]
    assert all(svg.get("role") == "img" for svg in svgs)
    files = [circle for svg in svgs for circle in svg.iter("circle") if circle.find("title") is not None]
    if svgs:
        assert any("dB" in (circle.find("title").text or "") for circle in files)


def test_what_others_wrote_is_only_text():
    html, _ = page_of(HOSTILE, [Share(HOSTILE, 9.0)], [HOSTILE], psnr=30, effort=1)
    assert_stands_alone(html)
    assert len(Elements(html).tags("script")) == 1
    assert "<script>alert" not in html


def test_many_parts_are_put_together():
    shares = [Share(f"tensor {i}", 1.0 + i) for i in range(500)]
    html, _ = page_of(shares=shares, psnr=30, effort=1)
    parts = re.findall(r'class="part">(.*?)</th>', html)
    assert len(parts) == MOST_SHARES
    assert parts[-1] == "461 smaller parts"
    assert parts[0] == "tensor 461"
