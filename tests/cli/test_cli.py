import errno
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import nfcodec.cli._console
import nfcodec.codec
import nfcodec.errors
import nfcodec.fitting.engines
from nfcodec.codec.document import parse
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.table.field import Table
from nfcodec.fitting.plans import Plan, Stage
from nfcodec.fitting.request import Event
from nfcodec.images.files import image_bytes, read_image
from nfcodec.limits import DEFAULT_LIMITS
from nfcodec.metrics import psnr_db
from nfcodec.raster import Raster
from tests.cli.commands import (
    CLOSED_FORM,
    ENCODE_KEYS,
    PNG,
    PSNR_DB,
    assert_one_clear_line,
    encode_picture,
    files,
    picture,
)

# ------------------------------------------------------------------------------------------------------ encode, decode


def test_encode_and_decode(run):
    with open("a.png", "wb") as file:
        file.write(PNG)
    result = run("encode", "a.png", "--psnr", PSNR_DB, "-e", 2, "--json", "--field", "wavelet")
    assert result.code == 0, result.err
    report = json.loads(result.out)
    assert report.keys() >= ENCODE_KEYS
    assert report["path"] == "a.nfc"
    assert report["bytes"] == os.path.getsize("a.nfc")
    assert report["bpp"] == pytest.approx(8 * report["bytes"] / 120)
    assert report["reached"] is True
    steps = f"{report['steps']} gradient steps"
    fitted = f"solved in closed form; {steps} brought nothing" if report["engine"] is None else f"by {steps}"
    assert (report["field"], report["fitted"]) == ("wavelet", fitted)
    assert report["recipe"]
    assert "dB (target 30 dB)" in result.err
    assert f"; wavelet, {report['fitted']}; PNG: {report['png_bytes']} bytes" in result.err
    assert "note" not in result.err
    assert "recipe" not in result.err

    assert run("decode", "a.nfc", "b.png").code == 0
    reached = psnr_db(picture().samples, read_image("b.png").samples, 255)
    assert reached >= PSNR_DB
    assert reached == pytest.approx(report["psnr_db"], abs=1e-3)
    assert files() == ["a.nfc", "a.png", "b.png"]


FIELDS = [
    (("--transform", "none"), "wavelet", CLOSED_FORM),
    (("--transform", "rpp"), "table", CLOSED_FORM),
    (("--field", "auto"), "wavelet", CLOSED_FORM),
    (("--field", "wavelet", "--transform", "rpp"), "wavelet", CLOSED_FORM),
    (("--field", "table"), "table", CLOSED_FORM),
    (("--field", "siren"), "siren", "by gradient steps"),
    (("--field", "ngp"), "ngp", "by gradient steps"),
]


@pytest.mark.parametrize(("options", "name", "fitted"), FIELDS, ids=str)
def test_every_family(run, options, name, fitted):
    """The field asked for is fitted, and the file and all that is printed say which it is, and how it was fitted."""
    encoded = encode_picture(run, "--psnr", 22, *options)
    report, steps = encoded.report, encoded.report["steps"]
    assert report["field"] == name
    assert report["fitted"] == (CLOSED_FORM if fitted == CLOSED_FORM else f"by {steps} gradient steps")
    assert (steps > 0) == (fitted != CLOSED_FORM)
    assert (f"; {name}; " if "rpp" in options else f"; {name}, {report['fitted']}") in encoded.err
    assert encoded.err.count("(lower bound)") == ("rpp" in options)

    assert run("verify", "a.nfc", "--reference", "a.png", "-q").code == 0
    info = json.loads(run("info", "a.nfc", "--json").out)
    assert (info["field"], info["fitted"]) == (name, fitted)
    assert info["seed"] == (report["seed"] if "rpp" in options else None)
    assert (report["seed"] is None) == (fitted == CLOSED_FORM and "rpp" not in options)
    text = run("info", "a.nfc").out.decode()
    rows = dict(line.split(maxsplit=1) for line in text.splitlines())
    assert (rows["field"], rows["fitted"]) == (name, fitted)
    assert rows["seed"] == ("0" if "rpp" in options else "-")


