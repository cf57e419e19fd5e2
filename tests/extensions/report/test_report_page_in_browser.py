"""The report in a real browser: folding, keys, search, two runs, and hostile text."""

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
from extensions.report.report_page import page
from tests.conftest import MakeRepo, git
from tests.extensions.report.random_reports import HOSTILE, hostile, report_data, run, step

pytestmark = [pytest.mark.slow, pytest.mark.browser]
SIZES = {"phone": (390, 844), "tablet": (1024, 768), "desk": (1920, 1080)}
OpenPage = Callable[..., Page]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for this module only: while it is open, it uses asyncio."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium())
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[OpenPage]:
    """Open a page as a file; it must not request anything else or write to the console."""
    contexts = []
    messages: list[str] = []
    requests: set[str] = set()

    def open_report(report: dict[str, Any], size: str = "tablet", at: str = "", scheme: Any = "light") -> Page:
        file = tmp_path / "report.html"
        file.write_text(page(report), encoding="utf-8")
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: "TrustedHTML" in message.text or messages.append(message.text))
        tab.on("pageerror", lambda error: messages.append(str(error)))
        tab.on("dialog", lambda dialog: messages.append("a dialog"))
        tab.on("request", lambda request: requests.add(request.url.partition("#")[0]))
        tab.goto(f"{file.as_uri()}{at}")
        expect(tab.locator("footer")).to_be_attached()
        return tab

    yield open_report
    for context in contexts:
        context.close()
    assert not messages
    assert requests == {(tmp_path / "report.html").as_uri()}


def current(tab: Page) -> str:
    return tab.locator("article[aria-current]").get_attribute("aria-label") or ""


def press(tab: Page, keys: str) -> str:
    for key in keys.split():
        tab.keyboard.press(key)
    return current(tab)


def is_visible(tab: Page, selector: str) -> bool:
    """Whether part of the element is on the screen, below the toolbar."""
    box = tab.locator(selector).bounding_box()
    height = tab.viewport_size["height"] if tab.viewport_size else 0
    return bool(box) and box["y"] < height and box["y"] + box["height"] > 40


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_page_fits_width_of_screen(open_page: OpenPage, size: str) -> None:
    for report in (report_data(run()), report_data(run(), run(10)), report_data(hostile(run()))):
        tab = open_page(report, size)
        tab.keyboard.press("E")
        expect(tab.locator("pre.answer").first).to_be_visible()
        assert tab.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "runs", "scheme"), [("phone", 1, "light"), ("tablet", 2, "dark"), ("desk", 1, "dark")]
)
def test_page_is_accessible(open_page: OpenPage, size: str, runs: int, scheme: str) -> None:
    tab = open_page(report_data(run(), *([run(10)] if runs == 2 else [])), size, scheme=scheme)
    tab.keyboard.press("E")
    expect(tab.locator("pre.answer").first).to_be_visible()
    violations = [each for each in Axe().run(tab).response["violations"] if each["impact"] in ("serious", "critical")]
    assert not violations, [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in violations]


@pytest.mark.slow
def test_issue_of_one_line_shows_its_line(open_page: OpenPage) -> None:
    short = run()
    short["issue"] = {"title": "add() subtracts", "body": ""}
    expect(open_page(report_data(short)).locator(".card.issue")).to_have_text("add() subtracts")
    pair = open_page(report_data(short, short | {"name": "other"})).locator(".card.issue")
    expect(pair.first).to_have_text("add() subtracts")


