"""Pages of HTML that need nothing outside themselves: two pictures side by side, and how a file came about."""

from __future__ import annotations

from nfcodec.pages.document import Side, document, wipe

__all__ = ["Side", "document", "wipe"]
