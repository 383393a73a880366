from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.errors import FormatError, UnsupportedError, UsageError
from nfcodec.transforms import (
    Chain,
    Gamma,
    Inversion,
    RandomPermutation,
    Scale,
    Spec,
    Standardize,
    Zigzag,
    intensities,
    left_shuffled,
    parse_chain,
    parse_permutations,
    usages,
)
from nfcodec.transforms.orders import seeded_permutation

RNG = np.random.default_rng(3)
RGB = RNG.integers(0, 256, (5, 7, 3)).astype(np.uint8)
GRAY16 = RNG.integers(0, 65536, (4, 6, 1)).astype(np.uint16)

names = st.sampled_from(["rpp", "zigzag", "inversion", "standardize"])
numbered = st.builds(
    "{}:{}".format, st.sampled_from(["scale", "center", "gamma"]), st.sampled_from(["0.5", "2", "1.25"])
)
texts = st.lists(names | numbered, max_size=8).map(lambda parts: "+".join(parts) or "none")


def prepare(text: str, samples=RGB, seed: int = 5) -> Chain:
    return Chain.prepare(parse_chain(text), samples, seed)


def test_parse():
    assert parse_chain("none") == ()
    assert parse_chain("standardize+rpp") == (Spec("standardize", None), Spec("rpp", None))
    assert parse_chain("gamma+gamma:0.5") == (Spec("gamma", 2_000_000), Spec("gamma", 500_000))


@pytest.mark.parametrize("text", ["none+rpp", "rpp+none", "none+none+rpp+none"])
def test_none_counts_for_nothing(text: str):
    """So that scripts may join any two."""
    assert parse_chain(text) == (Spec("rpp", None),)
    assert parse_chain("none+none") == ()
    assert str(prepare(text)) == "rpp"
    for wrong in ("none:", "rpp+none:2"):
        with pytest.raises(UsageError, match="'none' takes no parameter"):
            parse_chain(wrong)


@pytest.mark.parametrize("text", ["", "+", "rpp+", "RPP", "rpp ", "rpp,zigzag", "zag", ":2", "-"])
def test_unknown_names(text: str):
    with pytest.raises(UsageError, match="none, rpp, zigzag, inversion, standardize, scale, center, gamma, sympower"):
        parse_chain(text)


@pytest.mark.parametrize(
    "text", ["rpp:1", "zigzag:", "gamma:", "gamma:x", "gamma:2:3", "scale:0", "+".join(["rpp"] * 9)]
)
def test_bad_chains(text: str):
    with pytest.raises(UsageError):
        parse_chain(text)


@given(st.text(max_size=30) | st.text("rpgamsclezi:+.0123456789", max_size=30))
def test_any_text_parses_or_is_a_usage_error(text: str):
    with contextlib.suppress(UsageError):
        parse_chain(text)


def test_bytes_are_frozen():
    assert prepare("none").pack() == b"\0"
    assert prepare("rpp", seed=258).pack().hex() == "01" + "01" + "01" + "0201000000000000"
    assert prepare("zigzag+inversion+gamma:0.5").pack().hex() == "03" + "02" + "10" + "1420a10700"
    assert prepare("scale+center:1").pack().hex() == "02" + "1280841e00" + "1340420f00"
    flat = np.full((2, 2, 1), 255, np.uint8)
    assert prepare("standardize", flat).pack().hex() == "01" + "1140420f0040420f00"


@given(texts, st.sampled_from([RGB, GRAY16]), st.integers(0, 2**64 - 1), st.binary(max_size=3), st.binary(max_size=3))
def test_round_trip(text: str, samples, seed: int, before: bytes, after: bytes):
    chain = prepare(text, samples, seed)
    packed = chain.pack()
    back, offset = Chain.unpack(before + packed + after, len(before), samples.shape[2])
    assert back == chain
    assert offset == len(before) + len(packed)
    assert str(chain) == text
    assert parse_chain(str(chain)) == parse_chain(text)
    assert back.n_planes == len(chain.planes) == text.count("zigzag")
    assert back.planes == []
    assert chain.seed == (seed if "rpp" in text else None)
    height, width = samples.shape[:2]
    order, again = (each.order(height, width, chain.planes) for each in (chain, back))
    assert chain.permutes == (order is not None) == ("rpp" in text or "zigzag" in text)
    if order is not None:
        assert (order == again).all()
        assert sorted(order.tolist()) == list(range(height * width))


@given(st.binary(max_size=40), st.sampled_from([1, 3]))
def test_any_bytes_unpack_or_are_a_format_error(data: bytes, channels: int):
    try:
        chain, offset = Chain.unpack(data, 0, channels)
    except FormatError:
        return
    assert chain.pack() == data[:offset]
    parse_chain(str(chain))
    chain.value_map(8, channels, 24)


@given(texts, st.data())
def test_damaged_bytes_unpack_or_are_a_format_error(text: str, data: st.DataObject):
    packed = bytearray(prepare(text).pack())
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(FormatError):
        Chain.unpack(bytes(packed), 0, 3)