@pytest.mark.slow
def test_hostile_text_stays_text(open_page: OpenPage) -> None:
    hostile_run = hostile(run())
    comparison = {"same": 1, "first": None, "differences": [], "texts": [hostile_run["costs"][0]]}
    for report in (report_data(hostile_run), report_data(hostile_run, hostile(run(9)), comparison=comparison)):
        tab = open_page(report)
        tab.keyboard.press("E")
        tab.wait_for_function(
            "() => { const shut = [...document.querySelectorAll('details:not([open])')];"
            " for (const box of shut) box.open = true; return !shut.length; }"
        )
        assert tab.evaluate("typeof hacked") == "undefined"
        assert tab.evaluate("document.querySelectorAll('script').length") == 2
        assert tab.evaluate("document.querySelectorAll('img, iframe, object, base, main link, main style').length") == 0
        external_links = (
            "[...document.querySelectorAll('a')].filter((a) => !a.getAttribute('href').startsWith('#')).length"
        )
        assert tab.evaluate(external_links) == 0
        text = tab.evaluate("document.querySelector('main').textContent")
        assert "<img src=x onerror='hacked = 1'>" in text
        assert not set(text) & set("\x1b\x07\x00\u202e\u2066\U000e0041")


def test_text_cannot_become_html(open_page: OpenPage) -> None:
    tab = open_page(report_data(run()))
    script = "(text) => { try { document.body.innerHTML = text; return false; } catch (e) { return e.name; } }"
    assert tab.evaluate(script, HOSTILE.replace("\ud800", "")) == "TypeError"


@pytest.mark.slow
def test_keys_move_between_steps(open_page: OpenPage) -> None:
    tab = open_page(report_data(run()))
    assert press(tab, "j") == "Step main#1"
    assert press(tab, "j j k") == "Step main#2"
    assert press(tab, "d") == "Step main#5"
    assert press(tab, "x") == "Step main#6"
    assert press(tab, "X") == "Step main#3"
    assert press(tab, "G") == "Step main/try-2#2"
    assert is_visible(tab, "article[aria-current]")
    assert press(tab, "j") == "Step main/try-2#2"
    assert press(tab, "g k") == "Step main#1"


@pytest.mark.parametrize("keys", ["G", "x", "j j j j j j", "d d"])
def test_step_selected_by_key_is_visible(open_page: OpenPage, keys: str) -> None:
    long_run = run(12)
    for item in long_run["items"]:
        item["text"] = "So much was thought.\n\n" * 12
    tab = open_page(report_data(long_run), "phone")
    press(tab, keys)
    expect(tab.locator("article[aria-current] .head")).to_be_in_viewport()


def test_help_lists_keys_and_search_field_receives_letters(open_page: OpenPage) -> None:
    tab = open_page(report_data(run()))
    press(tab, "j ?") if tab.locator("article[aria-current]").count() else tab.keyboard.press("?")
    expect(tab.locator("dialog")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.locator("dialog")).to_be_hidden()
    tab.keyboard.press("/")
    tab.keyboard.type("jjG?")
    expect(tab.locator("input")).to_have_value("jjG?")
    expect(tab.locator("article[aria-current]")).to_have_count(0)


def test_folded_content_is_created_when_opened(open_page: OpenPage) -> None:
    tab = open_page(report_data(run()))
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


def search(tab: Page, text: str) -> str:
    tab.fill("input", text)
    tab.locator("input").press("Enter")
    return tab.locator(".search output").inner_text()


def test_search_finds_folded_text(open_page: OpenPage) -> None:
    tab = open_page(report_data(run()))
    assert search(tab, "NEEDLE-main/try-2") == "1 of 2"
    expect(tab.locator("article[aria-current] pre.answer")).to_be_visible()
    assert press(tab, "Escape n") == "Step main/try-2#2"
    assert press(tab, "n") == "Step main/try-2#1"
    assert press(tab, "N") == "Step main/try-2#2"
    highlighted = "[...CSS.highlights.get('hit')].map(String).join()"
    assert tab.evaluate(highlighted) == "needle-main/try-2"
    assert search(tab, "raise UnknownCountry") == "1 of 2"
    assert tab.evaluate(highlighted) == "raise UnknownCountry"
    assert search(tab, "what would 8 mean") == "1 of 1"
    assert search(tab, "with 2.675") == "1 of 1"
    assert search(tab, ".*") == "no matches"


