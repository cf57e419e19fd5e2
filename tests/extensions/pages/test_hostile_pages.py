"""Pages that attack the session that opens them, with a real browser in one container. Their first lines say what must
not happen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aci.observation.output_text import CAPS
from aci.proof.run_audit import find_injections
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions, open_workspace
from tests.conftest import committed
from tests.tools.conftest import Bench
from tools.base import metadata_of
from trajectories.git_store.trees import Trees
from trajectories.page_picture import picture_size
from trajectories.records import PICTURE, Issue

pytestmark = [pytest.mark.docker, pytest.mark.slow]

FOLDER = Path(__file__).parent / "hostile_pages"
MOST_TEXT = CAPS["view"] + 2_000
MOST_WINDOWS = 5
WAIT = {"action": "wait"}
LOOK = {"action": "look"}
WHOLE = {"action": "look", "text": "whole"}


def click(target: str) -> dict[str, Any]:
    return {"action": "click", "target": target}


def layout(target: str) -> dict[str, Any]:
    return {"action": "layout", "target": target}


CASES: dict[str, tuple[list[dict[str, Any]], list[str], list[str]]] = {
    "01_downloads.html": ([LOOK, click("a")], ["download: refused: setup.sh"], []),
    "02_redirect_out.html": ([WAIT, LOOK], ["blocked request: http://away.example/href"], []),
    "redirects": ([LOOK], [], []),
    "slow": ([], [], []),
    "out": ([], ["blocked request: http://away.example/from-302"], []),
    "04_requests_out.html": (
        [WAIT, WAIT],
        [
            f"blocked request: {address}"
            for address in (
                *(f"http://collect.example/{name}" for name in ("pixel.gif", "a.css", "frame", "form", "beacon")),
                "ws://collect.example/ws",
                "wss://203.0.113.7/ws",
            )
        ],
        [],
    ),
    "05_webrtc_prefetch.html": ([WAIT], ["blocked request: http://collect.example/preload.js"], ["candidate:"]),
    "06_endless_script.html": ([WAIT, click("p"), LOOK], ["No page is open now"], []),
    "07_reload_loop.html": ([LOOK, WHOLE], [], []),
    "08_dialogs_print.html": ([click("#b"), WAIT], ["dismissed: "], []),
    "09_permissions.html": ([WAIT, click("#b"), WAIT], ["refused camera", "refused clipboard-read"], ["GRANTED"]),
    "10_consent_agent.html": ([click("text=Refuse")], ["You must accept"], []),
    "11_agent_hidden.html": ([LOOK], ["Save"], ["\x1b", "\u200b", "\u202e", "\U000e0049"]),
    "12_many_nodes.html": ([LOOK], [], ["Open entry 12500"]),
    "13_tall_page.html": ([LOOK, WHOLE, {**LOOK, "target": ".tall"}, {**LOOK, "target": "h1"}], ["Scroll"], []),
    "14_huge_text.html": ([LOOK], [], []),
    "15_deep_nesting.html": ([LOOK], [], []),
    "16_popups_floods.html": ([LOOK, click("#b"), WAIT], [], []),
    "17_service_worker.html": (
        [WAIT, {"action": "open", "target": "/17_service_worker.html"}],
        ["from the server"],
        ["from the worker"],
    ),
    "18_workers_cpu.html": ([LOOK], [], []),
    "19_memory.html": ([WAIT] * 3, ["Editor"], []),
    "20_local_reach.html": (
        [click("text=Accounts"), click("text=Environment"), click("text=Debugger"), WAIT, LOOK],
        ["blocked request: http://169.254.169.254/latest/meta-data/"],
        ["READ", "root:", "HOME="],
    ),
    "21_closes_itself.html": ([click("button"), WAIT], ["Bye"], []),
    "22_navigates_always.html": ([WAIT], [], []),
    "23_no_json.html": ([layout("h1")], ["too large or malformed"], ["has ended"]),
    "24_large_answer.html": ([layout("h1")], ["too large or malformed"], ["endless line"]),
    "25_slow_getter.html": ([LOOK], ["the page does not respond"], []),
    "26_flood.html": ([], ["console error: flood 0", "console error: the real error", "more are not shown"], []),
    "27_windows.html": (
        [click("button"), click("button"), click("button")],
        ["window: a window was closed"],
        [],
    ),
    "28_addresses.html": ([WAIT], ["blocked request: ws://0.0.0.0"], ["READ"]),
}
"""For each page: what is done after it was opened, what is said in the end, and what is not."""


@pytest.fixture(scope="module")
def bench(browser_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("hostile")
    files = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.is_file()}
    index = b"<!doctype html><title>Plain</title><h1>Plain page</h1>"
    repository = Repository.open(committed(folder / "repository", {**files, "index.html": index}))
    trees = Trees(folder / "trees.git")
    base = repository.base(trees, None)
    options = WorkspaceOptions(
        repository, base, trees, image=browser_image, memory="1500m", serve="exec python3 server.py $PORT"
    )
    workspace = open_workspace("docker", options)
    yield Bench(workspace, trees, base)
    workspace.close()
    trees.close()


def processes(bench: Bench) -> list[str]:
    found = bench.workspace.run(
        "cd /proc && for each in [0-9]*; do cat $each/comm; tr '\\0' ' ' <$each/cmdline; done", 30
    )
    return found.text.splitlines()


@pytest.mark.parametrize("name", CASES)
def test_hostile_page(bench: Bench, name: str) -> None:
    actions, said, not_said = CASES[name]
    bench.steps.clear()
    seen = [bench("browser", **arguments) for arguments in [{"action": "open", "target": f"/{name}"}, *actions]]
    text = "\n".join(one.text for one in seen)
    assert all(len(one.text) <= MOST_TEXT for one in seen)
    assert [each for each in said if each not in text] == [], text
    assert [each for each in not_said if each in text] == [], text
    assert "the browser has ended" not in text
    for number in (one.data[PICTURE] for one in seen if PICTURE in one.data):
        width, height = picture_size(bench.recall(number)) or (0, 0)
        assert width <= 2_560
        assert height <= 2_000
    running = "\n".join(processes(bench))
    assert running.count("--type=renderer") <= MOST_WINDOWS + 3  # a spare one, and those of frames
    after = bench("browser", action="open", target="/")
    assert "'Plain'" in after.text
    assert 'heading "Plain page"' in after.text
    assert "\n".join(processes(bench)).count("--type=renderer") <= 3
    assert bench.workspace.snapshot().tree == bench.base.tree


@pytest.mark.parametrize("name", ["10_consent_agent.html", "11_agent_hidden.html"])
def test_injections_of_a_page_are_reported(bench: Bench, name: str) -> None:
    bench.steps.clear()
    bench("browser", action="open", target=f"/{name}")
    found = find_injections(bench.steps, Issue("Bug", ""), lambda tool: metadata_of(tool).text)
    assert "The page after" in " ".join(found)


def test_page_that_eats_memory_loses_only_the_page(bench: Bench) -> None:
    bench("browser", action="open", target="/19_memory.html")
    while bench("browser", action="wait").ok:
        pass
    assert "'Plain'" in bench("browser", action="open", target="/").text
    assert bench.workspace.run("echo alive", 30).text.strip() == "alive"
