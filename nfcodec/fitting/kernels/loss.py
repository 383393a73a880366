# pyright: basic
"""The error of a block of outputs, before and after decoding them to samples."""

from __future__ import annotations

from nfcodec.fitting.kernels.elementary import rounded
from nfcodec.fitting.kernels.jit import B1, I32, ONE, THREE, TWO, ZERO, F, U, kernel


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
def loss(out, d, targets, samples, first, n, n_channels, scale, quantum, value_map, thresholds, sums, outputs):
    """Errors of a block, and their gradient.

    Args:
        out: (C, BLOCK) outputs; d: (C, BLOCK), becomes scale * (out - target), and 0 past the n-th pixel.
        quantum: gradients see errors rounded to multiples of it; 0 for none.
        targets, samples: (C, H * W); the block's pixels are first .. first + n - 1.
        value_map: (C, 4): sign; first threshold; samples per unit of output, or 0 if thresholds must be searched; peak.
        thresholds: (C, peak), of sign * output.
        sums: (2,) float64: the sums of squared errors of the outputs and of the decoded samples; added to.
        outputs: (C, H * W), becomes the outputs; or (C, 0).
    """
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
