"""What sample.png shows: a landscape that is the same on every machine and belongs to nobody."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SAMPLE = Path(__file__).with_name("sample.png")
WIDTH, HEIGHT, SCALE = 320, 213, 2
HORIZON = 0.60
SUN = (0.70, 0.47)


def noise(rng, shape, cells_x, cells_y):
    """Smooth value noise in [0, 1] with about cells_x by cells_y bumps."""
    grid = rng.random((cells_y + 2, cells_x + 2))
    y = np.linspace(0, cells_y, shape[0], endpoint=False)[:, None]
    x = np.linspace(0, cells_x, shape[1], endpoint=False)[None, :]
    iy, ix = y.astype(int), x.astype(int)
    fy, fx = (t * t * (3 - 2 * t) for t in (y - iy, x - ix))
    top = grid[iy, ix] * (1 - fx) + grid[iy, ix + 1] * fx
    bottom = grid[iy + 1, ix] * (1 - fx) + grid[iy + 1, ix + 1] * fx
    return top * (1 - fy) + bottom * fy


def fractal(rng, shape, cells_x, cells_y, octaves, gain=0.5):
    total, weight, amplitude = np.zeros(shape), 0.0, 1.0
    for octave in range(octaves):
        total += amplitude * noise(rng, shape, cells_x << octave, cells_y << octave)
        weight += amplitude
        amplitude *= gain
    return total / weight


def mix(a, b, t):
    return a + (b - a) * np.clip(t, 0, 1)[..., None]


def rgb(*values):
    return np.array(values, float) / 255


def draw_sky(rng, x, y):
    sky = mix(rgb(62, 104, 168), rgb(246, 206, 158), (y / HORIZON) ** 1.4)
    distance = np.hypot((x - SUN[0]) * 1.5, y - SUN[1])
    sky = mix(sky, rgb(255, 236, 190), 0.85 * np.exp(-((distance / 0.16) ** 2)))
    clouds = fractal(rng, x.shape, 4, 7, 6, 0.55)
    shade = fractal(rng, x.shape, 5, 9, 5)
    cover = np.clip((clouds - 0.50) * 4.5, 0, 1) * np.clip(1.25 - y / HORIZON, 0, 1)
    return mix(sky, mix(rgb(150, 140, 158), rgb(255, 240, 226), shade * 1.6 - 0.3), cover)


def draw_ridge(rng, image, x, y, base, height, roughness, colors, haze):
    """Draw one mountain range: a fractal skyline, slopes lit from the sun's side, haze that grows towards its foot."""
    crest = base - height * fractal(rng, (1, x.shape[1]), roughness, 1, 7, 0.5)[0] ** 1.3
    relief = fractal(rng, x.shape, roughness * 3, roughness * 3, 6, 0.62)
    slope = np.gradient(relief, axis=1) * x.shape[1] / 14 + np.gradient(crest)[None, :] * x.shape[1] * 0.35
    lit = np.clip(0.45 + 0.5 * slope + 0.5 * (relief - 0.5), 0, 1)
    color = mix(colors[0], colors[1], lit)
    depth = y - crest[None, :]
    snow = depth < 0.5 * (base - 0.42 * height - crest)[None, :] * (0.2 + relief)
    if colors[2] is not None:
        color = np.where(snow[..., None], mix(rgb(150, 162, 190), colors[2], lit * 1.3), color)
    color = mix(color, rgb(214, 190, 176), haze * np.clip(0.35 + depth / (base - crest + 0.02)[None, :], 0, 1))
    return np.where((depth > 0)[..., None], color, image)