def test_sizes_of_a_field(run):
    """All or some of them, in any order; the others are chosen."""
    for sizes in ("hidden=6x3,levels=2,table=6,features=4", "hidden=5", "levels=1"):
        report = encode_picture(run, "--psnr", 22, "--field", f"ngp:{sizes}", "-f").report
        assert report["field"] == "ngp"
        assert run("verify", "a.nfc", "--reference", "a.png", "-q").code == 0
        with open("a.nfc", "rb") as file:
            field = parse(file.read(), DEFAULT_LIMITS).field
        assert isinstance(field, Ngp)
        assert len(field.levels) == {"hidden=5": len(field.levels), "levels=1": 1}.get(sizes, 2)
        assert field.hidden == {"hidden=5": (5,), "levels=1": field.hidden}.get(sizes, (6, 3))
        if "table" in sizes:
            assert [(level.size, level.features) for level in field.levels] == [(56, 4), (64, 4)]


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("ngp:levels=0", "'levels=0' makes no ngp field; there may be levels=1..32"),
        ("ngp:levels=8,hidden=16x", "'hidden=16x' makes no ngp field"),
        ("ngp:depth=8", "an ngp field has no 'depth'; it has levels=1..32, table=3..24"),
        ("ngp:", "an ngp field has no ''"),
        ("wavelet:levels=3", "there is nothing to say of the field 'wavelet', such as 'levels=3'"),
        ("auto:levels=3", "there is nothing to say of the field 'auto', such as 'levels=3'"),
        ("mlp:levels=3", "'mlp' is not one of"),
        (":levels=3", "'' is not one of"),
    ],
)
def test_sizes_that_make_no_field(run, field, words):
    result = run("encode", "-", "a.nfc", "--field", field, stdin=PNG)
    assert result.code == 2
    assert_one_clear_line(result)
    assert words in result.err
    assert files() == []


@pytest.mark.parametrize(("field", "setting"), [("auto", "rate 0.05"), ("siren", "fit steps 1200"), ("ngp", "")])
def test_verbose_prints_the_recipe(run, field, setting):
    encoded = encode_picture(run, "--psnr", 20, "--field", field, "-v")
    name = "wavelet" if field == "auto" else field
    [line] = [line for line in encoded.err.splitlines() if line.startswith("recipe")]
    assert line.startswith(f"recipe of effort 1 for {name}: ")
    assert setting in line
    for key, value in encoded.report["recipe"].items():
        assert isinstance(value, dict) or f"{key.replace('_', ' ')} " in line
        assert not isinstance(value, int | float) or f"{value:g}" in line
    assert "{" not in line


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--field", "wavelet", "--engine", "torch"), "wavelets are fitted by the engine 'numba', not by 'torch'"),
        (("--field", "wavelet", "--device", "cuda"), "wavelets are fitted by the engine 'numba'"),
        (("--field", "table", "--engine", "tinycudann"), "the engine 'tinycudann'"),
        (("--field", "siren", "--engine", "tinycudann"), "cannot fit SIRENs"),
        (("--engine", "tinycudann"), "the engine 'tinycudann'"),
        (("--engine", "numba", "--device", "cuda"), "no field can be fitted by the engine 'numba'"),
    ],
    ids=str,
)  # fmt: skip
def test_a_field_that_the_engine_cannot_fit(run, options, words):
    result = run("encode", "-", "a.nfc", *options, stdin=PNG)
    assert result.code == 1
    assert_one_clear_line(result)
    assert words in result.err
    assert files() == []


def test_auto_takes_another_family_where_the_engine_cannot_fit_wavelets(run):
    pytest.importorskip("torch")
    assert encode_picture(run, "--psnr", 20, "--engine", "torch").report["field"] == "table"