@pytest.mark.slow
def test_search_shows_step_hidden_by_filter(open_page: OpenPage) -> None:
    tab = open_page(report_data(run()))
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
def test_page_handles_two_thousand_steps(open_page: OpenPage) -> None:
    tab = open_page(report_data(run(2000, size=1000)))
    expect(tab.locator("article")).to_have_count(2000)
    expect(tab.locator("#steps pre")).to_have_count(0)
    assert press(tab, "G") == "Step main/try-2#333"
    assert is_visible(tab, "article[aria-current]")
    assert search(tab, "needle-main-1234 ") == "1 of 1"
    assert current(tab) == "Step main#1234"
    expect(tab.locator("#steps pre")).to_have_count(1)
    assert is_visible(tab, "article[aria-current]")


def test_url_fragment_selects_step(open_page: OpenPage) -> None:
    tab = open_page(report_data(run()), at="#A%2Fmain%237")
    assert current(tab) == "Step main#7"
    assert is_visible(tab, "article[aria-current]")
    tab.locator(".plan a").first.click()
    tab.wait_for_function("document.querySelector('[aria-current]').id === 'A/main#1'")


def test_click_on_plot_selects_step(open_page: OpenPage) -> None:
    tab = open_page(report_data(run()))
    plot = tab.locator("svg.plot").first
    box = plot.bounding_box()
    assert box
    plot.hover(position={"x": box["width"] - 12, "y": 60})
    expect(plot.locator(".label-text")).to_have_text("main/try-2#2  $0.12")
    plot.click(position={"x": box["width"] - 12, "y": 60})
    assert current(tab) == "Step main/try-2#2"


@pytest.mark.slow
def test_theme_follows_system_until_user_chooses_one(open_page: OpenPage) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    tab = open_page(report_data(run()), scheme="dark")
    dark = tab.evaluate(background)
    tab.keyboard.press("t")
    light = tab.evaluate(background)
    assert light != dark
    tab.reload()
    assert tab.evaluate(background) == light
    assert open_page(report_data(run())).evaluate(background) == light


def test_print_hides_toolbar_and_shows_whole_output(open_page: OpenPage) -> None:
    tab = open_page(report_data(run()), scheme="dark")
    press(tab, "j Enter")
    tab.emulate_media(media="print")
    expect(tab.locator(".bar")).to_be_hidden()
    assert tab.evaluate("getComputedStyle(document.querySelector('pre.answer')).maxHeight") == "none"
    assert tab.evaluate("getComputedStyle(document.body).color") == "rgb(29, 35, 41)"


