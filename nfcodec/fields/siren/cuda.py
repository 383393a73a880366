"""SIREN on a flat vector, with its gradient written out, in as few passes over the activations as it takes."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcodec.exact.field import Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.siren.field import OMEGA_0, Siren
from nfcodec.fields.siren.plan import initial
from nfcodec.fitting.engines.cuda.fields import InOrder, Sampling


class FlatSiren(InOrder, Sampling):
    """Sine layers on coordinates linspace(-1, 1), x first."""

    def __init__(self, field: Siren, geometry: Geometry, device: torch.device) -> None:
        super().__init__(field, geometry, 2 * (sum(field.sizes) + max(field.sizes)))
        self._siren, self._width = field, geometry.width
        self._names = [*map(str, range(field.hidden_layers + 1)), "_out"]
        self._untrained = {name: torch.from_numpy(value).to(device) for name, value in field.untrained().items()}
        self._x, self._y = (
            torch.linspace(-1, 1, n, device=device) if n > 1 else torch.zeros(1, device=device)
            for n in (geometry.width, geometry.height)
        )
        self._flat = torch.zeros(0)
        self._coordinates = torch.zeros(0)
        self._sines: list[Tensor] = []
        self._cosines: list[Tensor] = []

    def example(self, geometry: Geometry) -> Parameters:
        """The paper's initial weights: through larger ones, errors would grow from layer to layer."""
        return initial(self._siren, geometry, 0)

    def forward(self, flat: Tensor, band: slice, *, keep: bool) -> Tensor:
        rows = slice(band.start // self._width, band.stop // self._width)
        return self._outputs(flat, self._x, self._y[rows], keep=keep)

    def forward_at(self, flat: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
        return self._outputs(flat, self._x[cols], self._y[rows], keep=True)

    def _outputs(self, flat: Tensor, x: Tensor, y: Tensor, *, keep: bool) -> Tensor:
        """Of the points where columns x and rows y cross."""
        p, omega = {**self.views(flat), **self._untrained}, OMEGA_0
        across = torch.outer(x, omega * p["weight0"][:, 0])
        down = torch.outer(y, omega * p["weight0"][:, 1]) + omega * p["bias0"]
        z = torch.add(down[:, None], across[None]).flatten(0, 1)  # no product of matrices: all 32 bits
        self._sines, self._cosines = [], []
        for name in self._names[1:]:
            s = torch.sin(z)
            if keep:
                self._sines.append(s)
                self._cosines.append(z.cos_())
            scale = 1.0 if name == "_out" else omega
            z = torch.addmm(scale * p[f"bias{name}"], s, (scale * p[f"weight{name}"]).T)
        if keep:
            self._flat = flat
            ones = torch.ones(len(z), device=z.device)
            self._coordinates = torch.stack([x.repeat(len(y)), y.repeat_interleave(len(x)), ones], 1)
        return z

    def backward(self, slopes: Tensor, gradient: Tensor) -> None:
        p, into, omega = self.views(self._flat), self.views(gradient), OMEGA_0
        d, scale = slopes, 1.0
        for name in self._names[:0:-1]:
            s = self._sines.pop()
            into[f"weight{name}"].addmm_(d.T, s, alpha=scale)
            into[f"bias{name}"].add_(d.sum(0), alpha=scale)
            if name == self._siren.trained[0]:  # below it is the encoding
                return
            d = (d @ (scale * p[f"weight{name}"])).mul_(self._cosines.pop())
            scale = omega
        first = d.T @ self._coordinates
        into["weight0"].add_(first[:, :2], alpha=omega)
        into["bias0"].add_(first[:, 2], alpha=omega)
