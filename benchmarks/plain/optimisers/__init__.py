"""Optimisers, one a file: the name of the file is what `--optimiser` takes."""