@pytest.mark.slow
def test_patch_can_be_saved_and_applied(open_page: OpenPage, make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo({"a.py": "x = 1\r\ny = '\x0c\u202e'\n"})
    (repo / "a.py").write_bytes("x = 2\r\ny = '\x1b[31m\x0c\u202e'\n".encode())
    changed = subprocess.run(["git", "-C", repo, "diff"], capture_output=True, check=True).stdout.decode()
    patch = [{"path": "a.py", "part": "source", "added": 2, "removed": 2, "diff": changed}]
    tab = open_page(report_data(run() | {"patch": patch}))
    with tab.expect_download() as download:
        tab.get_by_role("button", name="save as patch.diff").click()
    git(repo, "checkout", "a.py")
    git(repo, "apply", str(download.value.path()))
    assert (repo / "a.py").read_bytes() == "x = 2\r\ny = '\x1b[31m\x0c\u202e'\n".encode()


def test_incomplete_patch_cannot_be_saved(open_page: OpenPage) -> None:
    files = [
        {"path": f"{n}.png", "part": "source", "added": 0, "removed": 0, "diff": "", "cut": "binary"} for n in "abcd"
    ]
    tab = open_page(report_data(run() | {"patch": [*run()["patch"], *files]}))
    expect(tab.get_by_role("button", name="save as patch.diff")).to_have_count(0)
    names = "a.png (binary), b.png (binary), c.png (binary) and 1 more file"
    expect(tab.locator("#patch .files > p")).to_have_text(
        f"The patch cannot be saved, since it is incomplete here: {names}."
    )
    expect(tab.locator("#patch .chip").first).to_have_text("binary")


@pytest.mark.parametrize("size", [1, 40], ids=["short", "cut"])
def test_code_block_shows_language_but_no_backticks(open_page: OpenPage, size: int) -> None:
    report = report_data(run())
    code = "rate('XX')\n" * size
    report["runs"][0]["issue"]["body"] = f"Do `this`:\n\n```python\n{code}```\n\n~~~\nand\n~~~\n"
    tab = open_page(report)
    if size > 1:
        tab.locator("#issue summary").first.click()
    body = tab.locator("#issue .long, #issue .prose").first
    heights = (
        "(all) => all.filter((one) => !one.querySelector('small')).map((one) => one.getBoundingClientRect().height)"
    )
    assert set(body.locator(".tick").evaluate_all(heights)) == {0}
    expect(body.locator(".rail small")).to_have_text("python\n")
    height = body.locator("code.fence").last.evaluate("(one) => one.clientHeight")
    assert height < 45, "one line and its padding"
    assert search(tab, "```python") == "1 of 1"


def test_changed_page_is_shown_with_its_pictures(open_page: OpenPage) -> None:
    picture = {"url": f"data:image/png;base64,{PIXEL}", "width": 1, "height": 1}
    page_data = {"title": HOSTILE, "asked": [], "unasked": ["link Home: red"], "before": 3, "after": 4}
    shown = run(3) | {"pictures": {"3": picture}, "pages": [page_data]}
    shown["items"][1]["actions"][0]["picture"] = 3
    shown["issue"]["pictures"] = [picture["url"]]
    tab = open_page(report_data(shown), "phone")
    expect(tab.get_by_alt_text("picture 1 of the issue")).to_have_js_property("naturalWidth", 1)
    expect(tab.locator("#pages .page.unasked li")).to_have_text("link Home: red")
    sides = tab.locator("#pages figure")
    assert [one.inner_text().split("\n")[-1] for one in sides.all()] == ["before", "No picture.", "No picture."]
    image = sides.locator("img")
    width = sides.first.evaluate("(one) => one.clientWidth")
    image.click()
    assert sides.first.evaluate("(one) => one.clientWidth") > 2 * width
    tab.wait_for_function("document.querySelector('#pages img').naturalWidth === 1")
    expect(tab.locator("#steps img")).to_have_count(0)
    tab.locator("#steps .action > summary").first.click()
    expect(tab.locator("#steps img")).to_have_count(1)
    tab.emulate_media(media="print")
    expect(image).to_be_visible()


@pytest.mark.slow
def test_candidates_are_listed_in_table(open_page: OpenPage) -> None:
    candidates = [
        {"what": "a set beside it", "instructions": 380328, "reward": 1.0},
        {"what": "a heap", "instructions": None},
    ]
    report = report_data(run())
    report["runs"][0]["branches"][1]["scores"][0]["data"] = {"group": candidates, "more": [1, 2]}
    tab = open_page(report)
    assert [row.inner_text().split("\t") for row in tab.locator("table tr").all()] == [
        ["what", "instructions", "reward"],
        ["a set beside it", "380,328", "1"],
        ["a heap", "", ""],
    ]
    assert search(tab, "a heap") == "1 of 1"


def diff(n: int, kind: str) -> dict[str, Any]:
    return {"branch": "main", "n": n, "what": kind, "left": "left words", "right": "right words"}


@pytest.mark.slow
def test_different_steps_of_two_runs_are_side_by_side(open_page: OpenPage) -> None:
    other = run(name="20260101-100000-fedcba")
    other["items"].insert(-1, step(9))
    first = diff(5, "exit")
    comparison = {"same": 11, "first": first, "differences": [first, diff(9, "missing")], "texts": [diff(6, "text")]}
    tab = open_page(report_data(run(), other, comparison=comparison), "desk")
    summary = tab.locator("#parting .lead")
    expect(summary).to_have_text("11 steps identical. Then, at main#5, the exit codes differ.")
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


DEAD_LINKS = (
    "[...document.querySelectorAll('a.to')].map((a) => decodeURIComponent(a.hash.slice(1)))"
    ".filter((id) => !document.getElementById(id))"
)


@pytest.mark.slow
def test_all_links_of_two_runs_have_targets(open_page: OpenPage) -> None:
    other = run()
    other["items"].append(step(3, "main/try-2"))
    comparison = {"same": 12, "first": None, "differences": [], "texts": [diff(3, "missing") | {"left": ""}]}
    comparison["texts"][0]["branch"] = "main/try-2"
    tab = open_page(report_data(run(), other, comparison=comparison), "desk", at="#B%2Fmain%237")
    assert current(tab) == "Step main#7"
    assert is_visible(tab, "article[aria-current]")
    tab.locator("#parting summary").click()
    assert tab.evaluate(DEAD_LINKS) == []
    tab.locator("#parting details a").click()
    tab.wait_for_function("document.querySelector('[aria-current]').id === 'B/main/try-2#3'")


@pytest.mark.slow
def test_steps_of_two_runs_can_be_filtered_by_branch(open_page: OpenPage) -> None:
    comparison = {"same": 9, "first": None, "differences": [diff(5, "exit")], "texts": []}
    tab = open_page(report_data(run(), run(), comparison=comparison), "desk")
    count = tab.locator("article:visible, summary:visible, #steps .event:visible").count()
    tab.locator(".lanes button").nth(1).click()
    assert {one.get_attribute("data-branch") for one in tab.locator("article:visible").all()} == {"main/try-1"}
    expect(tab.locator("#steps .flag:visible")).to_have_count(4)
    assert tab.locator("#steps .alike:visible, #steps .event:visible").count() == 0
    tab.get_by_label("Steps of one branch").select_option("every branch")
    assert tab.locator("article:visible, summary:visible, #steps .event:visible").count() == count
    tab.get_by_role("button", name="with failures").click()
    assert tab.locator("#steps .beside:visible article:not(:visible)").count() == 0


def test_step_after_first_difference_is_not_called_identical(open_page: OpenPage) -> None:
    difference = diff(2, "reply")
    comparison = {"same": 1, "first": difference, "differences": [difference], "texts": []}
    tab = open_page(report_data(run(), run(), comparison=comparison), "desk")
    expect(tab.locator("[id='B/main#3']")).to_be_visible()


@pytest.mark.parametrize(
    "report", [report_data({}), report_data({}, {}), report_data({"name": "a", "items": [], "issue": None})]
)
def test_page_shows_run_with_missing_data(open_page: OpenPage, report: dict[str, Any]) -> None:
    expect(open_page(report).locator("h1")).to_be_visible()


def test_table_in_plain_text_keeps_its_columns(open_page: OpenPage) -> None:
    report = report_data(run())
    report["runs"][0]["items"][1]["said"] = table = (
        "        before     after\nsteps     120        12\nbytes   1,000     2,000"
    )
    tab = open_page(report)
    assert tab.locator("article").first.locator("pre").text_content() == table
    expect(tab.locator("article pre")).to_have_count(1)


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.sampled_from("ab` \n~+-@\\"), max_size=60).map(lambda text: text * 15), max_size=20))
def test_shown_text_is_text_that_is_searched(small_report: Page, texts: list[str]) -> None:
    """Positions in a text are positions in the element that shows it."""
    for renderer in ("prose", "diff", "output"):
        assert small_report.evaluate(f"(texts) => texts.map((text) => {renderer}(text).textContent)", texts) == texts
    script = "(texts) => texts.filter(Boolean).map((text) => { long(text); return leaves.pop().open().textContent; })"
    assert small_report.evaluate(script, texts) == [text for text in texts if text]


@pytest.fixture
def small_report(open_page: OpenPage) -> Page:
    return open_page(report_data(run(3)))
