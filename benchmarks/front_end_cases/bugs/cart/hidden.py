def check(page, url):
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(url + "/cart")
    note = lambda name: page.get_by_label(f"Gift note for {name}")
    note("Birthday card, otter").wait_for()
    note("Birthday card, otter").fill("Happy birthday Tom")
    note("Wax and seal").fill("For Grandma")
    page.get_by_role("button", name="Remove Birthday card, otter").click()
    page.wait_for_timeout(200)
    assert note("Birthday card, otter").count() == 0, "the otter card is still in the basket"
    assert note("Wax and seal").input_value() == "For Grandma", f"wax and seal has the note {note('Wax and seal').input_value()!r}"
    assert note("Letter set, grey").input_value() == "", f"the letter set has the note {note('Letter set, grey').input_value()!r}"
    # notes survive a change of the number of pieces, one letter after the other
    note("Letter set, grey").press_sequentially("abc")
    page.get_by_label("Pieces").last.fill("3")
    assert note("Letter set, grey").input_value() == "abc", "typing in a note is interrupted"
    assert "€55.50" in page.get_by_role("main").inner_text(), "the total is wrong"
    # middle one
    page.goto(url + "/cart")
    note("Letter set, grey").fill("last")
    page.get_by_role("button", name="Remove Wax and seal").click()
    page.wait_for_timeout(200)
    assert note("Letter set, grey").input_value() == "last", "the note of the last item is lost"
    assert note("Birthday card, otter").input_value() == ""
