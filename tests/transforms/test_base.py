from __future__ import annotations

import pytest

from nfcodec.errors import FormatError, UnsupportedError, UsageError
from nfcodec.transforms import Transform, Zigzag, register, registered
from nfcodec.transforms.base import by_name, by_wire_id


def test_names_and_wire_ids_are_frozen():
    """Append only: files name transforms by these ids."""
    assert {name: wire_id for name, wire_id in registered().items() if wire_id < 200} == {
        "rpp": 1,
        "zigzag": 2,
        "inversion": 16,
        "standardize": 17,
        "scale": 18,
        "center": 19,
        "gamma": 20,
        "sympower": 21,
    }


@pytest.mark.parametrize(
    ("name", "wire_id"),
    [("rpp", 99), ("new", 1), ("none", 99), ("a+b", 99), ("a:b", 99), ("", 99), ("new", 0), ("new", 256)],
)
def test_bad_registrations(name: str, wire_id: int):
    class New(Transform):
        pass

    before = registered()
    with pytest.raises(ValueError, match="transform name"):
        register(name, wire_id)(New)
    assert registered() == before


def test_lookup():
    assert by_name("zigzag") is by_wire_id(2) is Zigzag
    with pytest.raises(UsageError, match="none, rpp, zigzag, inversion"):
        by_name("zagzig")
    with pytest.raises(UnsupportedError, match="77"):
        by_wire_id(77)


def test_transforms_without_parameters():
    assert Zigzag.parse(None) is None
    assert Zigzag().pack() == b""
    assert Zigzag.unpack(b"") == Zigzag()
    assert Zigzag().text == "zigzag"
    with pytest.raises(UsageError, match="no parameter"):
        Zigzag.parse("")
    with pytest.raises(FormatError):
        Zigzag.unpack(b"\0")
