"""What the command line says: notes, failures as JSON, which file is meant, and what the help lists."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import nfcodec.codec
import nfcodec.errors
from nfcodec.fields import registry
from nfcodec.images.files import image_bytes
from nfcodec.raster import Raster
from nfcodec.transforms import usages
from tests.cli.commands import PNG, assert_one_clear_line, encode_picture, files, picture


def assert_json_says_it_too(result, kind):
    failure = json.loads(result.out)
    assert failure == {"error": failure["error"], "code": result.code, "kind": kind, "reason": failure["reason"]}
    assert failure["reason"].startswith(getattr(nfcodec.errors, kind).code)
    assert f"nfcodec: error: {failure['error']}" in result.err.splitlines()


WORDS = {"auto": "a table of the pixels' colours", "wavelet": "wavelets", "siren": "a SIREN", "ngp": "Instant-NGP"}


@pytest.mark.parametrize(("field", "words"), WORDS.items())
def test_one_note_says_what_a_random_order_means(run, field, words):
    encoded = encode_picture(run, "--psnr", 22, "--transform", "standardize+rpp", "--field", field)
    report = encoded.report
    note, summary = [line for line in encoded.err.splitlines() if "compiling" not in line]
    assert note.startswith("nfcodec: note: rpp put the pixels in a random order, ")
    assert f"Fitted: {words}, {report['fitted']}" in note
    assert f"At 22 dB such a picture takes at least {report['bound_bytes']:,} bytes (lower bound)." in note
    assert ("--field siren, ngp or grid fits a network" in note) == (field not in ("siren", "ngp", "grid"))
    for said in (report["fitted"], "lower bound"):
        assert said not in summary
    assert f"; {report['field']}; PNG: " in summary
    for word in ("warning", "marginal", "spatial structure"):
        assert word not in encoded.err


def test_a_random_order_without_a_target(run):
    """The bound is for a PSNR."""
    err = encode_picture(run, "--lossless", "--transform", "rpp").err
    assert err.count("note:") == 1
    assert "lower bound" not in err


@pytest.mark.parametrize("transform", ["rpp", "zigzag"])
def test_notes_are_silent_with_q(run, transform):
    assert encode_picture(run, "--psnr", 22, "--transform", transform, "-q").err == ""


def test_python_does_not_warn_of_a_random_order(recwarn):
    options = nfcodec.codec.EncodeOptions(22.0, transform="rpp", effort=1)
    assert "marginal" not in str(nfcodec.codec.encode(picture(), options).report)
    assert not recwarn.list


def test_a_note_says_what_key_planes_take(run):
    encoded = encode_picture(run, "--psnr", 22, "--transform", "rpp+zigzag")
    share = f"{encoded.report['side_info_bytes']:,} of its {encoded.report['bytes']:,} bytes"
    assert f"by which zigzag can be undone, in {share}." in encoded.err
    assert encoded.err.count("note:") == 1
    assert "random order" not in encoded.err
    both = encode_picture(run, "-f", "--psnr", 22, "--transform", "zigzag+rpp").err
    assert both.count("note:") == 1
    assert "random order" in both
    assert "by which zigzag can be undone" in both


def test_steps_are_told_apart(run):
    encoded = encode_picture(run, "--psnr", 30, "--field", "siren", "--transform", "inversion", "-e", 5)
    report = encoded.report
    assert 0 < report["fit_steps"] < report["steps"]
    more = report["steps"] - report["fit_steps"]
    assert f"({report['fit_steps']} to fit, {more} to fine-tune the rounded weights)" in encoded.err


def test_none_joined_to_a_transform_counts_for_nothing(run):
    assert encode_picture(run, "--psnr", 22, "--transform", "none+rpp").report["transform"] == "rpp"


FAILURES = [
    (("encode", "-", "--json"), PNG, "UsageError"),
    (("encode", "-", "a.nfc", "--json", "--psnr"), PNG, "UsageError"),
    (("encode", "-", "a.nfc", "--psnr", "high", "--json"), PNG, "UsageError"),
    (("encode", "--json"), PNG, "UsageError"),
    (("info", "--json", "--what", "-"), PNG, "UsageError"),
    (("encode", "-", "a.nfc", "--json", "--transform", "gamma:99"), PNG, "UsageError"),
    (("encode", "-", "a.nfc", "--json"), b"no image", "ImageReadError"),
    (("encode", "-", "a.nfc", "--json", "--size", 10, "-e", 1), PNG, "TargetNotReachedError"),
    (("encode", "-", "missing/a.nfc", "--json"), PNG, "WriteError"),
    (("encode", "-", "a.nfc", "--json", "--field", "table", "--engine", "tinycudann"), PNG, "EngineError"),
    (("encode", "-", "a.nfc", "--json"), b"P5 100000 100000 65535\n", "LimitError"),
    (("info", "-", "--json"), PNG, "NotNfcError"),
    (("verify", "-", "--json"), b"", "NotNfcError"),
    (("compare", "-", "missing.png", "--json"), PNG, "ImageReadError"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "stdin", "kind"), FAILURES, ids=str)
def test_failures_as_json(run, arguments, stdin, kind):
    result = run(*arguments, stdin=stdin)
    assert result.code == (2 if kind == "UsageError" else getattr(nfcodec.errors, kind).exit_code)
    assert_json_says_it_too(result, kind)
    assert files() == []


@pytest.mark.parametrize("arguments", [("info", "--", "--json"), ("decode", "-"), ("encode", "--psnr")])
def test_json_is_printed_only_if_asked_for(run, arguments):
    assert run("info", "-", "--json").out != b""
    result = run(*arguments)
    assert result.code != 0
    assert_one_clear_line(result)


def test_verify_says_as_json_what_is_wrong(run, nfc):
    with open("other.png", "wb") as file:
        file.write(image_bytes(Raster.from_array(255 - picture().samples)))
    result = run("verify", "-", "--reference", "other.png", "--json", stdin=nfc)
    report = json.loads(result.out)
    assert (report["ok"], report["reached"]) == (True, False)
    assert (report["code"], report["kind"]) == (result.code, "TargetNotReachedError")
    assert report["error"] in result.err


def test_an_nfc_file_is_not_encoded_again(run, nfc):
    for name in ("a.nfc", "a.png"):
        with open(name, "wb") as file:
            file.write(nfc)
        result = run("encode", name, "b.nfc")
        assert result.code == 3
        assert_one_clear_line(result)
        assert f"{name} is an .nfc file already; `nfcodec decode` makes a picture of it" in result.err


@pytest.mark.parametrize("verb", ["decode", "info", "verify"])
def test_a_picture_is_no_nfc_file(run, verb):
    with open("a.png", "wb") as file:
        file.write(PNG)
    result = run(verb, "a.png")
    assert result.code == 4
    assert_one_clear_line(result)
    assert "error: a.png: this is a PNG picture, not an .nfc file; encode it first" in result.err
    assert "error: standard input: this is a PNG picture" in run(verb, "-", stdin=PNG).err


@pytest.mark.parametrize("order", [("good.nfc", "bad.nfc"), ("bad.nfc", "good.nfc")])
def test_compare_says_which_file_is_bad(run, nfc, order):
    for name, data in (("good.nfc", nfc), ("bad.nfc", nfc[:-1])):
        with open(name, "wb") as file:
            file.write(data)
    result = run("compare", *order)
    assert result.code == 4
    assert_one_clear_line(result)
    assert "error: bad.nfc: the file is truncated" in result.err


def test_help_lists_transforms_with_their_ranges(run):
    text = " ".join(run("encode", "--help").out.decode().split())
    for usage, what in usages().items():
        assert f"{usage} {what}" in text
    assert "scale:T T z. T is between 0.001 and 1000; 2 by default." in text


def test_help_lists_fields_and_what_they_are(run):
    text = " ".join(run("encode", "--help").out.decode().partition("\nFields:\n")[2].split())
    found = registry.field_usages()
    assert list(found) == registry.field_names()
    for name, what in found.items():
        assert what
        assert f"{name} {what}" in text


def test_errors_name_the_range_of_a_transform(run):
    for text in ("gamma:99", "gamma:x"):
        result = run("encode", "-", "a.nfc", "--transform", text, stdin=PNG)
        assert_one_clear_line(result)
        assert "gamma:G: G must be a decimal number between 0.05 and 20, " in result.err


def test_help_explains_keys_that_there_are(run):
    report = encode_picture(run, "--psnr", 22).report
    text = run("encode", "--help").out.decode().partition("Keys of --json:")[2]
    keys = re.findall(r"^  (\w+)  ", text, re.MULTILINE)
    assert {"steps", "fit_steps", "fitted", "engine", "seed", "bound_bytes"} <= set(keys) <= set(report)
    assert "error, code, kind, reason" in text


def test_the_keys_of_a_failure_are_described(run):
    failure = json.loads(run("encode", "-", "a.nfc", "--json", stdin=b"no picture").out)
    page = (Path(__file__).parents[2] / "docs/use/cli.md").read_text(encoding="utf-8")
    section = page.partition("## Errors as JSON")[2].partition("## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(failure)


def test_the_size_as_a_png_is_the_smaller_one(run):
    bits = np.random.default_rng(0).integers(0, 2, (48, 48)).astype(np.uint8) * 255
    Path("bits.png").write_bytes(image_bytes(Raster.from_array(bits)))
    report = json.loads(run("encode", "bits.png", "bits.nfc", "--lossless", "--fast", "--json").out)
    assert report["png_bytes"] < 48 * 48 / 8 + 150 < len(image_bytes(Raster.from_array(bits)))


def test_a_note_says_that_a_file_is_larger_than_the_samples(run):
    """Of a field that was named; `auto` makes no such file."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Path("noise.png").write_bytes(image_bytes(Raster(noise), "png"))
    named = run("encode", "noise.png", "--lossless", "-e", 1, "--field", "wavelet")
    assert "note: The file is larger than the samples themselves, which take 1,728 bytes." in named.err
    assert "note" not in run("encode", "noise.png", "-f", "--lossless", "-e", 1).err
