def check(page, url):
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(url + "/#board")
    dialog = page.get_by_role("dialog")
    first = page.get_by_role("button", name="Archive Order gravel")
    first.wait_for()
    first.click()
    page.wait_for_timeout(250)
    assert dialog.count() == 0, "the details opened when the card was archived"
    assert page.get_by_text("Order gravel", exact=True).count() == 0, "the card is still on the board"
    page.get_by_text("✕").last.click()
    page.wait_for_timeout(250)
    assert dialog.count() == 0, "the details opened on a press on the ✕"
    assert page.get_by_text("Buy a ladder", exact=True).count() == 0, "a press on the ✕ did not archive"
    key = page.get_by_role("button", name="Archive Repaint the gate")
    key.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(250)
    assert dialog.count() == 0, "the details opened with the keyboard"
    assert page.get_by_text("Repaint the gate", exact=True).count() == 0, "Enter did not archive"
    # cards still open, by title and by the rest of the card
    page.get_by_text("Write to the council").click()
    dialog.wait_for(timeout=3000)
    assert "the lamp" in dialog.inner_text()
    page.keyboard.press("Escape")
    page.wait_for_timeout(250)
    assert dialog.count() == 0, "Escape does not close the details"
    page.get_by_role("region", name="To do").get_by_text("Ines").click()
    dialog.wait_for(timeout=3000)
    page.get_by_role("button", name="Close").click()
    page.get_by_role("link", name="Archive").click()
    text = page.get_by_role("main").inner_text()
    for title in ("Order gravel", "Buy a ladder", "Repaint the gate"):
        assert title in text, f"{title} is not in the archive"
