"""The page to draw digits on, in a real browser."""

import hashlib
import json
import os
import tempfile
import unittest

from browser import SCREENSHOTS, contrast, luminance, needs_browser, set_scheme, start, webdriver
from testbed import SOURCE, Server, wait_until

if webdriver:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select

# Strokes in a field of 100 by 100.
SEVEN = [(25, 25), (75, 25), (45, 80)]
ONE = [(50, 20), (50, 80)]

COLOURS = """
return [...document.querySelectorAll('h1, h2, header p, .note, #says, label, button, th, td.number, #layers h3')].map(e => {
  let behind = e;
  while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)' && behind.parentElement) behind = behind.parentElement;
  return [getComputedStyle(e).color, getComputedStyle(behind).backgroundColor];
});
"""
LIT = """
const canvas = arguments[0];
const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
return pixels.filter((value, i) => i % 4 === 0 && value > 128).length;
"""


@needs_browser
class DrawPageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = start()
        cls.addClassCleanup(cls.browser.quit)
        cls.server = Server("--http-listen=127.0.0.1:0", "--model-versions=all", model=os.path.join(SOURCE, "models/mnist"))
        cls.addClassCleanup(cls.server.stop)

    def open(self, width=1280, scheme="light", server=None):
        set_scheme(self.browser, scheme)
        self.browser.set_window_size(width, 1000)
        self.browser.get(f"http://{(server or self.server).http_address}/")
        if server:
            return
        wait_until(lambda: len(Select(self.find("#model")).options) == 3, "the list of models")

    def find(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def says(self):
        return self.find("#says").text

    def draw(self, stroke):
        field = self.find("#drawing")
        half = field.size["width"] / 2
        actions = ActionChains(self.browser, duration=20)
        places = [(int(x / 50 * half - half), int(y / 50 * half - half)) for x, y in stroke]
        actions.move_to_element_with_offset(field, *places[0]).click_and_hold()
        for place in places[1:]:
            actions.move_to_element_with_offset(field, *place)
        actions.release().perform()

    def wait_for(self, label):
        wait_until(lambda: self.says().startswith(f"This looks like {label},"), f"a {label}; it says {self.says()!r}")

    def screenshot(self, name):
        if SCREENSHOTS:
            os.makedirs(SCREENSHOTS, exist_ok=True)
            self.browser.save_screenshot(os.path.join(SCREENSHOTS, name))

    def test_a_digit_is_read_at_each_width_in_light_and_dark(self):
        for width in (1280, 500):
            for scheme in ("light", "dark"):
                with self.subTest(width=width, scheme=scheme):
                    self.open(width, scheme)
                    self.draw(SEVEN)
                    self.wait_for("7")
                    self.assertEqual(self.find("tr.best th").text, "7")
                    self.assertEqual(len(self.browser.find_elements(By.CSS_SELECTOR, "#classes tr")), 10)
                    self.assertGreater(self.browser.execute_script(LIT, self.find("#image")), 20)
                    maps = self.browser.find_elements(By.CSS_SELECTOR, ".maps canvas")
                    self.assertEqual(len(maps), 6 + 16)
                    self.assertGreater(sum(self.browser.execute_script(LIT, one) for one in maps), 100)
                    self.screenshot(f"draw-{width}-{scheme}.png")
                    layout = self.browser.execute_script(
                        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
                    )
                    self.assertLessEqual(layout[0], layout[1], "the page scrolls sideways")
                    for ink, paper in self.browser.execute_script(COLOURS):
                        self.assertGreater(contrast(ink, paper), 4.5, f"{ink} on {paper}")
                        self.assertEqual(luminance(paper) < 0.5, scheme == "dark")
                    # On a busy machine a stroke is sent before it is a digit, and the 400 is a line in the console.
                    lines = [line for line in self.browser.get_log("browser") if "400 (Bad Request)" not in line["message"]]
                    self.assertEqual(lines, [], "the console is not silent")

    def test_nothing_comes_from_elsewhere(self):
        self.browser.get_log("performance")
        self.open()
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                self.assertTrue(url.startswith((f"http://{self.server.http_address}/", "data:,")), url)

    def test_the_keyboard_is_enough(self):
        self.open()
        field = self.find("#drawing")
        keys = ActionChains(self.browser)
        # To the field by the tab key, as it comes first.
        keys.send_keys(Keys.TAB).send_keys(Keys.ARROW_UP * 8).send_keys(Keys.SPACE).send_keys(Keys.ARROW_DOWN * 16)
        keys.send_keys(Keys.SPACE).perform()
        self.assertEqual(self.browser.switch_to.active_element, field)
        self.wait_for("1")
        self.assertTrue(self.find("#pen").is_displayed())
        ActionChains(self.browser).send_keys(Keys.DELETE).perform()
        self.assertEqual(self.says(), "Nothing is drawn yet.")

    def test_each_control_has_a_name(self):
        self.open()
        self.draw(ONE)
        self.wait_for("1")
        for selector in ("#drawing", "#image", "#clear", "#model", "progress", ".maps canvas"):
            for element in self.browser.find_elements(By.CSS_SELECTOR, selector):
                self.assertTrue(element.accessible_name, selector)
        self.assertEqual(self.find("#told").get_attribute("aria-live"), "polite")
        wait_until(lambda: self.find("#told").get_attribute("textContent") == self.says(), "what a screen reader says")

    def test_a_server_that_wants_a_token_gets_one(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "access.json")
            with open(path, "w", encoding="utf-8") as file:
                token = hashlib.sha256(b"seven").hexdigest()
                json.dump({"principals": {"people": {"token_sha256": token, "may": ["classify", "introspect"]}}}, file)
            with Server("--http-listen=127.0.0.1:0", "--access-file", path) as server:
                self.open(500, server=server)
                wait_until(lambda: self.find("#access").is_displayed(), "it asks for a token")
                self.draw(SEVEN)
                wait_until(lambda: "wanted a token" in self.says(), f"it says why; it says {self.says()!r}")
                for wrong_first in ("eight", "seven"):
                    field = self.find("#token")
                    wait_until(field.is_displayed, "it asks again")
                    self.assertEqual(field.accessible_name, "Token")
                    field.clear()
                    field.send_keys(wrong_first, Keys.ENTER)
                self.wait_for("7")
                self.assertFalse(self.find("#access").is_displayed())
                wait_until(lambda: len(Select(self.find("#model")).options) == 2, "the list of models")
                self.browser.get_log("browser")  # its 401s are lines in the console

    def test_a_version_can_be_chosen_and_what_is_no_digit_is_said(self):
        self.open()
        Select(self.find("#model")).select_by_visible_text("mnist, version 1")
        self.draw(SEVEN)
        self.wait_for("7")
        asked = self.browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
        self.assertTrue(any("model=mnist&version=1" in url for url in asked), asked)
        self.find("#clear").click()
        self.assertEqual(self.says(), "Nothing is drawn yet.")
        self.draw([(20, 30), (20, 70)])
        self.draw([(80, 30), (80, 70)])
        wait_until(lambda: "several" in self.says() or "more than one" in self.says(), f"several digits; it says {self.says()!r}")
        # Its 400 is a line in the console, as browsers have it.
        self.browser.get_log("browser")


if __name__ == "__main__":
    unittest.main()
