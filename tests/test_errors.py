"""Errors and their codes: the list, its page, and every place that raises."""

from __future__ import annotations

import ast
import copy
import dataclasses
import re
from pathlib import Path

import pytest

from nfcodec import errors
from nfcodec.limits import Limits

ROOT = Path(__file__).parents[1]
CLASSES = {name: each for name, each in vars(errors).items() if isinstance(each, type)}
LIMITS = {f"limit.{field.name.removeprefix('max_')}" for field in dataclasses.fields(Limits)}


def raised() -> set[str]:
    """The codes that are given in the package, by the class of the error and its argument."""
    calls = [
        node
        for path in (ROOT / "nfcodec").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CLASSES
    ]
    words = [(call.func.id, keyword.value) for call in calls for keyword in call.keywords if keyword.arg == "code"]
    return {f"{CLASSES[name].code}.{word.value}" for name, word in words if isinstance(word, ast.Constant)}


def test_every_code_is_listed_and_given_by_some_guard():
    of_classes = {each.code for each in CLASSES.values()}
    assert raised() | of_classes | LIMITS == set(errors.CODES)


def test_the_page_has_the_same_list():
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `([a-z_.]+)` \| (.+) \|$", page, re.MULTILINE)) == errors.CODES


@pytest.mark.parametrize("each", CLASSES.values(), ids=CLASSES)
def test_codes_begin_with_those_of_the_class_above(each):
    above = each.__mro__[1]
    if above not in (Exception, errors.NfcError):
        assert each.code.startswith(f"{above.code}.")


def test_a_code_is_the_class_and_a_word():
    assert errors.FormatError("no").code == "format"
    assert errors.FormatError("no", code="crc").code == "format.crc"
    assert errors.UnsupportedError("no", code="chunk").code == "format.unsupported.chunk"
    assert copy.copy(errors.LimitError("no", code="pixels")).code == "limit.pixels"


def test_another_message_keeps_the_code():
    error = errors.FormatError("no", code="crc")
    error.say("a.nfc: no")
    assert str(error) == "a.nfc: no"
    assert error.code == "format.crc"


def test_limits_name_themselves():
    with pytest.raises(errors.LimitError) as refusal:
        Limits(max_pixels=5).check_geometry(2, 3)
    assert refusal.value.code == "limit.pixels"
    assert str(refusal.value) == "the picture has 6 pixels, which is over the limit of 5"


@pytest.mark.parametrize(
    ("name", "value", "bound", "message"),
    [
        ("work", 0.25, 1e-6, "decoding may keep a core busy for 0.25 seconds, which is over the limit of 1e-06"),
        ("work", 4321.5, 600, "decoding may keep a core busy for 4,322 seconds, which is over the limit of 600"),
        (
            "memory_bytes",
            31_457_280,
            1e6,
            "decoding may take 31,457,280 bytes of memory, which is over the limit of 1,000,000",
        ),
    ],
)
def test_limits_say_of_what(name, value, bound, message):
    with pytest.raises(errors.LimitError) as refusal:
        Limits(**{f"max_{name}": bound}).check(name, value)
    assert str(refusal.value) == message


def test_every_limit_has_words():
    for code in LIMITS:
        name = code.removeprefix("limit.")
        with pytest.raises(errors.LimitError, match="is over the limit of 0"):
            Limits(**{f"max_{name}": 0}).check(name, 1)


@pytest.mark.parametrize("value", ["9", None, -1, float("nan")])
def test_what_is_no_limit(value):
    for name in (code.removeprefix("limit.") for code in LIMITS):
        with pytest.raises(errors.UsageError, match=f"^max_{name} must be a number from 0 on"):
            Limits(**{f"max_{name}": value})
