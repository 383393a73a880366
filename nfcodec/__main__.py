"""`python -m nfcodec` is the command `nfcodec`."""

import sys

from nfcodec.cli import main

if __name__ == "__main__":
    sys.exit(main())
