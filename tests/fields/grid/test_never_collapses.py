"""The field reaches its target on pictures that fits of this kind are known to collapse on, in few bytes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

import nfcodec
from nfcodec.metrics import psnr_db

pytest.importorskip("numba")

WIDTH, HEIGHT = 48, 32
MOST = 1.3
"""Times the bytes of wavelets."""

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "1234567890", "predict", "symbols"]
SEEDS = range(5)


def drawn(colour, draw):
    image = Image.new("RGB", (WIDTH, HEIGHT), colour)
    draw(ImageDraw.Draw(image))
    return np.asarray(image)


def white(rng):
    return np.full((HEIGHT, WIDTH, 3), 255, np.uint8)


def black(rng):
    return np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def flat(rng):
    return np.broadcast_to(rng.integers(0, 256, 3).astype(np.uint8), (HEIGHT, WIDTH, 3)).copy()


def lines(rng):
    """Two lines of a pixel's width."""
    x, y = int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT))

    def draw(on):
        on.line([x, 0, x, HEIGHT], fill=(0, 0, 0))
        on.line([0, y, WIDTH, y], fill=(0, 0, 0))

    return drawn((255, 255, 255), draw)


def noise(rng):
    return rng.integers(0, 256, (48, 64)).astype(np.uint8)


def text(rng):
    def draw(on):
        for y in range(1, HEIGHT - 8, 11):
            on.text((2, y), " ".join(rng.choice(WORDS, 4)), fill=(20, 20, 20))

    return drawn((252, 252, 250), draw)


def screenshot(rng):
    def draw(on):
        on.rectangle([0, 0, WIDTH, 9], fill=(50, 80, 140))
        on.text((3, -1), str(rng.choice(WORDS)), fill=(255, 255, 255))
        on.rectangle([0, 10, WIDTH // 4, HEIGHT], fill=(228, 230, 234))
        for y in range(13, HEIGHT - 3, 6):
            on.rectangle([2, y, 2 + int(rng.integers(3, 8)), y + 2], fill=(150, 155, 165))
        on.rectangle([16, 15, 42, 28], outline=(60, 110, 200), fill=(200, 220, 250))
        on.text((20, 16), str(rng.choice(["OK", "No", "Go"])), fill=(20, 40, 90))

    return drawn((245, 246, 248), draw)


def bright(rng):
    """Clouds with fine structure, and a coloured edge, from 190 on."""
    found = np.zeros((HEIGHT, WIDTH))
    for octave in range(1, 7):
        coarse = rng.normal(0, 1, (2 + (1 << octave) * HEIGHT // 64, 2 + (1 << octave) * WIDTH // 64))
        large = Image.fromarray(coarse.astype(np.float32)).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        found += np.asarray(large) * 0.7**octave
    found = 225 + 30 * (found - found.min()) / np.ptp(found)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    hill = y > HEIGHT * rng.uniform(0.5, 0.7) + 4 * np.sin(x * rng.uniform(0.1, 0.3))
    return np.round(found[:, :, None] - hill[:, :, None] * np.array([35, 20, 30])).astype(np.uint8)


TARGETS = {white: 40, black: 40, flat: 40, lines: 35, noise: 35, text: 35, screenshot: 35, bright: 40}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("make", TARGETS, ids=lambda make: make.__name__)
def test_it_reaches_its_target_in_few_bytes(make, seed):
    samples, target_db = make(np.random.default_rng([seed, 7])), TARGETS[make]
    found = nfcodec.encode_with_report(samples, psnr=target_db, field="grid", effort=1, seed=seed)
    assert found.report["psnr_db"] is None or found.report["psnr_db"] >= target_db
    wavelets = nfcodec.encode(samples, psnr=target_db, field="wavelet", effort=1)
    assert len(found.data) <= MOST * len(wavelets)


def dot(rng):
    samples = np.full((32, 32, 3), 90, np.uint8)
    samples[tuple(rng.integers(4, 28, 2))] = (255, 240, 30)
    return samples


def waves(rng):
    y, x = np.mgrid[:32, :40]
    return np.round(127 + 120 * np.sin(x / 3 + rng.uniform(0, 6)) * np.cos(y / 4)).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("make", [dot, waves], ids=lambda make: make.__name__)
def test_more_than_one_colour_is_in_reach(make):
    """Where latents or networks of 0 come so near to a target that nothing else seems worth its bits."""
    samples = make(np.random.default_rng(3))
    mean = np.round(samples.mean(axis=(0, 1))).astype(np.uint8)
    of_one_colour = psnr_db(np.broadcast_to(mean, samples.shape), samples, 255)
    found = nfcodec.encode_with_report(samples, psnr=of_one_colour + 0.01, field="grid", effort=1)
    assert found.report["psnr_db"] >= of_one_colour + 0.01


def test_noise_in_colour_is_out_of_reach():
    """Three numbers a pixel that nothing ties together, where the field has one and a third."""
    samples = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    with pytest.raises(nfcodec.TargetNotReachedError, match="reached"):
        nfcodec.encode(samples, psnr=35, field="grid", effort=1, max_steps=600)
