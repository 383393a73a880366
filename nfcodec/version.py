"""The version of nfcodec, which is also written into every file."""

__version__ = "0.1.0"
VERSION = (0, 1, 0)
