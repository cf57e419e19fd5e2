"""How long a report takes to open in Chromium, at three sizes of window: till it shows something, till all is there.

python -m benchmarks.page REPORT.html...
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

SIZES = ((390, 844), (1024, 768), (1920, 1080))
SHOWN = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
MADE = "() => unmade.length ? null : performance.now()"
WHOLE = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
SEARCH = "() => { const from = performance.now(); look('zq'); return performance.now() - from; }"


def opened(browser: Browser, file: Path, width: int, height: int) -> tuple[float, float, float]:
    """Seconds to the first words, to the last step, and of a search through every text."""
    tab = browser.new_page(viewport={"width": width, "height": height})
    try:
        tab.goto(file.resolve().as_uri())
        shown = tab.wait_for_function(SHOWN).json_value()
        made = tab.wait_for_function(MADE, polling=10).json_value()
        tab.evaluate(WHOLE)
        sought = tab.evaluate(SEARCH)
        return shown / 1000, made / 1000, sought / 1000
    finally:
        tab.close()


def main() -> None:
    path = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        for name in sys.argv[1:]:
            file = Path(name)
            print(f"{name}, {file.stat().st_size / 1e6:.1f} MB")
            for width, height in SIZES:
                shown, made, sought = opened(browser, file, width, height)
                print(f"  {width}x{height}: shown {shown:.2f} s, whole {made:.2f} s, searched {sought:.2f} s")
        browser.close()


if __name__ == "__main__":
    main()
