"""The Python interface in one page: encode a picture, look into the file, decode it, and what an error looks like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import nfcodec

SAMPLE = Path(__file__).parents[1] / "benchmarks" / "data" / "sample.png"


def main() -> None:
    with Image.open(SAMPLE) as opened:
        picture = np.asarray(opened.convert("RGB"))

    # Bytes out of samples: a promise of 35 dB, kept on the very bytes. Effort 1 is the fastest, 5 the default.
    data = nfcodec.encode(picture, psnr=35, effort=1)

    # The header tells what a file is; nothing is decoded for it.
    info = nfcodec.inspect(data)
    print(f"{info.width} x {info.height} pixels in {info.bytes} bytes, {info.bpp:.2f} bits a pixel")
    print(f"field {info.field} with {info.parameters} parameters, {info.psnr_db:.2f} dB")

    # Samples out of bytes, the same on every machine; `decode` gives a Pillow image instead.
    decoded = nfcodec.decode_array(data)
    error = np.mean((decoded.astype(float) - picture) ** 2)
    print(f"measured again: {10 * np.log10(255**2 / error):.2f} dB")

    # Whatever is wrong with bytes or wishes is an NfcError, with a message for people.
    try:
        nfcodec.decode(data[: len(data) // 2])
    except nfcodec.NfcError as problem:
        print(f"half a file: {type(problem).__name__}: {problem}")


if __name__ == "__main__":
    main()
