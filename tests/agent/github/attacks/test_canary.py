"""Keys leave by no way: not by patch, commit, branch, pull request, comment, changelog or artifact, in no form."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from tests.agent.github.attacks.place import GATE, GOOD, PUBLISH, Place, adds, forms
from tests.agent.github.attacks.test_texts import NONE, UNPROVEN, messages, shown
from tests.conftest import git
from tests.e2e.conftest import TEST_CORE, answer, call

TOKEN = "ghs_canary0PublishToken0123456789abcdefgh"
ODD = "canary7-of-no-known-shape"
KEY = "canary1-model.key/of+no=shape"
CODED = {
    "plain": lambda value: value,
    "base64": lambda value: b64encode(value.encode()).decode(),
    "shifted": lambda value: b64encode(b"x" + value.encode() + b"yy").decode(),
    "hex": lambda value: value.encode().hex(),
}
WAYS = ["title", "cause", "change", "model", "changelog", "patch", "path"]


def nowhere(place: Place, secret: str) -> None:
    """Neither in what GitHub was sent, but for the header that is for it, nor in what git holds, nor in a log."""
    sent = "\n".join(json.dumps(request.body) + request.path + str(request.query) for request in place.hub.requests)
    objects = ["git", "--git-dir", str(place.repo.git), "cat-file", "--batch-all-objects", "--batch"]
    kept = subprocess.run(objects, check=True, capture_output=True).stdout.decode("utf-8", "replace")
    for form in forms(secret):
        assert form not in sent
        assert form not in kept
        assert form not in " ".join(place.refs)
        for text in (*shown(place), *messages(place)):
            assert form not in text


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("coded", CODED.values(), ids=CODED)
@pytest.mark.parametrize("secret", [TOKEN, ODD], ids=["token", "odd"])
def test_the_publishing_token(place: Place, way: str, coded, secret: str) -> None:
    """Stopped by masking what the job itself holds in every text, and by refusing a patch that has it."""
    place.hub.token(secret, "github-actions[bot]", permissions=PUBLISH, app=True)
    value = coded(secret)
    if way == "patch":
        done = place.publish(diff=GOOD + adds("calc/x.py", f"X = '{value}'\n"), token=secret)
        assert list(place.repo.pulls) == []
    elif way == "path":
        done = place.publish(diff=GOOD + adds(f"calc/{value.replace('/', '_')}.py"), token=secret)
    else:
        done = place.publish(token=secret, **{way: f"It is {value} now."})
    nowhere(place, secret)
    assert not any(form in done.said + done.summary + done.raw for form in forms(secret))


@pytest.mark.parametrize("coded", CODED.values(), ids=CODED)
@pytest.mark.parametrize("ended", [UNPROVEN, NONE], ids=["unproven", "none"])
def test_the_publishing_token_in_a_comment(place: Place, coded, ended: dict) -> None:
    """Stopped by masking in comments, too."""
    place.hub.token(TOKEN, "github-actions[bot]", permissions=PUBLISH, app=True)
    said = f"It is {coded(TOKEN)}."
    told = {"tried": (said,), "places": ({"path": said, "line": 1, "name": said, "why": said},), "red_test": said}
    place.publish(diff=GOOD if ended is UNPROVEN else b"", token=TOKEN, answer=said, cause=said, **told, **ended)
    nowhere(place, TOKEN)


def test_the_gates_token_in_the_errand(place: Place) -> None:
    """Stopped by masking: an issue that quotes a key has it in no artifact."""
    place.hub.token(TOKEN, "github-actions[bot]", permissions=GATE, app=True)
    issue = place.approved(body=f"My log says {TOKEN}")
    event = place.labelled(issue)
    done = place.gate("issues", event, token=TOKEN)
    told = done.raw + done.said + done.summary
    told += place.errand_file.read_text("utf-8") if place.errand_file.exists() else ""
    assert not any(form in told for form in forms(TOKEN))


@pytest.fixture
def solved(place: Place, tmp_path: Path) -> tuple[Place, str]:
    """A run of a model that knows its own key and puts it wherever it can."""
    written = "\n".join(f"# {code(KEY)}" for code in CODED.values())
    script = tmp_path / "script.jsonl"
    fix = call(
        "edit", path="calc/core.py", old="return a - b", new=f"{written}\n    return a + b".replace("\n#", "\n    #")
    )
    tests = call("edit", path="tests/test_core.py", old="", new=TEST_CORE)
    shell = call("shell", command=f"printenv; echo '{written}' > calc/dump.py; git config user.name '{KEY}'")
    line = answer(f"The key is {KEY}, in base64 {CODED['base64'](KEY)}.", tests, fix, shell, call("submit"))
    script.write_text(json.dumps(line) + "\n")
    digest = place.write(place.errand())
    environment = {"OPENAI_API_KEY": KEY, "SWE_AGENT_WORKSPACE": "local", "SWE_AGENT_STATE": tmp_path / "state"}
    done = place.solve(digest, "--model", f"scripted:{script}", **environment)
    return place, done.said + done.raw + done.summary


def test_the_model_key(solved: tuple[Place, str], tmp_path: Path) -> None:
    """Stopped by masking in journal, handover and log: what is uploaded has it in no form."""
    place, said = solved
    kept = {str(file): file.read_bytes() for file in (tmp_path / "state").rglob("*") if file.is_file()}
    kept["handover"] = place.handover_file.read_bytes() if place.handover_file.exists() else b""
    assert len(kept) > 1
    for store in (tmp_path / "state").rglob("trees.git"):
        objects = ["git", "--git-dir", str(store), "cat-file", "--batch-all-objects", "--batch"]
        kept[str(store)] = subprocess.run(objects, check=True, capture_output=True).stdout
    for form in forms(KEY):
        assert form not in said
        assert [name for name, data in kept.items() if form.encode() in data] == []


def test_the_publishing_job_reads_no_model_key(place: Place) -> None:
    """Stopped by construction: with a key in its environment by mistake it says nothing of it."""
    place.patch.setenv("OPENAI_API_KEY", KEY)
    place.publish(cause=f"It is {KEY}.")
    nowhere(place, KEY)
    assert git(place.repo.git, "log", "--all", "--format=%B").find(KEY) < 0
