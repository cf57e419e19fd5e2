"""Time to open a report in Chromium at three window sizes: to first paint, and until it is complete.

python -m benchmarks.page REPORT.html...
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

SIZES = ((390, 844), (1024, 768), (1920, 1080))
FIRST_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
COMPLETE = "() => unmade.length ? null : performance.now()"
NEXT_FRAME = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
SEARCH = "() => { const from = performance.now(); look('zq'); return performance.now() - from; }"


def measure(browser: Browser, file: Path, width: int, height: int) -> tuple[float, float, float]:
    """Seconds to the first paint, to the last step, and for a search through all texts."""
    page = browser.new_page(viewport={"width": width, "height": height})
    try:
        page.goto(file.resolve().as_uri())
        painted = page.wait_for_function(FIRST_PAINT).json_value()
        completed = page.wait_for_function(COMPLETE, polling=10).json_value()
        page.evaluate(NEXT_FRAME)
        searched = page.evaluate(SEARCH)
        return painted / 1000, completed / 1000, searched / 1000
    finally:
        page.close()


def main() -> None:
    path = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        for name in sys.argv[1:]:
            file = Path(name)
            print(f"{name}, {file.stat().st_size / 1e6:.1f} MB")
            for width, height in SIZES:
                painted, completed, searched = measure(browser, file, width, height)
                print(
                    f"  {width}x{height}: first paint {painted:.2f} s, all {completed:.2f} s, search {searched:.2f} s"
                )
        browser.close()


if __name__ == "__main__":
    main()
