"""A real browser for the tests of pages, and what it has asked the network for. `tests/conftest.py` has the fixture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def start(profile: Path) -> Iterator[Any]:
    """Headless Chromium with its console and network logs; the test is skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs the selenium package")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    chromium = next((path for path in map(shutil.which, names) if path), None)
    chromedriver = shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("needs Chromium and chromedriver on the PATH (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "disable-dev-shm-usage", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync", "window-size=1200,900",
        f"user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=chromedriver))
    yield driver
    driver.quit()


def requests(driver) -> list[str]:
    """What the browser has asked for since the last call, but for data: addresses."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = (each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent")
    return [url for url in asked if not url.startswith("data:")]
