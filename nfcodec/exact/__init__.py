"""Integers that decode the same everywhere, and what a field is."""
