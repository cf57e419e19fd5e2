"""Keys leave by no way: not by patch, commit, branch, pull request, comment, changelog or artifact, in no form."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from collections.abc import Callable

import pytest

from tests.agent.github.attacks.attack_repository import BOT, GATE, GOOD, PUBLISH, Place, adds, forms
from tests.agent.github.attacks.test_model_texts import NONE, everywhere, messages, shown
from tests.conftest import git

TOKEN = "ghs_canary0PublishToken0123456789abcdefgh"
ODD = "canary7-of-no-known-shape"
KEY = "canary1-model.key/of+no=shape"
CODED = {
    "plain": lambda value: value,
    "base64": lambda value: b64encode(value.encode()).decode(),
    "shifted": lambda value: b64encode(b"x" + value.encode() + b"yy").decode(),
    "hex": lambda value: value.encode().hex(),
}
TEXTS = ["title", "cause", "change", "model", "changelog"]


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


FORMS = [*((TOKEN, code) for code in CODED.values()), (ODD, CODED["plain"])]
IDS = [*CODED, "odd"]


@pytest.mark.parametrize("way", ["texts", "patch", "path"])
@pytest.mark.parametrize(("secret", "coded"), FORMS, ids=IDS)
def test_publishing_token(place: Place, way: str, secret: str, coded: Callable[[str], str]) -> None:
    """Stopped by masking what the job itself holds in every text, and by refusing a patch that has it."""
    place.hub.token(secret, BOT, permissions=PUBLISH, app=True)
    value = coded(secret)
    if way == "texts":
        done = place.publish(token=secret, **dict.fromkeys(TEXTS, f"It is {value} now."))
    else:
        file = adds("calc/x.py", f"X = '{value}'\n") if way == "patch" else adds(f"calc/{value.replace('/', '_')}.py")
        done = place.publish(diff=GOOD + file, token=secret)
        assert list(place.repo.pulls) == []
    nowhere(place, secret)
    assert not any(form in done.said + done.summary + done.raw for form in forms(secret))


@pytest.mark.parametrize("coded", CODED.values(), ids=CODED)
def test_publishing_token_in_comment(place: Place, coded: Callable[[str], str]) -> None:
    """Stopped by masking in comments, too."""
    place.hub.token(TOKEN, BOT, permissions=PUBLISH, app=True)
    place.publish(diff=b"", token=TOKEN, **everywhere(f"It is {coded(TOKEN)}."), **NONE)
    nowhere(place, TOKEN)


def test_gates_token_in_errand(place: Place) -> None:
    """Stopped by masking: an issue that quotes a key has it in no artifact."""
    place.hub.token(TOKEN, "github-actions[bot]", permissions=GATE, app=True)
    issue = place.approved(body=f"My log says {TOKEN}")
    event = place.labelled(issue)
    done = place.gate("issues", event, token=TOKEN)
    told = done.raw + done.said + done.summary
    told += place.errand_file.read_text("utf-8") if place.errand_file.exists() else ""
    assert not any(form in told for form in forms(TOKEN))


def test_publishing_job_reads_no_model_key(place: Place) -> None:
    """Stopped by construction: with a key in its environment by mistake it says nothing of it."""
    place.patch.setenv("OPENAI_API_KEY", KEY)
    place.publish(cause=f"It is {KEY}.")
    nowhere(place, KEY)
    assert git(place.repo.git, "log", "--all", "--format=%B").find(KEY) < 0
