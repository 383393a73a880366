"""Which fields to choose from when the user gives none."""

from __future__ import annotations

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.problem import WaveletProblem
from nfcodec.fields.wavelet.restoration import Filtered
from nfcodec.fitting.picture import Picture

MOST_LEVELS = 6
N_FILTERS = (16, 32, 64, 128)


def default_field(geometry: Geometry) -> Wavelet:
    """Levels down to bands of a few coefficients along the longer side, and no filters.

    Levels down to a few along the shorter one leave a line its pixels: 1x500 of a photograph at 40 dB then takes five
    times as many bytes.
    """
    longer = max(geometry.height, geometry.width)
    return Wavelet(min(MOST_LEVELS, max(0, longer.bit_length() - 3)))


def offers(picture: Picture, given: Wavelet | None = None) -> list[Filtered]:
    """The field given; without one the default field, then the same with more and more filters."""
    if given is not None:
        return [Filtered.of(WaveletProblem.of(picture, given))]
    linear = WaveletProblem.of(picture, default_field(picture.geometry))
    return [Filtered(linear, n_filters) for n_filters in (0, *N_FILTERS)]
