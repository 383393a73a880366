"""SIREN for the torch engine."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.siren.field import OMEGA_0, Siren
from nfcodec.fitting.engines.torch_fields import Band, Sampling, Tensors, TorchField


class TorchSiren(TorchField, Sampling):
    """Sine layers on coordinates linspace(-1, 1), x first."""

    def __init__(self, field: Siren, geometry: Geometry, device: torch.device) -> None:
        self._n_sines = 1 + field.hidden_layers
        self._untrained = {name: torch.from_numpy(value).to(device) for name, value in field.untrained().items()}
        self._x, self._y = (
            torch.linspace(-1, 1, n, device=device) if n > 1 else torch.zeros(1, device=device)
            for n in (geometry.width, geometry.height)
        )

    def rows_used(self, name: str, band: Band) -> slice | None:
        return None

    def __call__(self, parameters: Tensors, band: Band) -> Tensor:
        return self._where_crossing(parameters, self._y[band.start : band.stop], self._x)

    def at(self, parameters: Tensors, rows: Tensor, cols: Tensor) -> Tensor:
        return self._where_crossing(parameters, self._y[rows], self._x[cols])

    def _where_crossing(self, parameters: Tensors, y: Tensor, across: Tensor) -> Tensor:
        parameters = {**parameters, **self._untrained}
        x = torch.stack([across.repeat(len(y)), y.repeat_interleave(len(across))], 1)
        for i in range(self._n_sines):
            weight, bias = parameters[f"weight{i}"], parameters[f"bias{i}"]
            x = torch.sin(functional.linear(x, OMEGA_0 * weight, OMEGA_0 * bias))
        return functional.linear(x, parameters["weight_out"], parameters["bias_out"])
