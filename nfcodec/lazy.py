"""Names as text, imported when asked for: whoever does without a part of the package does not wait for it to load."""

from __future__ import annotations

import importlib
from typing import Any


def load(path: str) -> Any:
    """What "module:attribute" names. Raises ImportError, also where there is no such attribute."""
    module, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except AttributeError as error:
        raise ImportError(f"{module} has no {attribute}") from error