@pytest.mark.parametrize(
    "options",
    [("--field", "wavelet"), ("--transform", "rpp"), ("--field", "siren", "--max-steps", 20)],
    ids=str,
)
def test_lossless(run, options):
    encoded = encode_picture(run, "--lossless", *options)
    assert (encoded.report["psnr_db"], encoded.report["target_psnr_db"]) == (None, None)
    assert encoded.report["bound_bytes"] is None
    assert "lossless (target no loss)" in encoded.err
    assert run("decode", "a.nfc", "b.png").code == 0
    assert np.array_equal(read_image("b.png").samples, picture().samples)
    assert files() == ["a.nfc", "a.png", "b.png"]

    result = run("verify", "a.nfc", "--reference", "a.png")
    assert (result.code, result.out) == (0, b"")
    assert "the same as the reference (target no loss)" in result.err
    report = json.loads(run("verify", "a.nfc", "--reference", "a.png", "--json").out, parse_constant=pytest.fail)
    assert (report["ok"], report["reached"]) == (True, True)
    assert (report["reference_psnr_db"], report["target_psnr_db"]) == (None, None)

    info = json.loads(run("info", "a.nfc", "--json").out, parse_constant=pytest.fail)
    assert (info["psnr_db"], info["target_psnr_db"]) == (None, None)
    assert info["chunks"]["RESD"] > 0
    assert "RESD" in run("info", "a.nfc").out.decode()


def test_a_lossless_file_against_another_picture(run):
    encode_picture(run, "--lossless")
    samples = picture().samples.copy()
    samples[3, 4, 1] ^= 1
    with open("b.png", "wb") as file:
        file.write(image_bytes(Raster.from_array(samples)))
    result = run("verify", "a.nfc", "--reference", "b.png")
    assert result.code == 5
    assert_one_clear_line(result)
    report = json.loads(run("verify", "a.nfc", "--reference", "b.png", "--json").out, parse_constant=pytest.fail)
    assert (report["ok"], report["reached"], report["target_psnr_db"]) == (True, False, None)
    assert report["reference_psnr_db"] > 70


@pytest.mark.parametrize(("options", "budget"), [(("--size", 200), 200), (("--bpp", "13.4"), 201)], ids=str)
def test_sizes(run, options, budget):
    encoded = encode_picture(run, *options, "--field", "wavelet")
    assert encoded.report["bytes"] <= budget
    assert encoded.report["target_bytes"] == budget
    assert encoded.report["bpp"] <= 13.4
    assert f"(target {budget} bytes)" in encoded.err
    assert encoded.report["target_psnr_db"] == encoded.report["psnr_db"] > 30
    assert encoded.report["field"] == "wavelet"
    assert run("verify", "a.nfc", "--reference", "a.png", "-q").code == 0
    report = json.loads(run("verify", "a.nfc", "--reference", "a.png", "--json").out)
    assert report["reference_psnr_db"] == pytest.approx(encoded.report["psnr_db"], abs=1e-6)
    assert files() == ["a.nfc", "a.png"]


def test_a_size_with_room_for_everything(run):
    encoded = encode_picture(run, "--size", 10_000)
    assert (encoded.report["psnr_db"], encoded.report["target_psnr_db"]) == (None, None)
    assert "lossless (target 10,000 bytes)" in encoded.err
    assert run("verify", "a.nfc", "--reference", "a.png").code == 0


def test_a_size_through_pipes(run):
    result = run("encode", "-", "-", "--size", 200, "--field", "table", "-e", 1, "-q", stdin=PNG)
    assert (result.code, result.err) == (0, "")
    assert 180 < len(result.out) <= 200


@pytest.mark.parametrize("options", [("--size", 10), ("--bpp", 0.7)], ids=str)
def test_sizes_that_are_too_small(run, options):
    arguments = ("encode", "-", "a.nfc", "-e", 1, "-q", *options)
    result = run(*arguments, stdin=PNG)
    assert result.code == 5
    assert_one_clear_line(result)
    assert files() == []
    result = run(*arguments, "--best-effort", "--json", stdin=PNG)
    assert result.code == 0
    assert "warning: the target of 10 bytes is not reached" in result.err
    report = json.loads(result.out)
    assert report["reached"] is False
    assert report["bytes"] == os.path.getsize("a.nfc") > report["target_bytes"]


def test_fewer_bits_than_a_byte(run):
    result = run("encode", "-", "a.nfc", "-e", 1, "-q", "--bpp", "0.001", stdin=PNG)
    assert result.code in (2, 5)
    assert_one_clear_line(result)
    assert files() == []


