FIELDS = [("textbox", "Full name"), ("textbox", "Date of birth"), ("combobox", "Doctor"), ("textbox", "What is it about?")]

# where the words themselves are painted, whatever element holds them
WORDS = """(name) => {
  const walk = document.createTreeWalker(document.querySelector('form'), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    if (walk.currentNode.data.trim() !== name) continue;
    const range = document.createRange(); range.selectNodeContents(walk.currentNode);
    const r = [...range.getClientRects()].find(r => r.width > 5 && r.height > 5);
    if (r) return { x: r.x, y: r.y, w: r.width, h: r.height };
  }
  return null;
}"""


def check(page, url):
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(url + "/book.html")
    for role, name in FIELDS:
        field = page.get_by_role(role, name=name)
        assert field.count() == 1, f"{field.count()} fields of role {role} are announced as {name!r}"
        box = page.evaluate(WORDS, name)
        assert box, f"the words {name!r} are not on the page"
        page.locator("h1").click()
        page.mouse.click(box["x"] + min(10, box["w"] / 2), box["y"] + box["h"] / 2)
        assert field.evaluate("e => e === document.activeElement"), f"a click on {name!r} does not go to the field"
        assert box["y"] <= field.bounding_box()["y"], f"{name!r} does not stand above its field"
    ids = page.evaluate("() => [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids)), "the same id twice"
    # the form still works
    doctor = page.get_by_role("combobox", name="Doctor")
    assert doctor.locator("option").count() == 4, "the doctors are not in the list"
    page.get_by_role("textbox", name="Full name").fill("Ada")
    page.get_by_role("button", name="Ask for a time").click()
    assert "Thank you, Ada" in page.get_by_role("status").inner_text()
