"""Compiled loops: pure functions of arrays, no state, no threads of their own.

Most are the numba engine's; those of `trellis` choose symbols on a trellis, and that of `muon` takes an optimiser's
steps, whatever the engine.

Each releases the interpreter's lock, so the engine runs them on Python threads. Work is cut into blocks of `BLOCK`
pixels whose numbers, one row of `BLOCK` floats a feature, stay in the cache. Indices are unsigned throughout: numba
would test a signed index for being negative, which keeps loops from being vectorized.
"""
