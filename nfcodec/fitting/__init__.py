"""Fitting a field to a transformed picture, up to quantized weights that reach the target: what all families share."""
