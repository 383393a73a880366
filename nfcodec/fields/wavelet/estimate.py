"""What a picture and its tiles take as wavelets, before any fitting: how much there is to them, and where."""

from __future__ import annotations

from nfcodec.exact.geometry import part_of, places
from nfcodec.fields.wavelet.analysis import Analysis, analysed
from nfcodec.fields.wavelet.plan import default_field
from nfcodec.fields.wavelet.problem import WaveletProblem
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.problem import Trial
from nfcodec.fitting.request import Request
from nfcodec.lazy import kept


class WaveletBytes:
    """About what a picture, or each tile of it, takes as wavelets at a request's PSNR.

    It is an Estimator of nfcodec.fitting.family. Nothing is computed before it is asked for.
    """

    def __init__(self, picture: Picture, request: Request) -> None:
        self._problem = WaveletProblem.of(picture, default_field(picture.geometry))
        self._request = request

    def __call__(self, rows: int, cols: int) -> list[float]:
        """Of the tiles of a grid, row by row, all with the quantizer step that the whole picture needs.

        Raises FormatError if no quantizer steps get the whole picture there.
        """
        problem, request = self._problem, self._request
        if rows * cols == 1:
            return [problem.near_bytes(self._analysed.weights)]
        return [
            part.near_bytes(Analysis(part, request).weights(self._coarseness))
            for place in places(problem.geometry, rows, cols)
            for part in [problem.part(place, default_field(part_of(problem.geometry, place)))]
        ]

    @kept
    def _analysed(self) -> Trial:
        return analysed(self._problem, self._request)

    @kept
    def _coarseness(self) -> float:
        """The factor on quantizer steps that the whole picture needs."""
        first = Analysis(self._problem, self._request).weights()
        return self._analysed.weights["level0"].step.value / first["level0"].step.value
