"""What callers give is checked: what is taken, what it becomes, and what a refusal says."""

from __future__ import annotations

import array
import math
import mmap
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from nfcodec import arguments
from nfcodec.errors import UsageError


@pytest.mark.parametrize(
    "value", [35, 35.0, np.float32(35), np.float64(35), np.uint8(35), np.float16(35), Fraction(35)]
)
def test_numbers(value):
    found = arguments.number("psnr", value, 150.0, "a number")
    assert (type(found), found) == (float, 35.0)


@pytest.mark.parametrize(
    "value", ["35", b"35", True, np.True_, None, [35], np.array([35.0]), 35j, Decimal(35), 0, -1.0, 151, math.nan,
              math.inf, np.float32("nan"), 10**400, Fraction(10**400)],
)  # fmt: skip
def test_what_is_no_number_in_the_range(value):
    with pytest.raises(UsageError, match=r"^psnr must be a number of dB, not "):
        arguments.number("psnr", value, 150.0, "a number of dB")


@pytest.mark.parametrize("value", [0, 7, 2.5, math.inf, np.uint8(7), np.float32(2.5), Fraction(5, 2)])
def test_bounds(value):
    found = arguments.bound("max_pixels", value)
    assert (type(found), found) == (int if value in (0, 7) else float, value)


@pytest.mark.parametrize("value", ["7", True, np.True_, None, [7], -1, -0.5, -math.inf, math.nan, Fraction(10**400)])
def test_what_bounds_nothing(value):
    with pytest.raises(UsageError, match=r"^max_work must be a number from 0 on, or math\.inf for no limit, not "):
        arguments.bound("max_work", value)


@pytest.mark.parametrize("value", [9, np.int64(9), np.uint8(9)])
def test_whole_numbers(value):
    found = arguments.whole("effort", value, 1, 9)
    assert (type(found), found) == (int, 9)


def test_whole_numbers_without_a_largest_one():
    assert arguments.whole("size", 10**30, 1) == 10**30


@pytest.mark.parametrize(
    "value", [9.0, np.float32(9), "9", True, np.True_, None, [9], 0, -1, 10, np.int64(10), 10**100]
)
def test_what_is_no_whole_number_in_the_range(value):
    with pytest.raises(UsageError, match=r"^effort must be a whole number from 1 to 9, not "):
        arguments.whole("effort", value, 1, 9)


@pytest.mark.parametrize("value", [True, np.True_])
def test_truth_values(value):
    assert arguments.flag("lossless", value) is True


@pytest.mark.parametrize("value", [0, 1, "yes", None, [], np.array([True])])
def test_what_is_no_truth_value(value):
    with pytest.raises(UsageError, match=r"^lossless must be True or False, not "):
        arguments.flag("lossless", value)


@pytest.mark.parametrize("value", [(1, 2), [1, 2], np.array([1, 2]), range(1, 3), iter([1, 2])])
def test_items(value):
    assert arguments.items("widths", value, 2, 2, "widths") == (1, 2)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ((), "widths must hold 1 to 2 widths, not 0"),
        ([1, 2, 3], "widths must hold 1 to 2 widths, not 3"),
        ("12", "widths must be 1 to 2 widths, not '12'"),
        (5, "widths must be 1 to 2 widths, not 5"),
        (None, "widths must be 1 to 2 widths, not None"),
    ],
)
def test_what_is_not_so_many_items(value, message):
    with pytest.raises(UsageError) as caught:
        arguments.items("widths", value, 1, 2, "widths")
    assert str(caught.value) == message


def test_bytes_of_files():
    mapped = mmap.mmap(-1, 4)
    mapped.write(b"abcd")
    plain = [b"abcd", bytearray(b"abcd"), memoryview(b"abcd"), memoryview(b"a-b-c-d-")[::2], mapped]
    arrays = [array.array("B", b"abcd"), np.frombuffer(b"abcd", np.uint8), np.frombuffer(b"abcd", np.uint16)]
    holders = [*plain, *arrays]
    assert [arguments.file_bytes(each) for each in holders] == [b"abcd"] * len(holders)


@pytest.mark.parametrize("value", ["photo.nfc", Path("photo.nfc"), None, 5, [1, 2]])
def test_what_holds_no_bytes(value):
    with pytest.raises(UsageError, match=r"^data must be the bytes of .*nfcodec\.open and nfcodec\.load"):
        arguments.file_bytes(value)


def test_bytes_that_are_gone():
    view = memoryview(b"abcd")
    view.release()
    with pytest.raises(UsageError, match="not a value of type memoryview"):
        arguments.file_bytes(view)


def test_paths():
    assert arguments.path("path", "a.nfc") == arguments.path("path", Path("a.nfc")) == "a.nfc"
    for value in (b"a.nfc", 5, None, ["a.nfc"]):
        with pytest.raises(UsageError, match=r"^path must be a path, .*nfcodec\.decode"):
            arguments.path("path", value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        ("a" * 1000, r"'a+\.\.\.a+'"),
        (np.float32(0.5), r"0\.5"),
        (1 << 63, "9223372036854775808"),
        pytest.param(1 << 99_999, "a number of 100000 bits", id="a huge number"),
        ([1, 2], "a value of type list"),
        (np.zeros((100, 100)), "a value of type ndarray"),
        (Path, "the class Path"),
    ],
)
def test_messages_are_short(value, shown):
    with pytest.raises(UsageError, match=rf"^device must be one of auto, cpu, not {shown}$") as caught:
        arguments.one_of("device", value, ("auto", "cpu"))
    assert len(str(caught.value)) < 100