def test_encode_through_pipes(run):
    result = run("encode", "-", "-", "--psnr", PSNR_DB, "-e", 1, "-q", stdin=PNG)
    assert (result.code, result.err) == (0, "")
    decoded = np.load(io.BytesIO(run("decode", "-", "--format", "npy", stdin=result.out).out))
    assert psnr_db(picture().samples, decoded, 255) >= PSNR_DB
    assert files() == []


@pytest.mark.parametrize(("format", "start"), [(None, b"\x89PNG"), ("png", b"\x89PNG"), ("ppm", b"P6\n"),
                                               ("npy", b"\x93NUMPY"), ("jpg", b"\xff\xd8\xff"),
                                               ("JPEG", b"\xff\xd8\xff"), ("tif", b"II*\0"),
                                               ("webp", b"RIFF")])  # fmt: skip
def test_decode_to_stdout(run, nfc, format, start):
    result = run("decode", "-", *(["--format", format] if format else []), stdin=nfc)
    assert result.code == 0, result.err
    assert result.out.startswith(start)


@pytest.mark.parametrize(("name", "start"), [("b.PNG", b"\x89PNG"), ("b.ppm", b"P6\n"), ("b.npy", b"\x93NUMPY"),
                                             ("b", b"\x89PNG"), ("b.jpeg", b"\xff\xd8\xff"), ("b.tif", b"II*\0"),
                                             ("b.webp", b"RIFF"), ("b.pgm", b"P6\n")])  # fmt: skip
def test_the_suffix_says_the_format(run, nfc, name, start):
    assert run("decode", "-", name, stdin=nfc).code == 0
    with open(name, "rb") as file:
        assert file.read().startswith(start)


@pytest.mark.parametrize("name", ["b.jxl", "b.heic", "b.gif", "b.v2", "b.pngx"])
def test_unknown_suffixes_are_refused(run, nfc, name):
    result = run("decode", "-", name, stdin=nfc)
    assert result.code == 2
    assert_one_clear_line(result)
    assert "name OUT .png, .jpg, .webp, .avif, .tif, .ppm, .npy, or say --format" in result.err
    assert files() == []
    assert run("decode", "-", name, "--format", "ppm", stdin=nfc).code == 0
    with open(name, "rb") as file:
        assert file.read(2) == b"P6"


def test_a_name_of_its_own_has_the_usual_suffix(run, nfc):
    for format, name in (("jpeg", "a.jpg"), ("tiff", "a.tif")):
        with open("a.nfc", "wb") as file:
            file.write(nfc)
        assert run("decode", "a.nfc", "--format", format).code == 0
        assert name in files()


def test_what_a_format_cannot_hold_is_refused_before_decoding(run, monkeypatch):
    def decode(*arguments):
        pytest.fail("decoded in vain")

    for name, array, words in (
        ("deep", np.full((4, 5, 3), 999, np.uint16), "8 bits a sample, and this picture has 16"),
        ("clear", np.full((4, 5, 4), 99, np.uint8), "cannot hold transparency"),
    ):
        np.save(f"{name}.npy", array)
        assert run("encode", f"{name}.npy", "-e", 1, "--lossless", "-q").code == 0
        with monkeypatch.context() as patch:
            patch.setattr(nfcodec.codec, "decode", decode)
            result = run("decode", f"{name}.nfc", "b.jpg")
        assert result.code == 2
        assert f"JPEG {'is written with ' if name == 'deep' else ''}{words}" in result.err
        assert_one_clear_line(result)
        assert run("decode", f"{name}.nfc", f"{name}.tif").code == 0
        assert json.loads(run("compare", f"{name}.npy", f"{name}.tif", "--json").out)["identical"] is True


def test_quality(run, nfc):
    sizes = [len(run("decode", "-", "--format", "jpg", "--quality", n, stdin=nfc).out) for n in (5, 95)]
    assert 0 < sizes[0] < sizes[1] == len(run("decode", "-", "--format", "jpg", stdin=nfc).out)
    result = run("decode", "-", "b.png", "--quality", 9, stdin=nfc)
    assert (result.code, files()) == (2, [])
    assert "PNG is written without loss" in result.err


