"""Fits in plain PyTorch: any field, any optimiser, any loss, beside the codec's engines and under the same searches.

A *field* is a torch module, an *optimiser* takes its steps, a *loss* says what is minimised, and a *stop* ends the fit:
`protocol.fit` is all four in one call. Each is a small class in a file of its own, found by being there
(`benchmarks/plain/fields/`, `benchmarks/plain/optimisers/`), or a function (`losses.py`, `stops.py`).
docs/extend/plain-torch.md shows how to write one.
"""
