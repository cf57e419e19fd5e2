LUM = """() => {
  const seen = (el) => { for (let e = el; e; e = e.parentElement) { const b = getComputedStyle(e).backgroundColor; if (!/, 0\\)$/.test(b)) return b.match(/[\\d.]+/g).slice(0, 3).map(Number); } return [255, 255, 255]; };
  const at = document.elementFromPoint(innerWidth - 40, innerHeight - 60);
  return seen(at).reduce((a, b) => a + b, 0) / 3;
}"""


def _shade(page):
    page.get_by_role("button", name="Dark mode").wait_for()
    page.wait_for_timeout(400)
    return page.evaluate(LUM)


def check(page, url):
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(url + "/#overview")
    page.evaluate("() => localStorage.clear()")
    page.reload()
    assert _shade(page) > 200, "a first visit is not light"
    page.get_by_role("button", name="Dark mode").click()
    assert _shade(page) < 60, "the button does not make it dark"
    page.reload()
    assert _shade(page) < 60, "light again after a reload"
    assert page.get_by_role("button", name="Dark mode").get_attribute("aria-pressed") == "true", "the button is not shown as pressed after a reload"
    other = page.context.new_page()
    try:
        other.goto(url + "/#reports")
        assert _shade(other) < 60, "a new tab is light"
    finally:
        other.close()
    page.get_by_role("link", name="Reports").click()
    assert _shade(page) < 60, "Reports is light"
    page.reload()
    assert _shade(page) < 60, "Reports is light after a reload"
    page.get_by_role("button", name="Dark mode").click()
    assert _shade(page) > 200, "cannot go back to light"
    page.reload()
    assert _shade(page) > 200, "dark again after going back to light"
    page.evaluate("() => localStorage.clear()")
