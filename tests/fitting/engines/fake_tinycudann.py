"""tiny-cuda-nn's PyTorch binding as far as the engine uses it, in plain torch on the CPU: what its documents and golden
vectors say, written again. Parameters and outputs have 16 bits; sums are in 32."""

from __future__ import annotations

import numpy as np
import torch

from nfcodec.fields.ngp.levels import hash_levels

LOSS_SCALE = 128.0


class _Rounded(torch.autograd.Function):
    """To 16 bits, and the gradient scaled and in 16 bits, as the binding does it."""

    @staticmethod
    def forward(context, values):
        return values.half()

    @staticmethod
    def backward(context, gradient):
        return (gradient * LOSS_SCALE).half().float() / LOSS_SCALE


class NetworkWithInputEncoding(torch.nn.Module):
    def __init__(self, n_input_dims, n_output_dims, encoding_config, network_config, seed=1337):
        super().__init__()
        assert (n_input_dims, encoding_config["type"], encoding_config["interpolation"]) == (2, "Hash", "Linear")
        keys = ("n_levels", "n_features_per_level", "log2_hashmap_size", "base_resolution", "per_level_scale")
        self.levels = hash_levels(*(encoding_config[key] for key in keys))
        self.features, self.n_out = encoding_config["n_features_per_level"], n_output_dims
        width, n_hidden = network_config["n_neurons"], network_config["n_hidden_layers"]
        sizes = [-(-len(self.levels) * self.features // 16) * 16, *[width] * n_hidden, -(-n_output_dims // 16) * 16]
        self.shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
        n = sum(a * b for a, b in self.shapes) + sum(level.size * self.features for level in self.levels)
        self.params = torch.nn.Parameter(torch.zeros(n))

    def forward(self, x):
        params, at = self.params.half().float(), 0
        matrices = []
        for rows, cols in self.shapes:
            matrices.append(params[at : at + rows * cols].view(rows, cols))
            at += rows * cols
        features = []
        for level in self.levels:
            table = params[at : at + level.size * self.features].view(level.size, self.features)
            at += level.size * self.features
            position = np.float32(level.scale) * x + 0.5
            cell = torch.floor(position)
            fraction, cell = position - cell, cell.numpy().astype(np.int64)
            out = 0.0
            for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
                index = torch.from_numpy(level.index(cell[:, 0] + dx, cell[:, 1] + dy))
                weight = (fraction[:, 0] if dx else 1 - fraction[:, 0]) * (fraction[:, 1] if dy else 1 - fraction[:, 1])
                out = out + weight[:, None] * table[index]
            features.append(out)
        z = torch.nn.functional.pad(torch.cat(features, 1), (0, self.shapes[0][1] - len(self.levels) * self.features))
        for matrix in matrices[:-1]:
            z = torch.relu(z @ matrix.T)
        return _Rounded.apply((z @ matrices[-1].T)[:, : self.n_out])
