"""Whether a wheel and an sdist install and work in a bare environment: `python -m release.smoke`.

For each supported Python that is at hand (in PATH, or installed by pyenv), in a fresh virtual environment: the wheel of
dist/ is installed with what it needs and nothing else, a picture is encoded, verified and decoded in an empty folder,
then the same with the sdist.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = [f"python3.{minor}" for minor in range(10, 15)]
"""All that are supported, as `requires-python` says."""

PICTURE = """
import numpy as np
from PIL import Image
y, x = np.mgrid[0:40, 0:56]
Image.fromarray(np.stack([4 * x, 6 * y, 2 * x + 3 * y], 2).clip(0, 255).astype(np.uint8)).save("a.png")
"""

IN_PYTHON = """
import nfcodec
from PIL import Image
data = nfcodec.encode(Image.open("a.png"), lossless=True)
assert list(nfcodec.decode(data).getdata()) == list(Image.open("a.png").getdata())
assert nfcodec.open("a.nfc").verify()
"""

CALLS = (
    "--version",
    "doctor --json",
    "encode a.png --psnr 40 -e 1",
    "verify a.nfc --reference a.png",
    "info a.nfc --json",
    "decode a.nfc b.png",
    "decode a.nfc b.jpg",
    "decode a.nfc b.tif",
    "compare a.png b.tif",
    "completion bash",
)
"""Of the command line, one after the other."""

MAN_PAGE = Path("share", "man", "man1", "nfcodec.1")


def main() -> None:
    """Try both files with all Pythons; the exit code is 1 if something fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", nargs="+", help="names or paths of interpreters; by default all at hand")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="the folder with the wheel and the sdist")
    given = parser.parse_args()
    wheel, sdist = _only(given.dist, "*.whl"), _only(given.dist, "*.tar.gz")
    at_hand = {name: path for name in PYTHONS if (path := _at_hand(name)) is not None}
    pythons = given.python or list(at_hand.values())
    print(f"wheel {wheel.stat().st_size:,} bytes, sdist {sdist.stat().st_size:,} bytes", flush=True)
    print(f"not at hand: {', '.join(each for each in PYTHONS if each not in at_hand) or 'none'}", flush=True)
    if not pythons:
        sys.exit("no Python that is supported is at hand")
    for python in pythons:
        with tempfile.TemporaryDirectory(prefix="nfcodec-smoke-") as folder:
            _try(python, Path(folder), (wheel, sdist))
    print("all that was tried works")


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        sys.exit(f"{folder} has {len(found)} files {pattern}, and not one; `make dist` makes it")
    return found[0]


def _at_hand(name: str) -> str | None:
    """The path of an interpreter such as python3.12 that makes environments; None where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(name), *map(str, sorted(pyenv.glob(f"*/bin/{name}"), reverse=True))]
    return next((each for each in candidates if each is not None and _is(each, name)), None)


def _is(python: str, name: str) -> bool:
    """Whether an interpreter runs and is the one meant; some are only stand-ins for one that is not there."""
    code = "import sys, venv, ensurepip; print('python%d.%d' % sys.version_info[:2])"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return found.returncode == 0 and found.stdout.strip() == name


def _try(python: str, folder: Path, packages: tuple[Path, ...]) -> None:
    environment = folder / "environment"
    _run([python, "-m", "venv", str(environment)], folder)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    empty = _size(environment)
    for package in packages:
        _run([*pip, "install", "-c", str(ROOT / "constraints.txt"), str(package)], folder)
        installed = _size(environment)
        _smoke(environment, Path(tempfile.mkdtemp(dir=folder)))
        print(f"{python}: {package.name} works; the install takes {(installed - empty) / 1e6:,.0f} MB", flush=True)
        _run([*pip, "uninstall", "--yes", "nfcodec"], folder)


def _smoke(environment: Path, folder: Path) -> None:
    assert (environment / MAN_PAGE).is_file(), f"there is no {MAN_PAGE}"
    python = str(environment / "bin" / "python")
    _run([python, "-c", PICTURE], folder)
    for call in CALLS:
        _run([str(environment / "bin" / "nfcodec"), *call.split()], folder)
    _run([python, "-W", "ignore::DeprecationWarning", "-c", IN_PYTHON], folder)


def _run(command: list[str], folder: Path) -> None:
    """Run a program that sees nothing of the checkout; all it says is shown if it fails."""
    plain = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=folder, env=plain, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}ended with exit code {done.returncode}")


def _size(folder: Path) -> int:
    """Bytes of all files, without what Python compiles of them."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files if "__pycache__" not in path.parts)


if __name__ == "__main__":
    main()
