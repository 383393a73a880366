"""Compiled loops of the numba engine: pure functions of arrays, no state, no threads of their own.

Each releases the interpreter's lock, so the engine runs them on Python threads. Work is cut into blocks of `BLOCK`
pixels whose numbers, one row of `BLOCK` floats a feature, stay in the cache. Indices are unsigned throughout: numba
would test a signed index for being negative, which keeps loops from being vectorized.
"""
