"""`python -m benchmarks`: see `python -m benchmarks --help`."""

import signal

from benchmarks.commands import main

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, with all that has been started
    main()
