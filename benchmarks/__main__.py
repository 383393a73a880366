"""`python -m benchmarks`: see `python -m benchmarks --help`."""

from benchmarks.commands import main

if __name__ == "__main__":
    main()
