import re


def _shown(page):
    return [t for t in page.get_by_role("main").get_by_role("listitem").all_inner_texts() if t.strip()]


def check(page, url):
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(url + "/")
    assert len(_shown(page)) == 5
    chip = {n: page.get_by_role("button", name=re.compile(n)) for n in ("Music", "Talks", "Family")}

    def press(name, where):
        box = chip[name].bounding_box()
        spot = {"icon": 26, "left edge": 4, "count": box["width"] - 24, "word": box["width"] / 2}[where]
        page.mouse.click(box["x"] + spot, box["y"] + box["height"] / 2)
        page.wait_for_timeout(100)
        return chip[name].get_attribute("aria-pressed"), len(_shown(page))

    for where in ("word", "icon", "count", "left edge"):
        for name, count in (("Music", 2), ("Family", 1), ("Talks", 2)):
            assert press(name, where) == ("true", count), f"{name}: pressing the {where} does not filter"
        assert chip["Music"].get_attribute("aria-pressed") == "false", "two buttons are on"
        assert press("Talks", where) == ("false", 5), f"pressing the {where} again does not show everything"
    # between the buttons nothing happens
    a, b = chip["Music"].bounding_box(), chip["Talks"].bounding_box()
    page.mouse.click((a["x"] + a["width"] + b["x"]) / 2, a["y"] + a["height"] / 2)
    assert len(_shown(page)) == 5
    chip["Family"].focus()
    page.keyboard.press("Enter")
    assert len(_shown(page)) == 1, "the keyboard does not work"
    page.get_by_role("link", name="Kite morning").click()
    page.get_by_role("heading", name="Kite morning").wait_for()
