"""The comparison of the description with GitLab's own, and what the fake server notices."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import requests

from scripts.gitlab_api import differences
from tests.gitlab_server import GitLab
from tests.gitlab_server.description import FILE

OWN = json.loads(FILE.read_text("utf-8"))
ISSUE = "/api/v4/projects/{id}/issues/{issue_iid}"


def test_names_that_gitlab_does_not_have_are_listed() -> None:
    theirs = copy.deepcopy(OWN)
    schemas = {f"APIEntities{name}": entity for name, entity in theirs["components"]["schemas"].items()}
    theirs["components"]["schemas"] = schemas
    assert list(differences(OWN, theirs)) == []
    del theirs["paths"]["/api/v4/user"]
    theirs["paths"][ISSUE]["get"]["parameters"].pop()
    del schemas["APIEntitiesNote"]["properties"]["internal"]
    del schemas["APIEntitiesMember"]["properties"]["username"]  # it is merged from the user
    assert list(differences(OWN, theirs)) == [
        "GET /api/v4/user",
        f"GET {ISSUE}: parameter issue_iid",
        "Note: field internal",
    ]


def ask(folder: Path, path: str, answer: object = None) -> None:
    with GitLab(folder) as server:
        project = server.project("group/calc")
        project.issue("Title", "Body")
        if answer is not None:
            server.fault("GET", "", 200, answer)
        requests.get(f"{server.url}/api/v4/projects/{project.id}{path}", timeout=30)


@pytest.mark.parametrize(
    ("path", "answer", "message"),
    [
        ("/issues/1?page=1", None, "an unknown parameter page"),
        ("/pipelines", None, "no such operation"),
        ("/issues/1", {"iid": 1}, "'title' is a required property"),
    ],
)
def test_what_is_not_described_fails_the_test(tmp_path: Path, path: str, answer: object, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        ask(tmp_path, path, answer)
