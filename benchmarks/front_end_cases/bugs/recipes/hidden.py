def _fresh(page, title, people, first):
    page.get_by_role("heading", name=title, level=1).wait_for(timeout=5000)
    page.wait_for_timeout(300)
    main = page.get_by_role("main")
    on = main.get_by_role("checkbox", checked=True).count()
    assert on == 0, f"{title}: {on} ingredients are ticked already"
    text = " ".join(main.inner_text().split())
    assert f"for {people}" in text, f"{title}: does not start for {people} people"
    assert first in text, f"{title}: {first!r} is not there"


def check(page, url):
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(url + "/recipe/dal")
    _fresh(page, "Red lentil dal", 4, "300 g red lentils")
    for _ in range(4):
        page.get_by_role("button", name="More people").click()
    page.get_by_label("red lentils").check()
    page.get_by_label("ginger").check()
    text = " ".join(page.get_by_role("main").inner_text().split())
    assert "600 g red lentils" in text and "for 8" in text, "the amounts do not follow the people"
    assert page.get_by_role("checkbox", checked=True).count() == 2, "ticking does not work"
    page.get_by_role("link", name="Next: Oat pancakes").click()
    _fresh(page, "Oat pancakes", 2, "120 g oats")
    page.get_by_label("eggs").check()
    page.get_by_role("button", name="Fewer people").click()
    page.get_by_role("link", name="Next: Leek soup").click()
    _fresh(page, "Leek soup", 6, "900 g leeks")
    page.get_by_label("stock").check()
    page.go_back()
    _fresh(page, "Oat pancakes", 2, "120 g oats")
