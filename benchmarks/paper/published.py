"""The figures of Seo et al., "In Search of a Data Transformation That Accelerates Neural Field Training", CVPR 2024."""

from __future__ import annotations

from benchmarks.paper.arms import TABLE_1

TARGET_DB = 50.0

MAX_STEPS = 10_000

SIZE = "512 x 512"

DATASETS = ("kodak", "div2k", "clic")

PICTURES = {"kodak": 24, "div2k": 100, "clic": 100}
"""In each set."""

SETUP: dict[str, dict[str, str | int]] = {
    "siren": {
        "width": 512, "loss": "squared error", "optimiser": "Adam", "16 bits": "none", "log2 of rates": "-8 to -16",
        "best rate the highest, the lowest": "not said", "steps at most": f"{MAX_STEPS:,}", "seeds": "not said",
        "pictures": "all",
    },
    "ngp": {
        "levels": "finest has half the side", "largest table": "2^24", "entries within": "not said",
        "loss": "squared error", "optimiser": "Adam", "16 bits": "parameters", "log2 of rates": "-4 to -15",
        "best rate the highest, the lowest": "not said", "steps at most": f"{MAX_STEPS:,}", "seeds": "not said",
        "pictures": "all",
    },
}  # fmt: skip
"""What the figures were measured with, by field: the columns of the table of set-ups."""

_TABLE_1 = {
    ("siren", "kodak"): (1.26, 17.90, 0.72, 2.20, 0.79, 1.39, 0.76, 0.97, 0.36, 0.80),
    ("siren", "div2k"): (1.30, 21.74, 0.70, 2.36, 0.82, 1.45, 0.97, 1.22, 0.30, 0.90),
    ("siren", "clic"): (1.08, 17.07, 0.68, 2.18, 0.76, 1.36, 0.87, 1.14, 0.24, 0.82),
    ("ngp", "kodak"): (1.50, 0.86, 0.21, 0.45, 1.15, 0.75, 1.24, 0.80, 0.29, 0.38),
    ("ngp", "div2k"): (1.32, 0.80, 0.20, 0.61, 1.12, 0.64, 1.39, 0.97, 0.14, 0.33),
    ("ngp", "clic"): (1.35, 0.78, 0.07, 0.53, 1.03, 0.68, 0.99, 0.66, 0.12, 0.32),
}

ACCELERATION: dict[tuple[str, str], dict[str, float]] = {
    key: dict(zip(TABLE_1, values, strict=True)) for key, values in _TABLE_1.items()
}
"""Table 1: mean acceleration by (field, dataset) and transform. 512 x 512; SIREN 512 wide; NGP in 16 bits."""

STEPS = {"none": {"30": 105.8, "50": 1371.4, "ratio": 0.08}, "rpp": {"30": 851.8, "50": 1100.5, "ratio": 0.79}}
"""Table 2: SIREN on Kodak, mean steps to 30 and 50 dB, and the mean of their ratios."""

VARIANCE = {
    "none": {"20": 10.51e-4, "30": 23.68e-6, "40": 19.46e-8, "50": 5.90e-10},
    "rpp": {"20": 5.68e-4, "30": 5.89e-6, "40": 7.59e-8, "50": 5.81e-10},
    "ratio": {"20": 2.03, "30": 5.20, "40": 5.80, "50": 1.55},
}
"""Table 3: SIREN on Kodak, variance over pixels of the squared error when a PSNR is first reached, and mean ratios."""

LOWEST_ON_LINE_DB = {"none": 15.3, "rpp": 28.3}
"""Figure 6: the lowest PSNR on the straight line between the weights at 30 and at 50 dB, SIREN, mean over Kodak."""


def dataset(name: str) -> str | None:
    """The paper's dataset that a folder's name speaks of, if any."""
    return next((known for known in DATASETS if name.lower().startswith(known)), None)
