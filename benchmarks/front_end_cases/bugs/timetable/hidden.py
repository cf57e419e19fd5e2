BOXES = """() => [...document.querySelectorAll('main h1, main th, main td, main li, main section, main p')].map(e => {
  const r = e.getBoundingClientRect();
  return { x: r.x, y: r.y, width: r.width, height: r.height, text: e.innerText.slice(0, 30) };
})"""


def _overlap(a, b):
    w = min(a["x"] + a["width"], b["x"] + b["width"]) - max(a["x"], b["x"])
    h = min(a["y"] + a["height"], b["y"] + b["height"]) - max(a["y"], b["y"])
    return w > 1 and h > 1


def check(page, url):
    for path in ("/", "/speakers", "/venue"):
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(url + path)
        title = page.get_by_role("heading", level=1)
        title.wait_for()
        for width in (1280, 1024, 1023, 900, 820, 768, 767, 375):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(50)
            bar = page.get_by_role("banner").bounding_box()
            assert bar and bar["width"] > 40, f"{path} at {width}px: no menu"
            boxes = page.evaluate(BOXES)
            assert len(boxes) > 3
            for box in boxes:
                assert box["width"] and box["height"], f"{path} at {width}px: {box['text']!r} is hidden"
                assert not _overlap(bar, box), f"{path} at {width}px: the menu lies on {box['text']!r}"
            over = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert over <= 1, f"{path} at {width}px: the page is {over}px too wide"
            assert boxes[0]["y"] < 260, f"{path} at {width}px: the page starts far down"
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(url + "/")
    bar = page.get_by_role("banner").bounding_box()
    assert bar["height"] >= 880 and bar["width"] < 300, "on a computer the menu is no longer at the left"
