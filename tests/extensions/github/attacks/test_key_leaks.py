"""Leaks of keys by patch, commit, branch, pull request, comment, changelog or artifact, in any encoding."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from collections.abc import Callable

import pytest

from tests.conftest import git
from tests.extensions.github.attacks.attack_repository import (
    BOT,
    GATE,
    GOOD_DIFF,
    PUBLISH,
    AttackTarget,
    encodings,
    new_file_diff,
)
from tests.extensions.github.attacks.test_model_texts import NONE, fill_all_texts, plain_texts, visible_texts

TOKEN = "ghs_canary0PublishToken0123456789abcdefgh"
SHAPELESS = "canary7-of-no-known-shape"
KEY = "canary1-model.key/of+no=shape"
ENCODERS = {
    "plain": lambda value: value,
    "base64": lambda value: b64encode(value.encode()).decode(),
    "shifted": lambda value: b64encode(b"x" + value.encode() + b"yy").decode(),
    "hex": lambda value: value.encode().hex(),
}
TEXTS = ["title", "cause", "change", "model", "changelog"]


def check_absent(target: AttackTarget, secret: str) -> None:
    """Check that no request to GitHub (except its authorization), git object, branch or text contains the secret."""
    sent = "\n".join(json.dumps(request.body) + request.path + str(request.query) for request in target.hub.requests)
    objects = ["git", "--git-dir", str(target.repo.git), "cat-file", "--batch-all-objects", "--batch"]
    objects_text = subprocess.run(objects, check=True, capture_output=True).stdout.decode("utf-8", "replace")
    for form in encodings(secret):
        assert form not in sent
        assert form not in objects_text
        assert form not in " ".join(target.refs)
        for text in (*visible_texts(target), *plain_texts(target)):
            assert form not in text


CASES = [*((TOKEN, code) for code in ENCODERS.values()), (SHAPELESS, ENCODERS["plain"])]
IDS = [*ENCODERS, "odd"]


@pytest.mark.parametrize("channel", ["texts", "patch", "path"])
@pytest.mark.parametrize(("secret", "encode"), CASES, ids=IDS)
def test_publishing_token_is_masked_in_texts_and_refused_in_patches(
    target: AttackTarget, channel: str, secret: str, encode: Callable[[str], str]
) -> None:
    """The job masks its own token in every text and refuses a patch that contains it."""
    target.hub.token(secret, BOT, permissions=PUBLISH, app=True)
    value = encode(secret)
    if channel == "texts":
        result = target.publish(token=secret, **dict.fromkeys(TEXTS, f"It is {value} now."))
    else:
        file = (
            new_file_diff("calc/x.py", f"X = '{value}'\n")
            if channel == "patch"
            else new_file_diff(f"calc/{value.replace('/', '_')}.py")
        )
        result = target.publish(diff=GOOD_DIFF + file, token=secret)
        assert list(target.repo.pulls) == []
    check_absent(target, secret)
    assert not any(form in result.log + result.summary + result.raw_outputs for form in encodings(secret))


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
def test_publishing_token_is_masked_in_comments(target: AttackTarget, encode: Callable[[str], str]) -> None:
    target.hub.token(TOKEN, BOT, permissions=PUBLISH, app=True)
    target.publish(diff=b"", token=TOKEN, **fill_all_texts(f"It is {encode(TOKEN)}."), **NONE)
    check_absent(target, TOKEN)


def test_gate_token_is_masked_in_task(target: AttackTarget) -> None:
    """An issue that quotes a key does not carry it into an artifact."""
    target.hub.token(TOKEN, "github-actions[bot]", permissions=GATE, app=True)
    issue = target.issue(body=f"My log says {TOKEN}")
    event = target.label_event(issue)
    result = target.gate("issues", event, token=TOKEN)
    texts = result.raw_outputs + result.log + result.summary
    texts += target.task_file.read_text("utf-8") if target.task_file.exists() else ""
    assert not any(form in texts for form in encodings(TOKEN))


@pytest.mark.slow
def test_publish_job_ignores_model_key_in_environment(target: AttackTarget) -> None:
    """The job does not read the key, even if its environment contains one by mistake."""
    target.monkeypatch.setenv("OPENAI_API_KEY", KEY)
    target.publish(cause=f"It is {KEY}.")
    check_absent(target, KEY)
    assert git(target.repo.git, "log", "--all", "--format=%B").find(KEY) < 0
