"""Git's smart HTTP protocol with `git http-backend`, and GitHub's errors for missing access."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from tests.github_server import pushes
from tests.github_server.access import Token, allows
from tests.github_server.objects import ENV
from tests.github_server.request import Answer, Request
from tests.github_server.state import Repo

if TYPE_CHECKING:
    from tests.github_server.hub import Hub

PATH = re.compile(r"/(?P<name>[^/]+/[^/]+?)(?:\.git)?/(?P<what>info/refs|git-upload-pack|git-receive-pack)")


def is_git(path: str) -> bool:
    return PATH.fullmatch(path) is not None


def answer(hub: Hub, request: Request, query: str) -> Answer:
    match = PATH.fullmatch(request.path)
    assert match is not None
    hub.requests.append(request)
    repo = hub.repos.get(match["name"].lower()) or hub.moved.get(match["name"].lower())
    pushing = "git-receive-pack" in (match["what"], request.query.get("service", ""))
    answer = _access_error(hub, request, repo, pushing)
    if answer is None and match["what"] == "git-receive-pack":
        assert repo is not None
        answer = pushes.refused(repo, hub.tokens[request.token], request.data)
    if answer is None:
        assert repo is not None
        answer = _backend(request, repo, match["what"], query)
    request.status = answer.status
    return answer


def _access_error(hub: Hub, request: Request, repo: Repo | None, pushing: bool) -> Answer | None:
    token = hub.tokens.get(request.token)
    if "authorization" in request.headers and token is None:
        return _text(401, "Invalid username or token. Password authentication is not supported for Git operations.")
    if repo is None or (repo.private and not (token and (token.app or repo.has_access(token.user.login, "read")))):
        return _text(404, "Repository not found.") if token else _text(401, "Repository not found.")
    if not pushing:
        return None
    if token is None:
        return _text(401, "Authentication failed.")
    if not _may_push(token, repo):
        return _text(403, f"Permission to {repo.full_name}.git denied to {token.user.login}.")
    if repo.archived:
        return _text(403, "This repository was archived so it is read-only.")
    return None


def _may_push(token: Token, repo: Repo) -> bool:
    has_scope = token.permissions is None or allows(token, "contents=write")
    return has_scope and (token.app or repo.has_access(token.user.login, "write"))


def _text(status: int, message: str) -> Answer:
    ask = {"WWW-Authenticate": 'Basic realm="GitHub"'} if status == 401 else {}
    return Answer(status, raw=f"{message}\n".encode(), headers={"Content-Type": "text/plain; charset=utf-8", **ask})


def _backend(request: Request, repo: Repo, what: str, query: str) -> Answer:
    """Run git's own CGI program."""
    env = {
        **os.environ,
        **ENV,
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": query,
        "PATH_TRANSLATED": f"{repo.git}/{what}",
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.data)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        "GIT_HTTP_EXPORT_ALL": "1",
        "REMOTE_USER": "x-access-token",
        "REMOTE_ADDR": "127.0.0.1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    process = subprocess.run(["git", "http-backend"], input=request.data, env=env, capture_output=True, timeout=60)
    head, _, body = process.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line)
    status = int(headers.pop("Status", "200").split()[0])
    return Answer(status, raw=body, headers=headers)
