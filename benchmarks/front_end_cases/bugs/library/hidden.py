def _grid(page, titles, per_row):
    main = page.get_by_role("main").bounding_box()
    boxes = []
    for title in titles:
        link = page.get_by_role("main").get_by_role("link", name=title, exact=True)
        assert link.count() == 1, f"{title}: {link.count()} links"
        boxes.append(link.bounding_box())
    gap_x = [b["x"] for b in boxes]
    for i, (title, box) in enumerate(zip(titles, boxes)):
        assert abs(gap_x[i] - gap_x[i % per_row]) <= 2, f"{title} is not in column {i % per_row + 1}"
        first = boxes[i - i % per_row]
        assert abs(box["y"] - first["y"]) <= 6, f"{title} is not in a row with the others"
        assert main["x"] - 1 <= box["x"] and box["x"] + box["width"] <= main["x"] + main["width"] + 1, f"{title} is outside of the page's column"
    assert len(set(round(b["x"]) for b in boxes[:per_row])) == min(per_row, len(boxes)), "the books are not side by side"
    return main


def check(page, url):
    page.set_viewport_size({"width": 1280, "height": 900})
    cases = [
        ("/catalogue", ["The Tide Tables", "A Small Guide to Moss", "Salt Roads", "Winter Accounts", "Narrow Rails", "Where the Geese Go"]),
        ("/catalogue?page=2", ["The Lamp Room", "Knots and Hitches", "One Loaf a Day", "Below the Weir", "Ferns of the North", "Town Clocks"]),
        ("/catalogue?shelf=Crafts", ["Knots and Hitches", "One Loaf a Day"]),
    ]
    for path, titles in cases:
        page.goto(url + path)
        main = _grid(page, titles, 3 if len(titles) > 2 else 2)
        aside = page.get_by_role("complementary").bounding_box()
        assert aside and aside["x"] >= main["x"] + main["width"] - 1, f"{path}: Shelves is not at the right"
        assert abs(aside["y"] - main["y"]) < 40, f"{path}: Shelves is not beside the books"
        foot = page.get_by_role("contentinfo").bounding_box()
        assert foot["width"] > 1200 and foot["y"] >= main["y"] + main["height"] - 1, f"{path}: the foot of the page is out of place"
    page.goto(url + "/catalogue?page=2")
    q = page.get_by_role("main").get_by_text("?", exact=True)
    assert q.count() == 1 and q.is_visible(), "no question mark"
    t = page.get_by_role("main").get_by_role("link", name="Knots and Hitches", exact=True).bounding_box()
    b = q.bounding_box()
    assert b["y"] + b["height"] <= t["y"] and t["y"] - b["y"] < 200, "the title is not beneath the question mark"
    frame = page.evaluate("""() => { let e = [...document.querySelectorAll('main a')].find(a => a.textContent.trim() === 'Knots and Hitches');
        while (e && parseFloat(getComputedStyle(e).borderLeftWidth) === 0) e = e.parentElement;
        const r = e.getBoundingClientRect(); return { x: r.x, y: r.y, w: r.width, h: r.height }; }""")
    assert frame["y"] <= b["y"] and frame["w"] < 320, "the book without a cover is not in a frame"
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(url + "/catalogue?page=2")
    _grid(page, cases[1][1], 2)