@pytest.mark.parametrize("name", ["-dash.nfc", "ä 图 ☂.nfc", "two words.nfc"])
def test_names(run, nfc, name):
    with open(name, "wb") as file:
        file.write(nfc)
    assert run("info", "--", name).code == 0
    assert run("decode", "--", name).code == 0
    assert files() == sorted([name, name.replace(".nfc", ".png")])


def test_nothing_is_overwritten_unless_told(run, nfc):
    for name in ("a.nfc", "a.png"):
        with open(name, "wb") as file:
            file.write(nfc if name == "a.nfc" else PNG)
    for arguments in (("decode", "a.nfc"), ("encode", "a.png")):
        result = run(*arguments)
        assert result.code == 7
        assert_one_clear_line(result)
    assert run("decode", "a.nfc", "-f").code == 0
    with open("a.png", "rb") as file:
        assert file.read() != PNG


def test_encode_looks_at_the_output_before_the_fit(run, monkeypatch):
    monkeypatch.setattr(nfcodec.codec, "encode", lambda *_, **__: pytest.fail("it fitted"))
    for target in ("missing/a.nfc", "."):
        result = run("encode", "-", target, stdin=PNG)
        assert result.code == 7
        assert_one_clear_line(result)


# ---------------------------------------------------------------------------------------------------------- exit codes


@pytest.mark.parametrize(
    "arguments",
    [
        ("encode", "-", "--psnr", "nan"),
        ("encode", "-", "--psnr", "-1"),
        ("encode", "-", "--psnr", "0"),
        ("encode", "-", "--psnr", "200"),
        ("encode", "-", "--psnr", "inf"),
        ("encode", "-", "--psnr", "high"),
        ("encode", "-", "--size", "0"),
        ("encode", "-", "--size", "-1"),
        ("encode", "-", "--size", "1.5"),
        ("encode", "-", "--size", "inf"),
        ("encode", "-", "--bpp", "0"),
        ("encode", "-", "--bpp", "-1"),
        ("encode", "-", "--bpp", "nan"),
        ("encode", "-", "--bpp", "inf"),
        ("encode", "-", "a.nfc", "--psnr", "40", "--size", "300"),
        ("encode", "-", "a.nfc", "--psnr", "40", "--bpp", "3"),
        ("encode", "-", "a.nfc", "--psnr", "40", "--lossless"),
        ("encode", "-", "a.nfc", "--size", "300", "--bpp", "3"),
        ("encode", "-", "a.nfc", "--size", "300", "--lossless"),
        ("encode", "-", "a.nfc", "--bpp", "3", "--lossless"),
        ("encode", "-", "--field", "mlp"),
        ("encode", "-", "--seed", "-1"),
        ("encode", "-", "--seed", str(2**64)),
        ("encode", "-", "--effort", "10"),
        ("encode", "-", "--max-steps", "0"),
        ("encode", "-", "--time-limit", "nan"),
        ("encode", "-", "a.nfc", "--transform", "rot13"),
        ("encode",),
        ("decode", "-", "--format", "jxl"),
        ("decode", "-", "--format", "jpg", "--quality", "0"),
        ("transcode", "-"),
        ("info", "-", "--what"),
    ],
)
def test_usage_errors(run, arguments):
    result = run(*arguments, stdin=PNG)
    assert result.code == 2
    assert_one_clear_line(result)
    assert files() == []


def test_no_arguments_show_the_help(run):
    result = run()
    assert result.code == 2
    assert "encode" in result.err
    assert result.out == b""


@pytest.mark.parametrize("arguments", [("encode", "missing.png"), ("decode", "missing.nfc"), ("info", "missing.nfc"),
                                       ("verify", "."), ("compare", "missing.png", "-")])  # fmt: skip
def test_missing_input(run, arguments):
    result = run(*arguments)
    assert result.code == 3
    assert_one_clear_line(result)


