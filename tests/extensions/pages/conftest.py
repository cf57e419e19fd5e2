"""The bench for tools, the user's machine, and an image with a browser."""

import pytest

from tests.e2e.conftest import machine
from tests.extensions.pages.browser_image import make_browser_image
from tests.tools.conftest import make_bench

__all__ = ["machine", "make_bench"]


@pytest.fixture(scope="session")
def browser_image() -> str:
    """The name of an image with Chromium, Node and Playwright where set-up puts them, and with Flask and pytest."""
    name = make_browser_image()
    if not name:
        pytest.skip("Docker has no image swe-agent-web; `scripts/base-image web` makes one")
    return name
