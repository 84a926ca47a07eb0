"""browser_test.py DIR: opens the pages that page_writer wrote to DIR in a
headless Chromium, and uses them as readers do."""

import glob
import os
import sys
import tempfile
import unittest

import chromium
import take_pictures

DIR = sys.argv.pop()
BIG = 1500000

# How many pixels of a canvas have the colour of one of its datasets.
DRAWN = """
[...document.querySelectorAll('canvas')].map((canvas) => {
  const colors = Chart.getChart(canvas).data.datasets.flatMap((set) =>
    [set.borderColor, set.backgroundColor]).map((color) => {
      const c = document.createElement('canvas').getContext('2d');
      c.fillStyle = color;
      c.fillRect(0, 0, 1, 1);
      return c.getImageData(0, 0, 1, 1).data.slice(0, 3).join();
    });
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width,
    canvas.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] > 100 && colors.includes(data.slice(i, i + 3).join())) {
      count++;
    }
  }
  return count;
})
"""

# Controls that have no name for those who do not see them.
NAMELESS = """
[...document.querySelectorAll('button, select, input, canvas, a, dialog')]
  .filter((node) => !(node.textContent.trim() ||
    node.getAttribute('aria-label') || node.getAttribute('aria-labelledby') ||
    node.closest('label'))).map((node) => node.outerHTML)
"""

HEADLESS = """
[...document.querySelectorAll('main table')].filter((table) =>
  !table.querySelector('thead th[scope]') ||
  !table.querySelector('tbody th[scope="row"]')).length
"""


