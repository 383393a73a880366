"""What readers are allowed while they are attacked, and what counts as too much."""

from __future__ import annotations

from nfcodec.limits import Limits

LIMITS = Limits(max_pixels=1 << 16, max_memory_bytes=150e6, max_work=2.5)
"""So tight that everything within them has to be read soon, in little memory."""

SLOW_S = 5.0
LARGE_BYTES = 200 << 20
ADDRESS_SPACE = 2 << 30
"""Of a worker; what reaches it is a find, for limits should have refused the input before."""

ENDLESS_S = 20
"""Of processor time, until a reader is interrupted; KILLED_S later the whole worker ends."""
KILLED_S = 40
