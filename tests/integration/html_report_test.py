"""The page of `hellocnn load --html`, looked at in a real browser."""

import os
import pathlib
import json
import tempfile
import unittest

from browser import SCREENSHOTS, contrast, luminance, needs_browser, set_scheme, start
from testbed import Server

WIDTHS = (1280, 700)

# What of the page lies where, as the browser has laid it out.
LAYOUT = """
const box = e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
return {
  width: document.documentElement.clientWidth,
  scroll: document.documentElement.scrollWidth,
  charts: [...document.querySelectorAll('svg')].map(svg => ({
    box: box(svg),
    marks: [...svg.querySelectorAll('polyline, circle, rect')].length,
    texts: [...svg.querySelectorAll('text')].map(t => ({text: t.textContent, kind: t.getAttribute('class'), box: box(t)})),
  })),
  titles: [...document.querySelectorAll('h2')].map(h => h.textContent),
  figures: [...document.querySelectorAll('.figures div')].map(f => ({text: f.textContent, box: box(f)})),
  colours: [...document.querySelectorAll('h1, .sub, .figures dt, figcaption, pre')].map(e => {
    let behind = e;
    while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
    return [getComputedStyle(e).color, getComputedStyle(behind).backgroundColor];
  }),
};
"""


def overlap(a, b):
    """Whether two boxes share more than a pixel each way."""
    return min(a[2], b[2]) - max(a[0], b[0]) > 1 and min(a[3], b[3]) - max(a[1], b[1]) > 1


@needs_browser
class HtmlReportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = start()
        cls.addClassCleanup(cls.browser.quit)
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def report(self, name, *load):
        """Measures, and gives the page's address."""
        path = os.path.join(self.folder.name, f"{name}.html")
        done = self.server.cli("load", *load, "--html", path)
        self.assertEqual(done.returncode, 0, done)
        return pathlib.Path(path).as_uri()

    def look(self, url, name, scheme):
        """Opens the page at each width and gives what was laid out."""
        set_scheme(self.browser, scheme)
        for width in WIDTHS:
            self.browser.set_window_size(width, 1000)
            self.browser.get(url)
            with self.subTest(page=name, width=width, scheme=scheme):
                self.assertEqual(self.browser.get_log("browser"), [], "the console is not silent")
                self.assert_no_network(url)
                layout = self.browser.execute_script(LAYOUT)
                self.screenshot(f"{name}-{width}-{scheme}.png")
                self.assert_laid_out_well(layout)
                for ink, paper in layout["colours"]:
                    self.assertGreater(contrast(ink, paper), 4.5, f"{ink} on {paper}")
                    self.assertEqual(luminance(paper) < 0.5, scheme == "dark")
                yield layout

    def assert_no_network(self, url):
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.assertEqual(message["params"]["request"]["url"], url)

    def assert_laid_out_well(self, layout):
        self.assertLessEqual(layout["scroll"], layout["width"], "the page scrolls sideways")
        for chart in layout["charts"]:
            left, top, right, bottom = chart["box"]
            self.assertGreater(right - left, 300)
            self.assertGreater(bottom - top, 30)
            self.assertGreaterEqual(left, 0)
            self.assertLessEqual(right, layout["width"])
            self.assertGreater(chart["marks"], 0)
            texts = chart["texts"]
            self.assertGreater(len(texts), 3)
            for text in texts:
                box = text["box"]
                self.assertTrue(left - 1 <= box[0] and box[2] <= right + 1 and top - 1 <= box[1] and box[3] <= bottom + 1,
                                f"{text} is not within {chart['box']}")
            # Notes stand at points, wherever those are.
            fixed = [text for text in texts if text["kind"] != "note"]
            for i, one in enumerate(fixed):
                for other in fixed[i + 1 :]:
                    self.assertFalse(overlap(one["box"], other["box"]), f"{one} is over {other}")

    def screenshot(self, name):
        if not SCREENSHOTS:
            return
        os.makedirs(SCREENSHOTS, exist_ok=True)
        size = self.browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        self.browser.set_window_size(self.browser.get_window_size()["width"], int(size["height"]) + 200)
        self.browser.save_screenshot(os.path.join(SCREENSHOTS, name))

    def test_one_run(self):
        url = self.report("run", "--rate", "300", "--arrivals", "poisson", "--duration", "2s", "--warm-up", "200ms")
        for scheme in ("light", "dark"):
            for layout in self.look(url, "run", scheme):
                self.assertEqual(layout["titles"], ["Latency by percentile", "Latency over time", "Rate over time",
                                                    "Where the mean latency went"])
                self.assertEqual(len(layout["charts"]), 4)
                self.assertTrue(any(figure["text"].startswith("p99") for figure in layout["figures"]))

    def test_sweep(self):
        url = self.report("sweep", "--concurrency", "1:64:x2", "--duration", "300ms", "--warm-up", "100ms")
        for scheme in ("light", "dark"):
            for layout in self.look(url, "sweep", scheme):
                self.assertEqual(layout["titles"], ["Latency against throughput", "Where the mean latency went"])
                notes = [text["text"] for text in layout["charts"][0]["texts"] if text["kind"] == "note"]
                self.assertIn("1", notes)
                names = [text["text"] for text in layout["charts"][1]["texts"]]
                self.assertIn("64 in flight", names)


if __name__ == "__main__":
    unittest.main()