def draw_shore(rng, image, x, y):
    """Draw the forest on the far shore: ragged tree tops over a dark band."""
    columns = np.arange(x.shape[1])
    tops = HORIZON - 0.012 - 0.05 * fractal(rng, (1, x.shape[1]), 5, 1, 4)[0]
    teeth = np.abs((columns / 9.0 + 3 * fractal(rng, (1, x.shape[1]), 20, 1, 2)[0]) % 1 - 0.5)
    tops = tops + 0.045 * teeth * rng.uniform(0.5, 1.0, x.shape[1] // 9 + 1)[columns // 9]
    foliage = fractal(rng, x.shape, 60, 60, 3, 0.7)
    trees = mix(rgb(14, 30, 26), rgb(78, 92, 42), foliage * 1.7 - 0.55)
    return np.where((y > tops[None, :])[..., None], trees, image)


def draw_lake(rng, image, x, y):
    """Mirror the land in the water, blurred and shifted by waves that grow towards the viewer."""
    n_rows, n_columns = x.shape
    shore = int(HORIZON * n_rows)
    depth = np.clip((y - HORIZON) / (1 - HORIZON), 0, 1)
    waves = fractal(rng, x.shape, 12, 90, 4, 0.6) - 0.5
    rows = np.clip(2 * shore - np.arange(n_rows)[:, None] + waves * (4 + 40 * depth), 0, shore - 1).astype(int)
    columns = np.clip(np.arange(n_columns)[None, :] + waves * 18 * depth, 0, n_columns - 1).astype(int)
    water = mix(image[rows, columns] * 0.86, rgb(22, 52, 74), 0.2 + 0.55 * depth)
    glitter = np.exp(-(((x - SUN[0]) / (0.03 + 0.10 * depth)) ** 2)) * np.clip(waves * 9 - 0.4, 0, 1)
    return np.where((y > HORIZON)[..., None], mix(water, rgb(255, 226, 170), glitter), image)


def draw_boat(image, x, y):
    """Draw the saturated things with sharp edges: a red boat with a yellow sail, a pole with a flag."""
    boat_x, boat_y = 0.29, 0.765
    u, v = (x - boat_x) * 1.5, y - boat_y
    hull = (v > 0) & (v < 0.034) & (np.abs(u) < 0.095 - 0.9 * v)
    stripe = hull & (v < 0.009)
    mast = (np.abs(u - 0.005) < 0.0022) & (v < 0) & (v > -0.215)
    sail = (u > 0.010) & (v < -0.018) & (v > -0.205) & (u < 0.010 + 0.105 * (v + 0.205) / 0.187)
    jib = (u < 0.001) & (v < -0.018) & (v > -0.185) & (u > -0.072 * (v + 0.185) / 0.167)
    mirror = (v > 0.034) & (v < 0.20) & (np.abs(u + 0.004 * np.sin(v * 900)) < 0.085 - 0.42 * v)
    image = np.where(mirror[..., None], mix(image, rgb(96, 40, 30), np.full_like(x, 0.42)), image)
    light = 0.82 + 0.18 * np.clip(u / 0.1, -1, 1)
    for mask, color in (
        (hull, rgb(196, 30, 34)),
        (stripe, rgb(245, 245, 240)),
        (sail, rgb(250, 196, 24)),
        (jib, rgb(240, 236, 226)),
        (mast, rgb(66, 44, 30)),
    ):
        image = np.where(mask[..., None], color * light[..., None], image)
    return image


def draw_reeds(rng, image, x, y):
    """Draw grass and a few flowers in the foreground corner."""
    bank = 0.93 - 0.20 * np.clip(x - 0.55, 0, 1) + 0.03 * (fractal(rng, (1, x.shape[1]), 9, 1, 4)[0][None, :] - 0.5)
    texture = fractal(rng, x.shape, 90, 24, 3, 0.75)
    image = np.where((y > bank)[..., None], mix(rgb(24, 40, 16), rgb(132, 142, 52), texture * 2 - 0.6), image)
    for _ in range(170):
        root_x, length, lean = rng.uniform(0.0, 1.0), rng.uniform(0.03, 0.13), rng.normal(0, 0.25)
        root_y = 0.95 - 0.20 * max(root_x - 0.55, 0) + rng.uniform(0, 0.08)
        t = (root_y - y) / length
        blade = (t > 0) & (t < 1) & (np.abs(x - root_x - lean * length * t * t) < 0.0024 * (1 - t))
        image = np.where(blade[..., None], rgb(60, 84, 24) + rng.uniform(0, 0.25, 3) * rgb(255, 255, 90), image)
    for _ in range(26):
        flower_x = rng.uniform(0.5, 1.0)
        flower_y = rng.uniform(0.93 - 0.20 * max(flower_x - 0.55, 0), 1.0)
        color = (rgb(214, 44, 120), rgb(250, 220, 60), rgb(238, 240, 250))[rng.integers(3)]
        petal = np.hypot((x - flower_x) * 1.5, (y - flower_y) * 1.3) < rng.uniform(0.004, 0.009)
        image = np.where(petal[..., None], color, image)
    return image


def draw():
    """Return the picture, (213, 320, 3) uint8: drawn at twice the size, averaged, with vignette and film grain."""
    rng = np.random.Generator(np.random.Philox(20))
    y, x = np.mgrid[0 : HEIGHT * SCALE, 0 : WIDTH * SCALE].astype(float)
    x, y = (x + 0.5) / (WIDTH * SCALE), (y + 0.5) / (HEIGHT * SCALE)
    image = draw_sky(rng, x, y)
    image = draw_ridge(
        rng, image, x, y, 0.58, 0.50, 3, (rgb(84, 92, 122), rgb(186, 160, 158), rgb(252, 244, 240)), 0.55
    )
    image = draw_ridge(rng, image, x, y, 0.60, 0.26, 4, (rgb(40, 58, 66), rgb(134, 120, 82), None), 0.35)
    image = draw_shore(rng, image, x, y)
    image = draw_lake(rng, image, x, y)
    image = draw_boat(image, x, y)
    image = draw_reeds(rng, image, x, y)
    image = image.reshape(HEIGHT, SCALE, WIDTH, SCALE, 3).mean(axis=(1, 3))
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    image = image * (1 - 0.16 * (x * x + y * y) / 2)[..., None]
    grain = rng.normal(0, 1.6 / 255, (HEIGHT, WIDTH, 1)) + rng.normal(0, 0.8 / 255, (HEIGHT, WIDTH, 3))
    return np.round(np.clip(image + grain, 0, 1) * 255).astype(np.uint8)
