"""Fields, one a file: the name of the file is what `--field` takes."""
