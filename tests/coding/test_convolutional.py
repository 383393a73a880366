from __future__ import annotations

import itertools

import numpy as np
import pytest

from nfcodec.coding.adaptive import AdaptiveModel
from nfcodec.coding.convolutional import (
    CODES,
    MEMORY,
    RUN,
    code_trellis,
    parities,
    path_by_first,
    path_length,
    path_of,
    trellis_model,
)
from nfcodec.coding.entropy import Decoder, Encoder
from nfcodec.errors import FormatError


def random_path(n, seed=0):
    return np.random.default_rng(seed).integers(0, 2, n).astype(np.uint8)


each_code = pytest.mark.parametrize("code", range(len(CODES)))


def with_parities(values, code, seed=0):
    """Symbols next to these, (rows, cols, features), on a random path."""
    parity = parities(random_path(path_length(values.size), seed), code).reshape(-1)[: values.size]
    return 2 * (values >> 1) + parity.reshape(values.shape)


@each_code
@pytest.mark.parametrize("run", [RUN, 10**6])
def test_parities_by_the_definition(code, run):
    path = random_path(2 * RUN + 77)
    found = parities(path, code, run)
    for t, j in itertools.product((0, 1, 5, 8, 9, 500, RUN - 1, RUN, RUN + 3, 2 * RUN + 76), range(3)):
        taps = [t - a for a in range(MEMORY + 1) if CODES[code][j] >> (MEMORY - a) & 1]
        assert found[t, j] == sum(int(path[i]) for i in taps if i >= t // run * run) % 2
    assert np.array_equal(path_by_first(found[:, 0].astype(np.int64), code, run), path)


def test_the_newest_bit_is_part_of_the_first_parity():
    assert all(generators[0] >> MEMORY == 1 for generators in CODES)


@pytest.mark.parametrize(("code", "distance"), [(0, 18), (1, 12)])
def test_no_short_detour_changes_few_parities(code, distance):
    """The free distance: how many parities differ at least between two paths."""
    detours = [np.array([1, *bits] + [0] * MEMORY, np.uint8) for bits in itertools.product((0, 1), repeat=9)]
    assert min(int(parities(detour, code).sum()) for detour in detours) == distance


@each_code
@pytest.mark.parametrize("shape", [(1, 2, 1), (3, 1, 3), (7, 5, 2), (40, 31, 3), (64, 60, 1)])
def test_paths_come_back(shape, code):
    symbols = with_parities(np.random.default_rng(1).integers(-50, 50, shape), code)
    path = random_path(path_length(symbols.size))
    for each in (symbols, -symbols):
        found, bits = path_of(each)
        assert np.array_equal(bits, path)
        seen = [parities(path, each).reshape(-1)[: symbols.size] for each in (found, code)]
        assert np.array_equal(*seen)  # a few symbols may suit both codes


@pytest.mark.parametrize("place", [1, 2, 3, 500, -1])
def test_other_parities_have_no_path(place):
    symbols = with_parities(np.zeros((30, 30, 3), np.int64), 0)
    symbols.reshape(-1)[place] ^= 1
    assert path_of(symbols) is None
    with pytest.raises(ValueError, match="parities"):
        code_trellis(Encoder(), [trellis_model(f, 9) for f in range(3)], [9] * 3, symbols.shape, symbols)


@each_code
@pytest.mark.parametrize("features", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [0.2, 8.0, 4000.0])
def test_round_trip(features, size, code):
    """Of two tables with the same models, one small and one of several runs of the path."""
    rng = np.random.default_rng(0)
    shapes = [(3, 5, features), (33, 41, features)]
    tables = [with_parities(np.round(rng.laplace(0, size, shape)).astype(np.int64), code, shape[0]) for shape in shapes]
    limits = [max(int(np.abs(table[:, :, f]).max()) for table in tables) for f in range(features)]
    encoder, models = Encoder(), [trellis_model(f, limit) for f, limit in enumerate(limits)]
    for table in tables:
        code_trellis(encoder, models, limits, table.shape, table)
    decoder, models = Decoder(encoder.finish()), [trellis_model(f, limit) for f, limit in enumerate(limits)]
    for table in tables:
        assert np.array_equal(code_trellis(decoder, models, limits, table.shape, None), table)
    decoder.finish()


def test_symbols_over_their_limit_are_refused():
    """Halves may be as large as those of the limit plus one."""
    symbols = with_parities(np.full((20, 20, 1), 7, np.int64), 0)
    assert symbols.max() == 7
    encoder = Encoder()
    code_trellis(encoder, [trellis_model(0, 7)], [7], symbols.shape, symbols)
    decoder = Decoder(encoder.finish())
    with pytest.raises(FormatError, match="limit"):
        code_trellis(decoder, [trellis_model(0, 7)], [6], symbols.shape, None)


def test_contexts_lie_inside_each_other_with_their_parity():
    rng = np.random.default_rng(0)
    for f, n_depths in ((0, 1), (1, 3), (2, 5), (3, 5)):
        model = trellis_model(f, 30)
        assert isinstance(model, AdaptiveModel)
        chain = model._high._around
        assert len(chain) == n_depths
        contexts = rng.integers(0, len(chain[-1]), 50)
        parity = contexts & 1
        for around in chain[:0:-1]:
            contexts = around[contexts]
            assert np.array_equal(contexts & 1, parity)
        assert not chain[0][contexts].any()
