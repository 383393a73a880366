"""Tables whose features follow from those before: narrow contexts inside wider ones."""

from __future__ import annotations

import numpy as np
import pytest

from nfcodec.coding.convolutional import parities, path_length
from nfcodec.coding.entropy import Decoder, Encoder, Estimator
from nfcodec.coding.features import BUCKETS, FeaturesPart
from nfcodec.coding.levels import LevelShape, code_levels
from nfcodec.coding.nesting import around
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import MAX_SYMBOL
from nfcodec.exact.field import Role, Tensor
from nfcodec.wire import ByteReader, put_varint

each_coding = pytest.mark.parametrize("coded", [False, True], ids=["nested", "coded"])


def tensor_of(table):
    return Tensor("level0", table.shape, Role.TABLE)


def with_parities(table, seed=0):
    """The same symbols or ones next to them, on a random path."""
    path = np.random.default_rng(seed).integers(0, 2, path_length(table.size)).astype(np.uint8)
    return 2 * (table >> 1) + parities(path, 0).reshape(-1)[: table.size].reshape(table.shape)


def related(side, seed=0):
    """Three features, of which each tells much about the next: (side, side, 3)."""
    rng = np.random.default_rng(seed)
    first = np.round(rng.normal(0, 40, (side, side)))
    second = np.round(0.5 * first + rng.normal(0, 3, (side, side)))
    third = np.round(0.7 * first - 0.9 * second + rng.normal(0, 1, (side, side)))
    return np.stack([first, second, third], axis=2).astype(np.int64)


def bits(table, *, coded=False):
    part, estimator = FeaturesPart(tensor_of(table), coded=coded), Estimator()
    part.head({"level0": table})
    part.code(estimator, {"level0": table}, {})
    return estimator.bits


@each_coding
@pytest.mark.parametrize("limits", [[9, 4, 1, 2], [300, 0, 5000, 7]], ids=["small", "wide"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 2), (9, 1, 3), (5, 9, 3), (17, 33, 1), (6, 7, 4)], ids=str)
def test_round_trip(coded, limits, shape):
    table = np.round(np.random.default_rng(0).laplace(0, 3, shape)).astype(np.int64)
    table = table.clip([-limit for limit in limits[: shape[2]]], limits[: shape[2]])
    symbols = {"level0": with_parities(table) if coded else table}
    writer, encoder = FeaturesPart(tensor_of(table), coded=coded), Encoder()
    head = writer.head(symbols)
    assert head == b"".join(map(put_varint, np.abs(symbols["level0"]).max(axis=(0, 1)).tolist()))
    writer.code(encoder, symbols, {})
    reader, decoder = FeaturesPart(tensor_of(table), coded=coded), Decoder(encoder.finish())
    reader.read_head(ByteReader(head))
    assert np.array_equal(reader.code(decoder, None, {})["level0"], symbols["level0"])
    decoder.finish()


@each_coding
def test_limits_are_those_of_symbols(coded):
    part = FeaturesPart(Tensor("level0", (2, 2, 3), Role.TABLE), coded=coded)
    part.read_head(ByteReader(put_varint(MAX_SYMBOL) * 3))
    for bad in (put_varint(MAX_SYMBOL) * 2 + put_varint(MAX_SYMBOL + 1), put_varint(1) * 2):
        with pytest.raises(FormatError):
            part.read_head(ByteReader(bad))


def test_parities_of_no_path_cannot_be_coded():
    table = with_parities(np.zeros((30, 30, 3), np.int64))
    table[10, 0, 1] ^= 1
    with pytest.raises(ValueError, match="parities"):
        bits(table, coded=True)


def test_features_help_where_features_agree():
    first = np.random.default_rng(0).integers(-100, 101, (64, 64))
    table = np.stack([first, first // 2, first // 3], axis=2)
    neighbours, limits = Estimator(), np.abs(table).max(axis=(0, 1)).tolist()
    code_levels(neighbours, [LevelShape(64, 64, 3, 0)], limits, [table])
    assert bits(table) < 0.85 * neighbours.bits


@pytest.mark.parametrize(("side", "ratio"), [(40, 1.0), (300, 0.97)])
def test_narrow_contexts_help_in_large_pictures_and_do_no_harm_in_small_ones(monkeypatch, side, ratio):
    """Held against wide ones alone."""
    table = related(side)
    narrow = bits(table)
    monkeypatch.setattr("nfcodec.coding.features.BUCKETS", (16, 16, 16))
    assert narrow < ratio * bits(table)


def test_known_parities_save_about_two_bits_of_three_symbols():
    side = 150
    table = with_parities(np.round(np.random.default_rng(0).normal(0, 15, (side, side, 3))).astype(np.int64))
    assert 1.9 < (bits(table) - bits(table, coded=True)) / side**2 < 3


def test_what_contexts_lie_around():
    assert around(0, BUCKETS) == []
    wide, narrow = around(1, BUCKETS)
    assert (wide.tolist(), narrow.tolist()) == ([0] * 16, [i // 8 for i in range(128)])
    wide, pairs, narrower, narrow = around(2, BUCKETS)
    assert around(5, BUCKETS)[3].tolist() == narrow.tolist()
    assert (len(wide), len(pairs), len(narrower), len(narrow)) == (16, 256, 1024, 16384)
    for first, second in ((0, 0), (3, 127), (80, 35), (127, 8)):
        inner = narrow[128 * first + second]
        assert inner == 32 * (first // 4) + second // 4
        assert narrower[inner] == 16 * (first // 8) + second // 8
        assert pairs[narrower[inner]] == second // 8
