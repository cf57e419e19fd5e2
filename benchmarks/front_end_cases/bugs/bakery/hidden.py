def _heading_clear(page, name):
    page.wait_for_timeout(700)
    heading = page.get_by_role("heading", name=name, exact=True)
    box = heading.bounding_box()
    header = page.get_by_role("banner").bounding_box()
    height = page.viewport_size["height"]
    assert box, f"no heading {name}"
    bar = header["y"] + header["height"] if header else 0
    assert box["y"] >= max(bar, 0) - 1, f"{name}: heading at {box['y']:.0f}, the header covers down to {bar:.0f}"
    assert box["y"] + box["height"] <= height, f"{name}: heading is below the fold"
    assert box["y"] <= bar + 220, f"{name}: landed too far above the section ({box['y']:.0f})"
    # what the user sees at that point is the heading itself
    hit = page.evaluate(
        "([x, y]) => { const e = document.elementFromPoint(x, y); return e ? e.closest('header') === null : false; }",
        [box["x"] + 5, box["y"] + box["height"] / 2],
    )
    assert hit, f"{name}: something lies over the heading"


def check(page, url):
    for size in ({"width": 1280, "height": 720}, {"width": 375, "height": 720}):
        page.set_viewport_size(size)
        page.goto(url + "/menu.html")
        jump = page.get_by_role("navigation", name="Sections")
        jump.get_by_role("link", name="Cakes").click()
        _heading_clear(page, "Cakes")
        page.goto(url + "/contact.html")
        page.goto(url + "/menu.html#pastries")
        _heading_clear(page, "Pastries")
    # the header stays in view, as before
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(url + "/menu.html#cakes")
    page.wait_for_timeout(300)
    header = page.get_by_role("banner").bounding_box()
    assert header and header["y"] >= -1, "the header no longer stays at the top"