@given(texts.filter(lambda text: text != "none"), st.data())
def test_every_truncation_is_a_format_error(text: str, data: st.DataObject):
    packed = prepare(text).pack()
    with pytest.raises(FormatError, match="short"):
        Chain.unpack(packed[: data.draw(st.integers(0, len(packed) - 1))], 0, 3)


def test_bad_bytes():
    with pytest.raises(UnsupportedError, match="id 99"):
        Chain.unpack(b"\x01\x63", 0, 3)
    with pytest.raises(FormatError, match="at most 8"):
        Chain.unpack(b"\x09" + b"\x10" * 9, 0, 3)
    for offset in (-1, 1, 99):
        with pytest.raises(FormatError, match="short"):
            Chain.unpack(b"\0", offset, 3)


def test_too_many_specs():
    with pytest.raises(UsageError, match="at most 8"):
        Chain.prepare([Spec("rpp", None)] * 9, RGB)


def test_a_seed_matters_only_if_used():
    assert str(prepare("inversion", seed=-1)) == "inversion"
    with pytest.raises(UsageError, match="seed"):
        prepare("rpp", seed=2**64)


def test_orders_compose_from_left_to_right():
    chain = prepare("rpp+zigzag+rpp")
    pixels = RGB.reshape(-1, 3)
    random = seeded_permutation(35, 5)
    first = pixels[random]
    plane = intensities(first.reshape(5, 7, 3))
    assert (chain.planes[0] == plane).all()
    second = first[Zigzag().order(5, 7, plane)]
    third = second[random]
    order = chain.order(5, 7, chain.planes)
    assert order is not None
    assert (pixels[order] == third).all()


def test_two_zigzags_have_two_planes():
    chain = prepare("zigzag+rpp+zigzag")
    assert chain.n_planes == 2
    assert not (chain.planes[0] == chain.planes[1]).all()
    assert sorted(chain.planes[0].ravel().tolist()) == sorted(chain.planes[1].ravel().tolist())


def test_rpp_alone_is_the_seeded_permutation():
    order = prepare("rpp", seed=2024).order(3, 4, [])
    assert order is not None
    assert order.tolist() == [8, 10, 7, 6, 4, 9, 1, 5, 0, 11, 3, 2]


@pytest.mark.parametrize("text", ["standardize+rpp", "inversion+zigzag", "gamma:2+rpp+zigzag"])
def test_permutations_and_value_maps_commute(text: str):
    parts = text.split("+")
    one, other = prepare(text), prepare("+".join([*parts[1:], parts[0]]))
    assert (one.order(5, 7, one.planes) == other.order(5, 7, other.planes)).all()
    order = one.order(5, 7, one.planes)
    mapping = one.value_map(8, 3, 24)
    assert (mapping.thresholds == other.value_map(8, 3, 24).thresholds).all()
    targets = mapping.to_targets(RGB.reshape(-1, 3))
    assert (targets[order] == mapping.to_targets(RGB.reshape(-1, 3)[order])).all()


def test_planes_must_fit():
    chain = prepare("zigzag")
    for planes in ([], chain.planes * 2, [chain.planes[0].T]):
        with pytest.raises(UsageError, match="key planes"):
            chain.order(5, 7, planes)
    with pytest.raises(UsageError, match="key planes"):
        prepare("none").order(5, 7, chain.planes)


def test_channels_must_fit():
    chain = prepare("standardize")
    for channels in (1, 0):
        with pytest.raises(UsageError, match="channels"):
            chain.value_map(8, channels, 24)


def test_the_order_of_value_maps_matters():
    one, other = (prepare(text).value_map(8, 1, 24).thresholds for text in ("inversion+gamma:2", "gamma:2+inversion"))
    assert (one != other).any()


def test_kinds():
    chain = prepare("rpp+inversion+zigzag+standardize+scale:3+gamma:2")
    assert [type(each) for each in chain.permutations] == [RandomPermutation, Zigzag]
    assert [type(each) for each in chain.pointwise] == [Inversion, Standardize, Scale, Gamma]


@pytest.mark.parametrize(
    ("text", "kinds", "shuffled"),
    [
        ("standardize+gamma:2", (), ()),
        ("standardize+rpp", (RandomPermutation,), (RandomPermutation,)),
        ("rpp+zigzag", (RandomPermutation, Zigzag), ()),
        ("zigzag+rpp", (Zigzag, RandomPermutation), (RandomPermutation,)),
        ("zigzag", (Zigzag,), ()),
    ],
)
def test_which_chains_leave_a_random_order(text: str, kinds, shuffled):
    """One that depends on the picture makes an order of its own, whatever was random before."""
    assert parse_permutations(text) == kinds
    assert left_shuffled(kinds) == shuffled


def test_usages_are_those_that_can_be_parsed():
    for usage, what in usages().items():
        name, _, letter = usage.partition(":")
        assert parse_chain(f"{name}:1" if letter else name)
        assert len(what) > 5
        assert not letter or f" {letter} is between " in what
    assert "G is between 0.05 and 20; 2 by default." in usages()["gamma:G"]