class PageTest(unittest.TestCase):
    """Each opens its page anew, in one browser."""

    @classmethod
    def setUpClass(cls):
        cls.browser = chromium.Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.__exit__()

    def open(self, name, width=1280):
        self.browser.resize(width, 900, mobile=width < 500)
        self.browser.prefer("light")
        self.browser.open(os.path.join(DIR, name + ".html"))
        self.assertEqual(self.browser.complaints(), [])

    def count(self, selector):
        return self.browser.run(
            "document.querySelectorAll(%r).length" % selector)

    def choose(self, label, value):
        self.browser.run("""(() => {
          const label = [...document.querySelectorAll('#filters label')].find(
            (node) => node.firstChild.textContent === %r);
          const control = label.querySelector('select, input');
          control.value = %r;
          control.dispatchEvent(new Event(
            control.tagName === 'SELECT' ? 'change' : 'input'));
        })()""" % (label, value))

    def sheet(self):
        """The text of the evidence; empty: it is closed."""
        return self.browser.run(
            "(d => d.open ? d.innerText : '')(document.querySelector('dialog'))")

    def test_pages_are_small_and_ask_for_nothing(self):
        pages = sorted(glob.glob(os.path.join(DIR, "*.html")))
        self.assertEqual(len(pages), 3)
        for page in pages:
            self.assertLess(os.path.getsize(page), BIG)
            self.open(os.path.basename(page)[:-5])
            self.assertEqual(self.browser.requests(),
                             ["file://" + os.path.abspath(page)])

    def test_no_request_and_no_script_of_others_is_let_through(self):
        self.open("full")
        self.assertEqual(self.browser.run(
            "fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')"),
            "refused")
        self.browser.run("""
          document.body.append(Object.assign(document.createElement('script'),
            {textContent: 'window.hacked = 1'}))""")
        self.assertIsNone(self.browser.run("window.hacked"))
        said = " ".join(self.browser.complaints())
        self.assertIn("connect", said)
        self.assertIn("script-src", said)

    def test_every_section_shows_its_data(self):
        self.open("full")
        ids = self.browser.run(
            "[...document.querySelectorAll('main section')].map(s => s.id)")
        self.assertEqual(ids, [
            "verdicts", "claims", "directory", "latency", "floor", "fairness",
            "stress", "benchmarks", "deaths", "explorer", "sins", "trend",
            "environment"])
        self.assertEqual(self.browser.run(
            "[...document.querySelectorAll('nav a')].map(a => a.hash.slice(1))"
        ), ids)
        self.assertEqual(self.browser.run(
            "document.querySelector('#sins .bad').innerText"), "✕\nMISSED")
        self.assertNotIn("cannot be shown", self.browser.run(
            "document.body.innerText"))

    def test_what_has_no_data_is_left_out(self):
        self.open("check")
        for name in ("stress", "benchmarks", "explorer", "sins", "trend"):
            self.assertEqual(self.count("#" + name), 0, name)
        self.assertGreater(self.count("#verdicts .cell"), 0)

    def test_charts_have_drawn_their_data(self):
        self.open("full")
        drawn = self.browser.run(DRAWN)
        self.assertGreaterEqual(len(drawn), 6)
        for index, pixels in enumerate(drawn):
            self.assertGreater(pixels, 20, "chart %d" % index)
        # Behind each: the same as a table.
        self.assertEqual(self.count(".panel:has(canvas)"),
                         self.count(".panel:has(canvas) details table"))

    def test_a_cell_opens_its_evidence_by_click(self):
        self.open("full")
        x, y = self.browser.run("""(() => {
          const cell = document.querySelector('.cell[data-worth="unsafe"]');
          cell.scrollIntoView({block: 'center'});
          const box = cell.getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        })()""")
        self.browser.click(x, y)
        text = self.sheet()
        for part in ("unsafe", "family.fail_0", "what was seen",
                     "while actor 5 held it", "locklab check --dir=/d"):
            self.assertIn(part, text)

    def test_a_cell_opens_its_evidence_by_keyboard(self):
        self.open("full")
        self.browser.run("document.querySelector('#verdicts .cell').focus()")
        self.browser.press("Enter", 13, "\r")
        self.assertIn("family.fail_0", self.sheet())
        self.browser.press("Escape", 27)
        self.assertEqual(self.sheet(), "")
        self.assertTrue(self.browser.run(
            "document.activeElement.matches('#verdicts .cell')"))

    def test_a_point_and_a_counterexample_open(self):
        self.open("full")
        self.browser.run("document.querySelector('#explorer .bad').click()")
        self.assertIn("Link(job.lock)", self.sheet())
        self.browser.run("document.querySelector('#evidence-close').click()")
        self.browser.run("document.querySelector('#deaths .cell').click()")
        self.assertIn("acquire:3:before", self.sheet())

    def test_a_bounded_search_says_how_far_it_came(self):
        self.open("full")
        cell = self.browser.run("""[...document.querySelectorAll(
            '#explorer .cell')].map((c) => c.innerText).find((text) =>
              text.includes('bounded'))""")
        self.assertIn("at most 2 preemptions", cell)

    def test_benchmarks_are_drawn_by_measure_and_over_runs(self):
        self.open("full")
        text = "document.querySelector('#benchmarks').innerText"
        self.assertIn("From run to run", self.browser.run(text))
        pick = """(([run, measure]) => {
          const selects = document.querySelectorAll('#benchmarks select');
          for (const [select, value] of [[selects[0], run],
                                         [selects[1], measure]]) {
            select.value = value;
            select.dispatchEvent(new Event('change'));
          }
        })(%s)"""
        # The last run of the store is first, then the file.
        for measure, said in (("calls", "19 calls"), ("processes/", "8"),
                              ("uncontended", "a worker died")):
            self.browser.run(pick % ["1", measure])
            self.browser.run(
                "document.querySelector('#benchmarks details').open = true")
            self.assertIn(said, self.browser.run(text), measure)
            # Reading canvases again and again is what Chromium warns of.
            self.assertEqual([one for one in self.browser.complaints()
                              if "readback" not in one], [])
            self.assertGreater(min(self.browser.run(DRAWN)), 20, measure)

    def test_trends_tell_of_changes(self):
        self.open("full")
        for section in ("trend", "benchmarks"):
            self.assertEqual(self.browser.run(
                "document.querySelectorAll('#%s .changes li').length"
                % section), 1, section)
            text = self.browser.run(
                "document.querySelector('#%s .changes').innerText" % section)
            for said in ("REGRESSED", "24.0 µs → 36.0 µs (+50.0 %)"):
                self.assertIn(said, text, section)
        # Of another measure there was none.
        self.browser.run("""(() => {
          const select = document.querySelectorAll('#trend select')[1];
          select.value = 'floor';
          select.dispatchEvent(new Event('change'));
        })()""")
        self.assertEqual(self.count("#trend .changes"), 0)

    def test_filters_leave_what_matches(self):
        self.open("full")
        everything = self.count("#verdicts .cell")
        self.choose("Filesystem", "1")
        self.assertEqual(self.count("#verdicts tbody tr"), 1)
        self.choose("Lock", "flock")
        self.assertEqual(self.count("#verdicts .cell"), 1)
        self.browser.run("document.querySelector('[type=reset]').click()")
        self.assertTrue(self.browser.await_true(
            "document.querySelectorAll('#verdicts .cell').length === %d"
            % everything))
        self.choose("Lock is", "unsupported")
        self.assertEqual(
            self.count("#verdicts .cell:not(.faded)"),
            self.count('#verdicts .cell[data-worth="unsupported"]'))
        self.choose("Lock is", "")
        self.choose("Claim is", "xpass")
        self.assertEqual(self.browser.run(
            "document.querySelector('#claims').innerText.includes('fail_0')"),
            False)
        self.choose("Claim or message", "no such text anywhere")
        self.assertIn("Nothing here matches", self.browser.run(
            "document.querySelector('#verdicts').innerText"))
        self.assertEqual(self.browser.complaints(), [])

    def test_controls_and_tables_have_names(self):
        self.open("full")
        self.assertEqual(self.browser.run(NAMELESS), [])
        self.assertEqual(self.browser.run(HEADLESS), 0)
        self.assertEqual(self.count("h1"), 1)
        self.assertEqual(self.browser.run("document.documentElement.lang"),
                         "en")

    def test_it_fits_a_phone(self):
        for name in ("full", "hostile"):
            self.open(name, width=375)
            self.assertLessEqual(self.browser.run(
                "document.documentElement.scrollWidth"), 375, name)

    def test_colours_follow_the_system_and_the_switch(self):
        self.open("full")
        color = "getComputedStyle(document.body).backgroundColor"
        light = self.browser.run(color)
        self.browser.prefer("dark")
        self.assertTrue(self.browser.await_true("%s !== %r" % (color, light)))
        self.browser.run("document.getElementById('theme').click()")
        self.assertEqual(self.browser.run(color), light)
        self.assertGreater(min(self.browser.run(DRAWN)), 20)

    def test_pictures_are_taken_of_each_section(self):
        with tempfile.TemporaryDirectory() as out:
            self.assertEqual(
                take_pictures.take(os.path.join(DIR, "full.html"), out), [])
            self.open("full")
            sections = self.browser.run(take_pictures.SECTIONS)
            self.assertIn("verdicts", sections)
            for name in sections + ["dark", "phone"]:
                with open(os.path.join(out, name + ".png"), "rb") as file:
                    self.assertEqual(file.read(4), b"\x89PNG", name)

    def test_hostile_texts_stay_texts(self):
        self.open("hostile")
        self.browser.run("""
          for (const cell of document.querySelectorAll('.cell, .link-button')) {
            cell.click();
          }""")
        self.assertIsNone(self.browser.run("window.hacked"))
        self.assertEqual(self.count("main script, main img, main b b"), 0)
        self.assertEqual(self.count("dialog script, dialog img"), 0)
        self.assertEqual(self.count("a[href^=javascript]"), 0)
        self.assertEqual(self.browser.complaints(), [])
        self.assertIn("onerror=", self.browser.run("document.body.innerText"))


if __name__ == "__main__":
    if chromium.find() is None:
        sys.exit("NOT RUN: there is no Chromium here, so nothing was tested; "
                 "tools/setup page installs one")
    unittest.main()
