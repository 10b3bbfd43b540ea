"""A real browser for tests of pages: Chromium, by its driver.

HELLOCNN_TEST_SCREENSHOTS names a folder for pictures of what it saw.
"""

import os
import shutil
import unittest

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
except ImportError:
    webdriver = None

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
SCREENSHOTS = os.environ.get("HELLOCNN_TEST_SCREENSHOTS")

needs_browser = unittest.skipUnless(
    webdriver and CHROMIUM and DRIVER, "there is no chromium, chromium-driver and python3-selenium"
)


def start():
    """A browser that logs what its console and its network do. The caller quits it."""
    options = Options()
    options.binary_location = CHROMIUM
    # Root's Chromium has no sandbox, and containers have a small /dev/shm.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(service=Service(DRIVER), options=options)


def set_scheme(browser, scheme):
    """Lets pages be "light" or "dark"."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def luminance(colour):
    """Of 'rgb(1, 2, 3)', as the WCAG define it."""
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
