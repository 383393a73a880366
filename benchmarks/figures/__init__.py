"""Figures for the documents: SVG files that are drawn by hand-written code, from records alone."""
