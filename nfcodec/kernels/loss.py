# pyright: basic
"""The error of a block of outputs, before and after decoding them to samples."""

from __future__ import annotations

from nfcodec.kernels.elementary import rounded
from nfcodec.kernels.jit import B1, I32, ONE, THREE, TWO, ZERO, F, U, kernel


@kernel
def count_below(thresholds, x):
    """The number of thresholds <= x."""
    low, high = ZERO, U(thresholds.size)
    while low < high:
        middle = (low + high) // TWO
        if thresholds[middle] <= x:
            low = middle + ONE
        else:
            high = middle
    return low


@kernel
def loss(wanted, found, out, d, first, n):
    """Errors of a block, and their gradient.

    Args:
        wanted, found: see `Wanted` and `Found`; the errors are added to.
        out: (C, BLOCK) outputs; d: (C, BLOCK), becomes scale * (out - target), and 0 past the n-th pixel.
        first, n: the block's pixels are first .. first + n - 1.
    """
    targets, samples, value_map, thresholds = wanted.targets, wanted.samples, wanted.value_map, wanted.thresholds
    scale, quantum, sums, outputs = wanted.scale, wanted.quantum, found.errors, found.outputs
    n_channels = U(targets.shape[0])
    total, decoded_total = F(0), F(0)
    for c in range(n_channels):
        row = c * B1
        sign, low, density, peak = value_map[c, ZERO], value_map[c, ONE], value_map[c, TWO], value_map[c, THREE]
        target, sample, threshold = targets[c], samples[c], thresholds[c]
        for x in range(n):
            error = out[row + x] - target[first + x]
            total += error * error
            d[row + x] = scale * error
        if quantum > 0:
            for x in range(n):
                d[row + x] = scale * rounded(out[row + x] - target[first + x], quantum)
        for x in range(n, B1):
            d[row + x] = F(0)
        if outputs.shape[1] > 0:
            kept = outputs[c]
            for x in range(n):
                kept[first + x] = out[row + x]
        if density > 0:
            for x in range(n):
                position = (out[row + x] * sign - low) * density + F(1)
                difference = F(I32(min(max(position, F(0)), peak))) - sample[first + x]
                decoded_total += difference * difference
        else:
            for x in range(n):
                difference = F(count_below(threshold, out[row + x] * sign)) - sample[first + x]
                decoded_total += difference * difference
    sums[ZERO] += total
    sums[ONE] += decoded_total
