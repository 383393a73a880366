from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.errors import FormatError, UnsupportedError, UsageError
from nfcodec.transforms.orders import MAX_SEED, in_picture_order, seeded_permutation, zigzag_path


def philox(key: int, n: int) -> list[int]:
    """Philox4x64-10 from its paper (Random123), in plain integers."""
    mask, words = 2**64 - 1, []
    for block in range(1, -(-n // 4) + 1):
        counter, keys = [block, 0, 0, 0], [key & mask, key >> 64]
        for _ in range(10):
            left, right = 0xD2E7470EE14C6C93 * counter[0], 0xCA5A826395121157 * counter[2]
            counter = [
                (right >> 64) ^ counter[1] ^ keys[0],
                right & mask,
                (left >> 64) ^ counter[3] ^ keys[1],
                left & mask,
            ]
            keys = [(keys[0] + 0x9E3779B97F4A7C15) & mask, (keys[1] + 0xBB67AE8584CAA73B) & mask]
        words += counter
    return words[:n]


def test_raw_words_are_the_published_ones():
    words = np.random.Philox(key=42 | 7 << 64, counter=0).random_raw(4).tolist()
    assert words == [0xA64064F34E84B9A3, 0xE287959A866A08FD, 0x8DC181F009B96C03, 0xF3F6001D4FA83454]
    assert philox(42 | 7 << 64, 4) == words


def test_small_vector():
    assert seeded_permutation(12, 2024).tolist() == [8, 10, 7, 6, 4, 9, 1, 5, 0, 11, 3, 2]


def test_large_vector():
    order = seeded_permutation(393_216, 2024)
    assert order.dtype == np.int64
    digest = hashlib.sha256(order.astype("<u4").tobytes()).hexdigest()
    assert digest == "ba6964ccb5f7caa74f517b4ca84e6ffc54a286a8ba017700e156d8f80dd7067b"


@given(st.integers(0, 200), st.integers(0, MAX_SEED))
def test_any_seed_gives_the_defined_permutation(n: int, seed: int):
    order = seeded_permutation(n, seed)
    keys = philox(seed, n)
    assert order.tolist() == sorted(range(n), key=lambda i: (keys[i], i))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(0, MAX_SEED))
def test_things_that_were_moved_come_back(height: int, width: int, channels: int, seed: int):
    values = np.arange(height * width * channels).reshape(height, width, channels)
    flat, order = values.reshape(-1, channels), seeded_permutation(height * width, seed)
    assert np.array_equal(in_picture_order(flat[order], order, values.shape), values)
    assert np.array_equal(in_picture_order(flat, None, values.shape), values)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seed_out_of_range(seed: int):
    with pytest.raises(UsageError, match="seed"):
        seeded_permutation(4, seed)


def test_negative_count():
    with pytest.raises(UsageError):
        seeded_permutation(-1, 0)


@pytest.mark.parametrize("algorithm", [0, 2, 255])
def test_unknown_algorithm(algorithm: int):
    with pytest.raises(UnsupportedError) as caught:
        seeded_permutation(4, 0, algorithm)
    assert isinstance(caught.value, FormatError)


def test_zigzag_is_that_of_jpeg():
    assert zigzag_path(8, 8).tolist() == [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14,
        21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60,
        61, 54, 47, 55, 62, 63,
    ]  # fmt: skip


@given(st.integers(1, 20), st.integers(1, 20))
def test_zigzag_walks_every_pixel_in_small_steps(height: int, width: int):
    path = zigzag_path(height, width)
    assert sorted(path.tolist()) == list(range(height * width))
    rows, columns = np.divmod(path, width)
    assert np.isin(np.diff(rows + columns), (0, 1)).all()
    steps = np.maximum(np.abs(np.diff(rows)), np.abs(np.diff(columns)))
    assert (steps == 1).all()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (-1, 3)])
def test_zigzag_of_nothing(shape: tuple[int, int]):
    with pytest.raises(UsageError):
        zigzag_path(*shape)
