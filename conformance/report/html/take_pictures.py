#!/usr/bin/env python3
"""take_pictures.py PAGE OUT: writes a PNG of each section of a report to OUT,
and two of its top as it looks in dark colours and on a phone."""

import os
import sys

import chromium

SECTIONS = "[...document.querySelectorAll('main > section')].map((s) => s.id)"
# Where a section is in the whole page, with a margin. It is brought into sight
# and painted first: canvases that were never seen come out blank.
PLACE = """(async () => {
  const section = document.getElementById(%r);
  section.scrollIntoView();
  for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
  const box = section.getBoundingClientRect();
  return {x: Math.max(0, box.x + scrollX - 16), y: box.y + scrollY,
          width: box.width + 32, height: Math.min(box.height, 2000)};
})()"""
DRAWN = "[...document.querySelectorAll('canvas')].every((c) => Chart.getChart(c))"


def take(page, out):
    os.makedirs(out, exist_ok=True)
    with chromium.Browser() as browser:
        browser.resize(1280, 900)
        browser.prefer("light")
        browser.open(page)
        if not browser.await_true(DRAWN):
            raise chromium.BrowserError("a chart of the page is not drawn")
        for section in browser.run(SECTIONS):
            browser.picture(os.path.join(out, section + ".png"),
                            place=browser.run(PLACE % section))
        for name, width, scheme in (("dark", 1280, "dark"),
                                    ("phone", 390, "light")):
            browser.resize(width, 900, mobile=width < 500)
            browser.prefer(scheme)
            browser.open(page)
            browser.picture(os.path.join(out, name + ".png"))
        return browser.complaints()


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    if chromium.find() is None:
        print("take_pictures.py: no Chromium is installed, so there are no "
              "pictures of the page (tools/setup page)", file=sys.stderr)
        return 0
    complaints = take(*sys.argv[1:])
    for complaint in complaints:
        print("take_pictures.py: the page says: " + complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
