"""An issue about what users see: the model looks at a page, a Playwright test proves the fix, pages are compared."""

import json
import subprocess
from pathlib import Path

import pytest

from trajectories.journal import read
from trajectories.records import PICTURE, Step

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(400)]

HEAD = '<!doctype html><meta name=viewport content="width=device-width"><link rel=stylesheet href=style.css>'
PAGES = {
    "index.html": f'{HEAD}<article class="card"><h2>Desk lamp</h2></article><a href="prices.html">Prices</a>',
    "prices.html": f'{HEAD}<table><tr><td>Desk lamp</td><td class="price">49.00</td></tr></table>',
    "style.css": ".card { padding: 8px }\n.price { width: 200px }\n",
}
TEST = """\
import os

from playwright.sync_api import sync_playwright


def test_prices_are_aligned_to_the_right():
    with sync_playwright() as playwright:
        page = playwright.chromium.launch().new_page()
        page.goto(os.environ["BASE_URL"] + "/prices.html")
        align = page.locator(".price").evaluate("element => getComputedStyle(element).textAlign")
    assert align == "right"
"""
ISSUE = (
    "# Prices are hard to compare\n\nThe prices in the table are left aligned. They should be aligned to the right.\n"
)
PRICE = ".price { width: 200px; text-align: right }\n"


def act(*actions):
    return {"reply": {"text": "", "actions": [{"tool": tool, "arguments": given} for tool, given in actions]}}


@pytest.fixture
def fix(machine, make_repo, tmp_path, browser_image):
    """`fix(style)` returns the result of a run that replaces the style sheet, and the run's steps."""

    def run(style, pages=PAGES):
        replies = [
            act(("browser", {"action": "open", "target": "/prices.html"}), ("browser", {"action": "look"})),
            act(("edit", {"path": "tests/test_prices.py", "old": "", "new": TEST})),
            act(("edit", {"path": "style.css", "old": PAGES["style.css"], "new": style})),
            act(("submit", {"summary": "Align prices to the right"})),
        ]
        script = tmp_path / "model.jsonl"
        lines = [{"n": number, **reply} for number, reply in enumerate(replies, 1)] + [replies[-1]]
        script.write_text("\n".join(map(json.dumps, lines)))
        issue = tmp_path / "issue.md"
        issue.write_text(ISSUE)
        repo = make_repo(pages)
        machine.workspace, machine.extra = "docker", {"SWE_AGENT_IMAGE": browser_image}
        given = (
            "--issue-file",
            issue,
            "--repo",
            repo,
            "--model",
            f"scripted:{script}",
            "--strategy",
            "react",
            "--json",
        )
        ran = machine.run("fix", *given, timeout=380)
        assert ran.stdout, ran.stderr
        result = json.loads(ran.stdout)
        return result, [one for one in read(Path(result["directory"])).records if isinstance(one, Step)]

    return run


def test_fix_is_plausible_by_a_browser_test_and_its_page_is_shown(fix):
    result, steps = fix(PAGES["style.css"].replace(".price { width: 200px }\n", PRICE))
    assert result["verdict"]["kind"] == "plausible", result["verdict"]
    assert result["verdict"]["compared"] == "6 views of 2 pages", "there are no other tests"
    assert any(PICTURE in seen.data for step in steps for seen in step.observations)
    (changed,) = {page["path"] for page in result["pages"]}
    assert changed == "/prices.html"
    assert not any(page["unasked"] for page in result["pages"])


def test_script_repeats_the_proof_in_a_clean_checkout(fix, browser_image, make_repo):
    pages = PAGES | {"tests/test_shop.py": "def test_shop():\n    assert True\n"}
    result, _ = fix(PAGES["style.css"].replace(".price { width: 200px }\n", PRICE), pages)
    checkout, folder = make_repo(pages), Path(result["directory"])

    def repeat(image):
        mounts = ["-v", f"{folder}:{folder}:ro", "-v", f"{checkout}:/checkout", "-w", "/checkout"]
        command = ["docker", "run", "--rm", "--network", "none", *mounts, image, "sh", f"{folder}/proof.sh"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    ran = repeat(browser_image)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1] == "The proof holds."
    ran = repeat("swe-agent-python:latest")
    assert ran.returncode == 1
    assert "The tests need the package playwright of python3, which is not installed here." in ran.stdout.splitlines()


def test_change_of_another_page_is_named(fix):
    result, _ = fix(f".card {{ padding: 8px; color: red }}\n{PRICE}")
    assert result["verdict"]["kind"] == "unproven"
    assert any("article.card" in note for note in result["verdict"]["notes"]), result["verdict"]
