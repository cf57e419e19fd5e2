import re


def _tab_to(page, pred, most=30):
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(f"() => {{ const e = document.activeElement; return {pred}; }}"):
            return True
    return False


def check(page, url):
    page.set_viewport_size({"width": 1280, "height": 800})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(url + "/")
        page.get_by_text("Heating on Monday").wait_for()
        star = page.get_by_role("button", name=re.compile("star.*Heating on Monday|Heating on Monday.*star", re.I))
        assert star.count() == 1, "no button for the star of 'Heating on Monday'"
        stars = page.get_by_role("button", name=re.compile("star", re.I))
        assert stars.count() == 4, f"{stars.count()} stars are announced as buttons"
        assert star.get_attribute("aria-pressed") == "false", "not announced as not pressed"
        handle = star.element_handle()
        page.evaluate("(e) => { window.__star = e; }", handle)
        assert _tab_to(page, "e === window.__star"), "Tab does not get to the star"
        page.keyboard.press("Enter")
        page.wait_for_timeout(150)
        assert "2 starred" in page.get_by_role("main").inner_text(), "Enter does not star"
        assert star.get_attribute("aria-pressed") == "true", "not announced as pressed"
        page.keyboard.press("Space")
        page.wait_for_timeout(150)
        assert "1 starred" in page.get_by_role("main").inner_text(), "Space does not switch it off"
        assert page.evaluate("() => window.scrollY") == 0
        star.click()
        assert "2 starred" in page.get_by_role("main").inner_text(), "a click does not star"
        assert page.url.rstrip("/") == url, "went away from the list"
        # looks as before: no frame, no ground, the colours of the star
        look = star.evaluate("""e => { const s = getComputedStyle(e); return {
            border: s.borderTopStyle === 'none' ? 0 : parseFloat(s.borderTopWidth),
            ground: s.backgroundColor, size: parseFloat(s.fontSize), color: s.color }; }""")
        assert look["border"] == 0 and look["ground"] == "rgba(0, 0, 0, 0)", f"{scheme}: the star has a frame or a ground: {look}"
        assert abs(look["size"] - 20.8) < 0.6, f"{scheme}: the star has another size: {look['size']}"
        want = {"light": "rgb(176, 120, 0)", "dark": "rgb(255, 201, 74)"}[scheme]
        assert look["color"] == want, f"{scheme}: the star is {look['color']}"
    page.emulate_media(color_scheme="light")
    page.goto(url + "/read/2")
    one = page.get_by_role("button", name=re.compile("star", re.I))
    one.wait_for()
    assert one.get_attribute("aria-pressed") == "true"
    one.focus()
    page.keyboard.press("Enter")
    assert one.get_attribute("aria-pressed") == "false", "no effect on the page of the message"