@pytest.mark.parametrize("data", [b"", b"no image", PNG[: len(PNG) // 2]])
def test_input_that_is_no_image(run, data):
    result = run("encode", "-", "a.nfc", stdin=data)
    assert result.code == 3
    assert_one_clear_line(result)
    assert files() == []


@pytest.mark.parametrize("verb", ["info", "decode", "verify"])
def test_corrupt_files(run, nfc, verb):
    flipped = nfc[:-20] + bytes([nfc[-20] ^ 1]) + nfc[-19:]
    for data in (b"", PNG, b"Filetype: Flipper NFC device\n", nfc[:-1], nfc + b"\0", flipped):
        result = run(verb, "-", stdin=data)
        assert result.code == 4, (verb, data[:8], result.err)
        assert_one_clear_line(result)
    assert files() == []


def test_target_not_reached(run):
    arguments = ("encode", "-", "a.nfc", "--field", "siren", "--psnr", "60", "--max-steps", "2")
    result = run(*arguments, stdin=PNG)
    assert result.code == 5
    assert_one_clear_line(result)
    assert files() == []
    result = run(*arguments, "--best-effort", "--json", stdin=PNG)
    assert result.code == 0
    assert "warning" in result.err
    assert json.loads(result.out)["reached"] is False
    assert files() == ["a.nfc"]


@pytest.mark.parametrize(
    ("failure", "code", "word"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 6, "memory"),
        (RuntimeError("odd\nthing"), 1, "internal error: RuntimeError: odd thing"),
    ],
)
def test_failures_in_the_middle(run, monkeypatch, failure, code, word):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(nfcodec.codec, "encode", fail)
    result = run("encode", "-", "a.nfc", stdin=PNG)
    assert result.code == code
    assert word in result.err
    assert "Traceback" not in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert files() == []
    if code != 130:
        assert "Traceback" in run("encode", "-", "a.nfc", "-v", stdin=PNG).err
    as_json = json.loads(run("encode", "-", "a.nfc", "--json", stdin=PNG).out)
    assert (as_json["code"], as_json["kind"]) == (code, type(failure).__name__)
    assert word in as_json["error"]


def test_limits(run):
    result = run("encode", "-", "a.nfc", stdin=b"P5 100000 100000 65535\n")
    assert result.code == 6
    assert_one_clear_line(result)


@pytest.mark.parametrize("limit", [("--max-pixels", "9"), ("--max-memory", "1MB"), ("--max-work", "1e-3 s")])
def test_limits_are_options_of_every_verb_that_reads(run, nfc, limit):
    reading = ("info", "-"), ("decode", "-", "a.png"), ("verify", "-"), ("compare", "-", "-")
    for arguments in reading:
        result = run(*arguments, *limit, stdin=nfc)
        assert result.code == 6, arguments
        assert_one_clear_line(result)
        assert f"; {limit[0]} raises it" in result.err
    assert run("encode", "-", "a.nfc", "-e", "1", *limit, stdin=PNG).code == 6


@pytest.mark.parametrize("limit", [("--max-pixels", "0.1G"), ("--max-memory", "2 GiB"), ("--max-work", "1h")])
def test_limits_have_units(run, nfc, limit):
    assert run("info", "-", *limit, stdin=nfc).code == 0
    assert run("info", "-", limit[0], "inf", stdin=nfc).code == 0
    for bad in ("0", "-1", "many", "1 parsec", "nan", "", "1e", "1 GB GB"):
        result = run("info", "-", limit[0], bad, stdin=nfc)
        assert result.code == 2, bad
        assert_one_clear_line(result)


def test_no_binary_data_on_a_terminal(run, nfc, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    for arguments, data in ((("decode", "-"), nfc), (("encode", "-", "-"), PNG)):
        result = run(*arguments, stdin=data)
        assert result.code == 2
        assert "terminal" in result.err
        assert result.out == b""


def test_full_disk(run, nfc, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    result = run("decode", "-", "a.png", stdin=nfc)
    assert result.code == 7
    assert "No space left" in result.err
    assert files() == []


# ------------------------------------------------------------------------------------------------ info, verify, compare


def test_info(run, nfc):
    info = json.loads(run("info", "-", "--json", stdin=nfc).out)
    assert (info["width"], info["height"], info["channels"], info["depth"]) == (12, 10, 3, 8)
    assert info["bytes"] == len(nfc)
    assert info["transform"] == "rpp"
    assert (info["field"], info["fitted"]) == ("table", CLOSED_FORM)
    text = run("info", "-", stdin=nfc).out.decode()
    assert "transform" in text
    assert "rpp" in text


def test_verify(run, nfc):
    with open("a.png", "wb") as file:
        file.write(PNG)
    assert run("verify", "-", stdin=nfc).code == 0
    result = run("verify", "-", "--reference", "a.png", "--json", stdin=nfc)
    assert result.code == 0
    report = json.loads(result.out)
    assert report["ok"] is True
    assert report["reference_psnr_db"] >= PSNR_DB


def test_verify_against_another_picture(run, nfc):
    other = Raster.from_array(255 - picture().samples)
    for name, raster in (("other.png", other), ("small.png", Raster.from_array(np.zeros((2, 2), np.uint8)))):
        with open(name, "wb") as file:
            file.write(image_bytes(raster))
    assert run("verify", "-", "--reference", "other.png", stdin=nfc).code == 5
    assert run("verify", "-", "--reference", "small.png", stdin=nfc).code == 2


def test_verify_notices_other_samples(run, nfc, monkeypatch):
    verification = nfcodec.codec.verify(nfc)
    fake = SimpleNamespace(ok=False, raster=verification.raster, to_dict=lambda: {"ok": False})
    monkeypatch.setattr(nfcodec.codec, "verify", lambda *_, **__: fake)
    result = run("verify", "-", stdin=nfc)
    assert result.code == 4
    assert_one_clear_line(result)


def test_compare(run, nfc):
    with open("a.png", "wb") as file:
        file.write(PNG)
    report = json.loads(run("compare", "a.png", "-", "--json", stdin=nfc).out)
    assert report["psnr_db"] >= PSNR_DB
    same = json.loads(run("compare", "a.png", "a.png", "--json").out)
    assert (same["psnr_db"], same["identical"]) == (None, True)
    assert b"PSNR" in run("compare", "a.png", "a.png").out
    with open("small.npy", "wb") as file:
        np.save(file, np.zeros((4, 4), np.uint8))
    result = run("compare", "a.png", "small.npy")
    assert result.code == 2
    assert_one_clear_line(result)


def test_doctor(run):
    result = run("doctor")
    assert result.code == 0
    for word in (b"nfcodec", b"python", b"numpy", b"torch", b"engine numba", b"for wavelet, table, siren, ngp: numba"):
        assert word in result.out


def test_doctor_as_json(run):
    found = json.loads(run("doctor", "--json").out)
    assert found["nfcodec"] == nfcodec.__version__
    assert found["packages"]["numpy"] == np.__version__
    assert found["engines"]["numba"]["usable"] is True
    assert "wavelet" in found["engines"]["numba"]["fields"]
    assert found["engines_problem"] is None
    assert found["images"]["JPEG"] is True
    assert found.keys() == {"nfcodec", "python", "platform", "packages", "images", "engines", "engines_problem"}


def test_doctor_names_what_is_not_installed(run, monkeypatch):
    monkeypatch.setattr(nfcodec.cli._console, "version", lambda distribution: None)
    lines = run("doctor").out.decode().splitlines()
    assert "numba              not installed, though nfcodec needs it" in lines
    assert "torch              not installed; for GPUs and the engine torch: pip install 'nfcodec[torch]'" in lines


def test_doctor_where_engines_are_broken(run, monkeypatch):
    def fail():
        raise OSError("libtorch.so: cannot open shared object file")

    monkeypatch.setattr(nfcodec.fitting.engines, "report", fail)
    result = run("doctor")
    assert result.code == 0
    assert b"not available: OSError: libtorch.so: cannot open shared object file" in result.out
    found = json.loads(run("doctor", "--json").out)
    assert (found["engines"], found["engines_problem"]) == ({}, "OSError: libtorch.so: cannot open shared object file")


def test_help_and_version(run):
    for verb in ("encode", "decode", "info", "verify", "compare", "doctor", "completion"):
        result = run(verb, "--help")
        assert result.code == 0
        assert b"Usage: nfcodec" in result.out
    assert run("--version").out.startswith(b"nfcodec ")


def test_progress_bar_only_on_a_terminal(run, monkeypatch):
    from nfcodec.cli import _console

    _console.reset()
    event = Event("fit", 3, 9, 31.5, 40.0, 1.0)
    told = replace(event, message="about 90 s and 2.0 GB of memory")
    plain = io.StringIO()
    monkeypatch.setattr(sys, "stderr", plain)
    with _console.progress() as listener:
        listener(event)
        listener(told)
    assert plain.getvalue() == "about 90 s and 2.0 GB of memory\n"
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    with _console.progress() as listener:
        listener(event)
        listener(replace(event, phase="quantize", psnr_db=float("nan"), max_steps=0))
        listener(told)
        listener(replace(event, plan=Plan(Table(), None, 5, (Stage("fit", 90.0, 9),), 2e9), task="try 2"))
        listener(replace(event, task="try 2", seconds=31.0))
    assert "about 90 s" in terminal.getvalue()
    assert "31.50 dB now, target 40.00 dB" in terminal.getvalue()
    assert "try 2: fitting" in terminal.getvalue()
    assert "60 s left" in terminal.getvalue()


# ------------------------------------------------------------------------------------------------------ whole processes


def process(*arguments, **options):
    command = [sys.executable, "-m", "nfcodec", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=120, check=False, **options)


def test_as_a_module(nfc):
    result = process("decode", "-", "-", input=nfc)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(b"\x89PNG")


def imported_by(arguments, stdin=b""):
    code = f"import sys; from nfcodec.cli import main; main({arguments!r}); print(*sys.modules, file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", code], input=stdin, capture_output=True, timeout=120, check=True)
    return set(result.stderr.decode().split())


def test_help_imports_nothing_heavy():
    assert not {"torch", "numba", "numpy", "PIL", "rich", "scipy"} & imported_by(["--help"])


@pytest.mark.parametrize("arguments", [["info", "-"], ["decode", "-", "-"], ["verify", "-"]])
def test_no_torch_without_a_fit(nfc, arguments):
    assert not {"torch", "numba", "rich", "scipy"} & imported_by(arguments, nfc)


@pytest.mark.skipif(os.name != "posix", reason="POSIX pipes")
@pytest.mark.parametrize("arguments", [["info", "a.nfc"], ["decode", "a.nfc", "-"]])
def test_closed_pipe(nfc, tmp_path, arguments):
    (tmp_path / "a.nfc").write_bytes(nfc)
    code = f"import sys; sys.stdin.read(); from nfcodec.cli import main; sys.exit(main({arguments!r}))"
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, **pipes) as child:
        assert child.stdin
        assert child.stdout
        assert child.stderr
        child.stdout.close()
        child.stdin.close()
        assert child.stderr.read() == b""
        assert child.wait(60) == 7


INTERRUPT_THE_FIT = """
import contextlib, os, signal, sys
from nfcodec.cli import _console, main

@contextlib.contextmanager
def progress():
    yield lambda event: os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
_console.progress = progress
sys.exit(main(["encode", "a.png", "--psnr", "45", "-e", "1"]))
"""


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_ctrl_c_leaves_no_file(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    command = [sys.executable, "-c", INTERRUPT_THE_FIT]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert result.returncode == 130
    assert b"interrupted" in result.stderr
    assert b"Traceback" not in result.stderr
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("verb", [("info",), ("decode", "-f"), ("verify",)], ids=" ".join)
def test_a_file_longer_than_the_memory_that_is_allowed_is_not_read(run, verb):
    """One that begins like an .nfc file, and is a gigabyte of nothing but for that."""
    from nfcodec.format.chunks import SIGNATURE

    with open("long.nfc", "wb") as file:
        file.write(SIGNATURE)
        file.truncate(2**30)
    result = run(*verb, "long.nfc", "--max-memory", "100MB")
    assert result.code == 6
    assert "long.nfc: " in result.err
