"""Devices of PyTorch: whether one is there."""

from __future__ import annotations

import torch

from nfcodec.errors import UsageError


def check_device(name: str) -> None:
    """See that PyTorch can compute there, by making a number there.

    Args:
        name: as PyTorch has it: "cpu", "cuda", "cuda:1".

    Raises:
        UsageError: it cannot, for want of such a device or of a build for it.
    """
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"there is no device {name!r} that PyTorch can use: {reason}") from error
