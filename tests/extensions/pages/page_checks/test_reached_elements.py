"""What of a page a person can see and use, as a real browser shows it."""

from __future__ import annotations

import pytest

from extensions.pages.browser.workspace_browser import browser_of
from extensions.pages.page_checks.page_comparison import PageServer
from extensions.pages.page_checks.page_view import Variant

pytestmark = pytest.mark.docker
PAGE = """\
<!doctype html><meta charset="utf-8"><style>
body { margin: 0; height: 2000px } a, p { display: block; height: 20px }
.small { font-size: 0 } .left { position: absolute; left: -9999px } .pale { opacity: 0.1 }
.dead { pointer-events: none }
.box { height: 30px; overflow: hidden } .scroller { height: 30px; overflow: auto }
.cover { position: absolute; top: 400px; left: 0; width: 300px; height: 60px; background: white }
.below { position: absolute; top: 410px } .glass { background: none } .far { position: absolute; top: 1900px }
.side { position: absolute; top: 300px; left: 500px; width: 50px }
</style>
<p>text</p><a href="#a">link</a><p class="small">small</p><a class="left" href="#b">left</a><p class="pale">pale</p>
<a class="dead" href="#c">dead</a><p class="dead">dead text</p><button tabindex="-1">skipped</button>
<div class="box"><p>inside</p><p>clipped</p></div><div class="scroller"><p>first</p><p>scrolled</p></div>
<p class="below">covered</p><div class="cover"></div><p class="far">far</p><a class="side" href="#d">side</a>
"""


def test_elements_that_a_person_can_reach(make_repo, open_ws, browser_image) -> None:
    workspace = open_ws("docker", make_repo({"index.html": PAGE}), image=browser_image)
    workspace.run("cd /workspace/repo && (python3 -m http.server 8123 >/dev/null 2>&1 &) ; sleep 2")
    [view] = PageServer(workspace, browser_of(workspace), "http://localhost:8123/").views("/", [Variant()])
    reached = {element.text for element in view.elements if element.is_reached}
    assert reached == {"text", "link", "dead text", "inside", "first", "scrolled", "far", "side"}
