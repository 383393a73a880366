# pyright: basic
"""Elementary functions in float32, without branches or calls, so that loops over them vectorize."""

from __future__ import annotations

import numpy as np

from nfcodec.kernels.jit import I32, F, exact_order

_TURN_4 = F(2 / np.pi)
_LOG2_E = F(np.log2(np.e))
_HASH_1, _HASH_2, _GOLDEN = np.uint32(0x7FEB352D), np.uint32(0x846CA68B), np.uint32(0x9E3779B9)


@exact_order
def exp2(x):
    """2^x for |x| <= 126 (clamped), to a relative error of 2e-7; Taylor, on |r| <= 1/2."""
    x = max(min(x, F(126)), F(-126))
    k = I32(I32(x + F(1024.5)) - 1024)
    r = x - F(k)
    p = F(1.5403530e-4)
    p = p * r + F(1.3333558e-3)
    p = p * r + F(9.6181291e-3)
    p = p * r + F(5.5504109e-2)
    p = p * r + F(2.4022651e-1)
    p = p * r + F(6.9314718e-1)
    p = p * r + F(1)
    return p * I32((k + 127) << 23).view(np.float32)


@exact_order
def exp(x):
    """e^x, as `exp2`."""
    return exp2(x * _LOG2_E)


@exact_order
def log2(x):
    """Of a positive, normal number, to 2e-7 absolute: the exponent, and atanh's series of the rest."""
    bits = F(x).view(np.int32)
    k = I32((bits - 0x3F3504F3) >> 23)  # the rest is in [sqrt 1/2, sqrt 2)
    rest = I32(bits - (k << 23)).view(np.float32)
    t = (rest - F(1)) / (rest + F(1))
    t2 = t * t
    series = F(2.8853901) + t2 * (F(0.96179669) + t2 * (F(0.57707802) + t2 * (F(0.41219859) + t2 * F(0.32))))
    return F(k) + t * series


@exact_order
def tanh(x):
    """As `exp2`, so to 2e-7 absolute."""
    return F(1) - F(2) / (exp(F(2) * x) + F(1))


@exact_order
def sine_cosine(x):
    """Both, to 2e-7 for |x| < 1000: reduced to |r| <= pi / 4 by three parts of pi / 2, then minimax (Cephes)."""
    turns = x * _TURN_4
    q = I32(turns + (F(0.5) if turns >= 0 else F(-0.5)))
    k = F(q)
    r = ((x - k * F(1.5707855225)) - k * F(1.0804334e-5)) - k * F(6.0770999e-11)
    r2 = r * r
    s = r + r * r2 * (F(-1.6666654611e-1) + r2 * (F(8.3321608736e-3) + r2 * F(-1.9515295891e-4)))
    c = F(1) - F(0.5) * r2 + r2 * r2 * (F(4.1666645683e-2) + r2 * (F(-1.3887316255e-3) + r2 * F(2.4433157118e-5)))
    odd = I32(q & 1) != 0
    sine = c if odd else s
    cosine = s if odd else c
    sine = -sine if I32(q & 2) != 0 else sine
    cosine = -cosine if I32(I32(q + 1) & 2) != 0 else cosine
    return sine, cosine


@exact_order
def _scrambled(x):
    """A 32-bit mixing function (lowbias32, Ellis 2018)."""
    x = np.uint32(x ^ (x >> np.uint32(16)))
    x = np.uint32(x * _HASH_1)
    x = np.uint32(x ^ (x >> np.uint32(15)))
    x = np.uint32(x * _HASH_2)
    return np.uint32(x ^ (x >> np.uint32(16)))


@exact_order
def noise(index, key):
    """Near-Gaussian noise of variance 1, a function of (uint32 index, uint32 key): the sum of four uniform numbers."""
    a = _scrambled(np.uint32(index ^ key))
    b = _scrambled(np.uint32(a + _GOLDEN))
    low, high = np.uint32(0xFFFF), np.uint32(16)
    total = I32(np.uint32(a & low)) + I32(np.uint32(a >> high)) + I32(np.uint32(b & low)) + I32(np.uint32(b >> high))
    return (F(I32(total)) - F(131070)) * F(3**0.5 / 65536)


@exact_order
def rounded(value, step):
    """The nearest multiple of a step; the value itself for step 0."""
    if step > F(0):
        scaled = value / step
        return F(I32(scaled + (F(0.5) if scaled >= 0 else F(-0.5)))) * step
    return value
