CONTRAST = """(el) => {
  const parse = (c) => {
    const cv = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    cv.clearRect(0, 0, 1, 1); cv.fillStyle = c; cv.fillRect(0, 0, 1, 1);
    const d = cv.getImageData(0, 0, 1, 1).data;
    return [d[0], d[1], d[2], d[3] / 255];
  };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const lum = (c) => { const f = [0, 1, 2].map(i => { const v = c[i] / 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * f[0] + .7152 * f[1] + .0722 * f[2]; };
  const chain = []; for (let e = el; e; e = e.parentElement) chain.unshift(e);
  let bg = [255, 255, 255, 1];
  for (const e of chain) bg = over(parse(getComputedStyle(e).backgroundColor), bg);
  const fg = over(parse(getComputedStyle(el).color), bg);
  const [a, b] = [lum(fg), lum(bg)].sort((x, y) => y - x);
  return (a + .05) / (b + .05);
}"""

PIECES = [
    ("Warning", "Warning"),
    ("the text of the warning", "Do not put the folder into"),
    ("Tip", "Tip"),
    ("the text of the tip", "Files of version 1 are read"),
]


def _read(page, where):
    for name, text in PIECES:
        exact = name == text
        el = page.get_by_text(text, exact=exact).first
        assert el.is_visible(), f"{where}: {name} is not visible"
        c = el.evaluate(CONTRAST)
        assert c >= 4.5, f"{where}: {name} has a contrast of {c:.1f}"
    code = page.locator("code", has_text="fieldnote push").first
    c = code.evaluate(CONTRAST)
    assert c >= 4.5, f"{where}: the command in the warning has a contrast of {c:.1f}"


def check(page, url):
    page.set_viewport_size({"width": 1280, "height": 800})
    page.emulate_media(color_scheme="dark")
    page.goto(url + "/install.html")
    _read(page, "dark system")
    bg = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert bg == "rgb(18, 22, 29)", f"the page itself is no longer dark: {bg}"
    page.evaluate("() => localStorage.clear()")
    page.emulate_media(color_scheme="light")
    page.goto(url + "/install.html")
    light = page.get_by_text("Do not put the folder into").evaluate(
        "e => { while (e && getComputedStyle(e).backgroundColor === 'rgba(0, 0, 0, 0)') e = e.parentElement; return getComputedStyle(e).backgroundColor; }")
    assert light == "rgb(255, 243, 205)", f"light mode changed: {light}"
    _read(page, "light system")
    page.get_by_role("button", name="Switch theme").click()
    _read(page, "switched to dark")
    page.evaluate("() => localStorage.clear()")
