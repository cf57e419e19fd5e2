REACH = """() => {
  // every price cell is on screen, or within something narrower than the screen that scrolls sideways
  const bad = [];
  const w = document.documentElement.clientWidth;
  for (const c of document.querySelectorAll('table tr > *')) {
    const r = c.getBoundingClientRect();
    if (r.width === 0 || r.height === 0) {
      const s = getComputedStyle(c);
      bad.push(['hidden', c.textContent, s.display]);
      continue;
    }
    if (r.right <= w + 1 && r.left >= -1) continue;
    let p = c.parentElement, ok = false;
    while (p) {
      const s = getComputedStyle(p), b = p.getBoundingClientRect();
      if (p !== document.body && p !== document.documentElement && /auto|scroll/.test(s.overflowX) && p.scrollWidth > p.clientWidth && b.right <= w + 1) ok = true;
      p = p.parentElement;
    }
    if (!ok) bad.push(['out of reach', c.textContent, Math.round(r.right)]);
  }
  return bad;
}"""


def check(page, url):
    for width in (375, 320, 414):
        page.set_viewport_size({"width": width, "height": 740})
        page.goto(url + "/visit.html")
        over = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 1, f"{width}px: the page can be moved sideways by {over}px"
        page.mouse.move(150, 200)
        page.evaluate("() => window.scrollTo(300, 0)")
        assert page.evaluate("() => window.scrollX") <= 1, f"{width}px: page scrolls sideways"
        page.evaluate("() => window.scrollTo(0, 0)")
        for price in ("€38.00", "€24.00", "€14.00", "€82.00", "€17.50"):
            assert page.get_by_text(price, exact=True).count() >= 1, f"{price} is gone"
        if width == 375:
            headers = [t.strip() for t in page.locator("table th, table td").all_inner_texts()]
            assert "Year pass" in " ".join(headers), "the Year pass column is gone"
            bad = page.evaluate(REACH)
            bad = [b for b in bad if b[1].strip().startswith("€")]
            assert not bad, f"not reachable on the phone: {bad[:3]}"
            size = page.get_by_text("€38.00", exact=True).first.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
            assert size >= 12, f"prices are {size}px, too small to read"
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(url + "/visit.html")
    box = page.locator("table").bounding_box()
    main = page.get_by_role("main").bounding_box()
    assert box["width"] >= main["width"] - 80, "on a computer the table no longer has the width of the page"
