"""The page in a real browser: folding, keys, search, two runs, and that hostile text stays text."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page, expect, sync_playwright

from conftest import chromium
from tests.conftest import MakeRepo, git
from tests.trajectories.report.random_reports import HOSTILE, hostile, run, step, told
from trajectories.report.report_page import page

pytestmark = [pytest.mark.slow, pytest.mark.browser]
SIZES = {"phone": (390, 844), "tablet": (1024, 768), "desk": (1920, 1080)}
Show = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of this module alone: while it is open, asyncio belongs to it."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium())
        yield opened
        opened.close()


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    """Opens a page as a file; it may ask for nothing else, and say nothing in the console."""
    contexts = []
    said: list[str] = []
    asked: set[str] = set()

    def open(telling: dict[str, Any], size: str = "tablet", at: str = "", scheme: Any = "light") -> Page:
        file = tmp_path / "report.html"
        file.write_text(page(telling), encoding="utf-8")
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: "TrustedHTML" in message.text or said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("dialog", lambda dialog: said.append("a dialog"))
        tab.on("request", lambda request: asked.add(request.url.partition("#")[0]))
        tab.goto(f"{file.as_uri()}{at}")
        expect(tab.locator("footer")).to_be_attached()
        return tab

    yield open
    for context in contexts:
        context.close()
    assert not said
    assert asked == {(tmp_path / "report.html").as_uri()}


def current(tab: Page) -> str:
    return tab.locator("article[aria-current]").get_attribute("aria-label") or ""


def press(tab: Page, keys: str) -> str:
    for key in keys.split():
        tab.keyboard.press(key)
    return current(tab)


def is_seen(tab: Page, selector: str) -> bool:
    """Whether a part of it is on the screen, below the bar."""
    box = tab.locator(selector).bounding_box()
    height = tab.viewport_size["height"] if tab.viewport_size else 0
    return bool(box) and box["y"] < height and box["y"] + box["height"] > 40


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_nothing_sticks_out(show: Show, size: str) -> None:
    for telling in (told(run()), told(run(), run(10)), told(hostile(run()))):
        tab = show(telling, size)
        tab.keyboard.press("E")
        expect(tab.locator("pre.answer").first).to_be_visible()
        assert tab.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "runs", "scheme"), [("phone", 1, "light"), ("tablet", 2, "dark"), ("desk", 1, "dark")]
)
def test_everyone_can_use_it(show: Show, size: str, runs: int, scheme: str) -> None:
    tab = show(told(run(), *([run(10)] if runs == 2 else [])), size, scheme=scheme)
    tab.keyboard.press("E")
    expect(tab.locator("pre.answer").first).to_be_visible()
    found = [one for one in Axe().run(tab).response["violations"] if one["impact"] in ("serious", "critical")]
    assert not found, [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found]


@pytest.mark.slow
def test_hostile_text_stays_text(show: Show) -> None:
    wild = hostile(run())
    parting = {"same": 1, "first": None, "differences": [], "texts": [wild["costs"][0]]}
    for telling in (told(wild), told(wild, hostile(run(9)), parting=parting)):
        tab = show(telling)
        tab.keyboard.press("E")
        tab.wait_for_function(
            "() => { const shut = [...document.querySelectorAll('details:not([open])')];"
            " for (const box of shut) box.open = true; return !shut.length; }"
        )
        assert tab.evaluate("typeof hacked") == "undefined"
        assert tab.evaluate("document.querySelectorAll('script').length") == 2
        assert tab.evaluate("document.querySelectorAll('img, iframe, object, base, main link, main style').length") == 0
        unknown = "[...document.querySelectorAll('a')].filter((a) => !a.getAttribute('href').startsWith('#')).length"
        assert tab.evaluate(unknown) == 0
        shown = tab.evaluate("document.querySelector('main').textContent")
        assert "<img src=x onerror='hacked = 1'>" in shown
        assert not set(shown) & set("\x1b\x07\x00\u202e\u2066\U000e0041")


def test_text_cannot_become_html(show: Show) -> None:
    tab = show(told(run()))
    refused = "(text) => { try { document.body.innerHTML = text; return false; } catch (e) { return e.name; } }"
    assert tab.evaluate(refused, HOSTILE.replace("\ud800", "")) == "TypeError"


@pytest.mark.slow
def test_keys_go_from_step_to_step(show: Show) -> None:
    tab = show(told(run()))
    assert press(tab, "j") == "Step main#1"
    assert press(tab, "j j k") == "Step main#2"
    assert press(tab, "d") == "Step main#5"
    assert press(tab, "x") == "Step main#6"
    assert press(tab, "X") == "Step main#3"
    assert press(tab, "G") == "Step main/try-2#2"
    assert is_seen(tab, "article[aria-current]")
    assert press(tab, "j") == "Step main/try-2#2"
    assert press(tab, "g k") == "Step main#1"


@pytest.mark.parametrize("keys", ["G", "x", "j j j j j j", "d d"])
def test_where_keys_lead_is_on_screen(show: Show, keys: str) -> None:
    tall = run(12)
    for item in tall["items"]:
        item["text"] = "So much was thought.\n\n" * 12
    tab = show(told(tall), "phone")
    press(tab, keys)
    expect(tab.locator("article[aria-current] .head")).to_be_in_viewport()


def test_keys_are_told_and_leave_search_field_alone(show: Show) -> None:
    tab = show(told(run()))
    press(tab, "j ?") if tab.locator("article[aria-current]").count() else tab.keyboard.press("?")
    expect(tab.locator("dialog")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.locator("dialog")).to_be_hidden()
    tab.keyboard.press("/")
    tab.keyboard.type("jjG?")
    expect(tab.locator("input")).to_have_value("jjG?")
    expect(tab.locator("article[aria-current]")).to_have_count(0)


def test_what_is_folded_is_made_when_it_is_unfolded(show: Show) -> None:
    tab = show(told(run()))
    expect(tab.locator("#steps pre")).to_have_count(0)
    press(tab, "d Enter")
    article = tab.locator("article[aria-current]")
    expect(article.locator("pre.answer")).to_contain_text("needle-main-5")
    expect(article.locator("pre.diff .plus").last).to_have_text("+        raise UnknownCountry(country)\n")
    assert article.locator("pre.diff .minus").get_attribute("data-line") == "12"
    press(tab, "Enter")
    expect(article.locator("pre.answer")).to_be_hidden()
    tab.locator("article").first.locator("summary").first.click()
    expect(tab.locator("article").first.locator("pre.answer")).to_be_visible()


def search(tab: Page, words: str) -> str:
    tab.fill("input", words)
    tab.locator("input").press("Enter")
    return tab.locator(".search output").inner_text()


def test_search_finds_what_is_folded(show: Show) -> None:
    tab = show(told(run()))
    assert search(tab, "NEEDLE-main/try-2") == "1 of 2"
    expect(tab.locator("article[aria-current] pre.answer")).to_be_visible()
    assert press(tab, "Escape n") == "Step main/try-2#2"
    assert press(tab, "n") == "Step main/try-2#1"
    assert press(tab, "N") == "Step main/try-2#2"
    lit = "[...CSS.highlights.get('hit')].map(String).join()"
    assert tab.evaluate(lit) == "needle-main/try-2"
    assert search(tab, "raise UnknownCountry") == "1 of 2"
    assert tab.evaluate(lit) == "raise UnknownCountry"
    assert search(tab, "what would 8 mean") == "1 of 1"
    assert search(tab, "with 2.675") == "1 of 1"
    assert search(tab, ".*") == "nothing"


@pytest.mark.slow
def test_hit_in_step_that_is_sifted_out_is_shown(show: Show) -> None:
    tab = show(told(run()))
    tab.get_by_role("button", name="with changes").click()
    assert tab.locator("article:visible").count() == 1
    search(tab, "needle-main-4")
    assert current(tab) == "Step main#4"
    expect(tab.locator("article[aria-current]")).to_be_visible()
    tab.get_by_label("Steps of one branch").select_option("main/try-1")
    assert [one.get_attribute("aria-label") for one in tab.locator("article:visible").all()] == [
        "Step main/try-1#1",
        "Step main/try-1#2",
    ]


@pytest.mark.slow
def test_two_thousand_steps(show: Show) -> None:
    tab = show(told(run(2000, size=1000)))
    expect(tab.locator("article")).to_have_count(2000)
    expect(tab.locator("#steps pre")).to_have_count(0)
    assert press(tab, "G") == "Step main/try-2#333"
    assert is_seen(tab, "article[aria-current]")
    assert search(tab, "needle-main-1234 ") == "1 of 1"
    assert current(tab) == "Step main#1234"
    expect(tab.locator("#steps pre")).to_have_count(1)
    assert is_seen(tab, "article[aria-current]")


def test_address_names_step(show: Show) -> None:
    tab = show(told(run()), at="#A%2Fmain%237")
    assert current(tab) == "Step main#7"
    assert is_seen(tab, "article[aria-current]")
    tab.locator(".plan a").first.click()
    tab.wait_for_function("document.querySelector('[aria-current]').id === 'A/main#1'")


def test_plot_leads_to_its_steps(show: Show) -> None:
    tab = show(told(run()))
    plot = tab.locator("svg.plot").first
    box = plot.bounding_box()
    assert box
    plot.hover(position={"x": box["width"] - 12, "y": 60})
    expect(plot.locator(".told")).to_have_text("main/try-2#2  $0.12")
    plot.click(position={"x": box["width"] - 12, "y": 60})
    assert current(tab) == "Step main/try-2#2"


@pytest.mark.slow
def test_light_or_dark_as_system_or_as_one_likes(show: Show) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    tab = show(told(run()), scheme="dark")
    dark = tab.evaluate(paper)
    tab.keyboard.press("t")
    light = tab.evaluate(paper)
    assert light != dark
    tab.reload()
    assert tab.evaluate(paper) == light
    assert show(told(run())).evaluate(paper) == light


def test_print_shows_no_tools_and_cuts_nothing(show: Show) -> None:
    tab = show(told(run()), scheme="dark")
    press(tab, "j Enter")
    tab.emulate_media(media="print")
    expect(tab.locator(".bar")).to_be_hidden()
    assert tab.evaluate("getComputedStyle(document.querySelector('pre.answer')).maxHeight") == "none"
    assert tab.evaluate("getComputedStyle(document.body).color") == "rgb(29, 35, 41)"


@pytest.mark.slow
def test_patch_can_be_saved_and_applied(show: Show, make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo({"a.py": "x = 1\r\ny = '\x0c\u202e'\n"})
    (repo / "a.py").write_bytes("x = 2\r\ny = '\x1b[31m\x0c\u202e'\n".encode())
    changed = subprocess.run(["git", "-C", repo, "diff"], capture_output=True, check=True).stdout.decode()
    patch = [{"path": "a.py", "part": "source", "added": 2, "removed": 2, "diff": changed}]
    tab = show(told(run() | {"patch": patch}))
    with tab.expect_download() as download:
        tab.get_by_role("button", name="save as patch.diff").click()
    git(repo, "checkout", "a.py")
    git(repo, "apply", str(download.value.path()))
    assert (repo / "a.py").read_bytes() == "x = 2\r\ny = '\x1b[31m\x0c\u202e'\n".encode()


def test_patch_that_cannot_be_saved_says_why(show: Show) -> None:
    files = [
        {"path": f"{n}.png", "part": "source", "added": 0, "removed": 0, "diff": "", "cut": "binary"} for n in "abcd"
    ]
    tab = show(told(run() | {"patch": [*run()["patch"], *files]}))
    expect(tab.get_by_role("button", name="save as patch.diff")).to_have_count(0)
    names = "a.png (binary), b.png (binary), c.png (binary) and 1 more file"
    expect(tab.locator("#patch .files > p")).to_have_text(
        f"The patch cannot be saved, since it is incomplete here: {names}."
    )
    expect(tab.locator("#patch .chip").first).to_have_text("binary")


@pytest.mark.parametrize("size", [1, 40], ids=["short", "cut"])
def test_block_shows_its_language_and_no_marks(show: Show, size: int) -> None:
    telling = told(run())
    code = "rate('XX')\n" * size
    telling["runs"][0]["issue"]["body"] = f"Do `this`:\n\n```python\n{code}```\n\n~~~\nand\n~~~\n"
    tab = show(telling)
    if size > 1:
        tab.locator("#issue summary").first.click()
    shown = tab.locator("#issue .long, #issue .prose").first
    heights = (
        "(all) => all.filter((one) => !one.querySelector('small')).map((one) => one.getBoundingClientRect().height)"
    )
    assert set(shown.locator(".tick").evaluate_all(heights)) == {0}
    expect(shown.locator(".rail small")).to_have_text("python\n")
    height = shown.locator("code.fence").last.evaluate("(one) => one.clientHeight")
    assert height < 45, "a line and what is around it"
    assert search(tab, "```python") == "1 of 1"


@pytest.mark.slow
def test_candidates_are_compared_in_table(show: Show) -> None:
    group = [
        {"what": "a set beside it", "instructions": 380328, "reward": 1.0},
        {"what": "a heap", "instructions": None},
    ]
    telling = told(run())
    telling["runs"][0]["branches"][1]["scores"][0]["data"] = {"group": group, "more": [1, 2]}
    tab = show(telling)
    assert [row.inner_text().split("\t") for row in tab.locator("table tr").all()] == [
        ["what", "instructions", "reward"],
        ["a set beside it", "380,328", "1"],
        ["a heap", "", ""],
    ]
    assert search(tab, "a heap") == "1 of 1"


def diff(n: int, what: str) -> dict[str, Any]:
    return {"branch": "main", "n": n, "what": what, "left": "left words", "right": "right words"}


@pytest.mark.slow
def test_two_runs_stand_side_by_side_where_they_part(show: Show) -> None:
    other = run(name="20260101-100000-fedcba")
    other["items"].insert(-1, step(9))
    first = diff(5, "exit")
    parting = {"same": 11, "first": first, "differences": [first, diff(9, "missing")], "texts": [diff(6, "text")]}
    tab = show(told(run(), other, parting=parting), "desk")
    lead = tab.locator("#parting .lead")
    expect(lead).to_have_text("11 steps identical. Then, at main#5, the exit codes differ.")
    expect(tab.locator("#parting .beside").first).to_contain_text("left words")
    expect(tab.locator("#steps details.alike > summary").first).to_have_text("4 steps identical")
    sides = tab.locator("#steps .beside").first.locator("article")
    assert [one.get_attribute("id") for one in sides.all()] == ["A/main#5", "B/main#5"]
    left, right = (one.bounding_box() for one in sides.all())
    assert left
    assert right
    assert left["y"] == right["y"]
    assert left["x"] < right["x"]
    expect(tab.locator("[id='B/main#9']")).to_be_visible()
    assert search(tab, "needle-main-2") == "1 of 1"
    expect(tab.locator("details.alike[open] pre.answer")).to_be_visible()


DEAD = (
    "[...document.querySelectorAll('a.to')].map((a) => decodeURIComponent(a.hash.slice(1)))"
    ".filter((id) => !document.getElementById(id))"
)


@pytest.mark.slow
def test_of_two_runs_each_address_leads_somewhere(show: Show) -> None:
    other = run()
    other["items"].append(step(3, "main/try-2"))
    parting = {"same": 12, "first": None, "differences": [], "texts": [diff(3, "missing") | {"left": ""}]}
    parting["texts"][0]["branch"] = "main/try-2"
    tab = show(told(run(), other, parting=parting), "desk", at="#B%2Fmain%237")
    assert current(tab) == "Step main#7"
    assert is_seen(tab, "article[aria-current]")
    tab.locator("#parting summary").click()
    assert tab.evaluate(DEAD) == []
    tab.locator("#parting details a").click()
    tab.wait_for_function("document.querySelector('[aria-current]').id === 'B/main/try-2#3'")


@pytest.mark.slow
def test_of_two_runs_steps_of_branch_are_seen_and_all_again(show: Show) -> None:
    parting = {"same": 9, "first": None, "differences": [diff(5, "exit")], "texts": []}
    tab = show(told(run(), run(), parting=parting), "desk")
    every = tab.locator("article:visible, summary:visible, #steps .event:visible").count()
    tab.locator(".lanes button").nth(1).click()
    assert {one.get_attribute("data-branch") for one in tab.locator("article:visible").all()} == {"main/try-1"}
    expect(tab.locator("#steps .flag:visible")).to_have_count(4)
    assert tab.locator("#steps .alike:visible, #steps .event:visible").count() == 0
    tab.get_by_label("Steps of one branch").select_option("every branch")
    assert tab.locator("article:visible, summary:visible, #steps .event:visible").count() == every
    tab.get_by_role("button", name="with failures").click()
    assert tab.locator("#steps .beside:visible article:not(:visible)").count() == 0


def test_steps_that_only_share_number_are_not_alike(show: Show) -> None:
    parted = diff(2, "reply")
    parting = {"same": 1, "first": parted, "differences": [parted], "texts": []}
    tab = show(told(run(), run(), parting=parting), "desk")
    expect(tab.locator("[id='B/main#3']")).to_be_visible()


@pytest.mark.parametrize("telling", [told({}), told({}, {}), told({"name": "a", "items": [], "issue": None})])
def test_run_of_which_little_is_known(show: Show, telling: dict[str, Any]) -> None:
    expect(show(telling).locator("h1")).to_be_visible()


def test_columns_stand_below_each_other(show: Show) -> None:
    telling = told(run())
    telling["runs"][0]["items"][1]["said"] = table = (
        "        before     after\nsteps     120        12\nbytes   1,000     2,000"
    )
    tab = show(telling)
    assert tab.locator("article").first.locator("pre").text_content() == table
    expect(tab.locator("article pre")).to_have_count(1)


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.sampled_from("ab` \n~+-@\\"), max_size=60).map(lambda text: text * 15), max_size=20))
def test_what_is_shown_is_what_is_searched(plain: Page, texts: list[str]) -> None:
    """A place in a text is a place in what shows it."""
    for made in ("prose", "diff", "output"):
        assert plain.evaluate(f"(texts) => texts.map((text) => {made}(text).textContent)", texts) == texts
    begun = "(texts) => texts.filter(Boolean).map((text) => { long(text); return leaves.pop().open().textContent; })"
    assert plain.evaluate(begun, texts) == [text for text in texts if text]


@pytest.fixture
def plain(show: Show) -> Page:
    return show(told(run(3)))
