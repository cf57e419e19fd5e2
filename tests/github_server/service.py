"""Answering a request: faults, tokens, limits, moved addresses, the route, ETags and the check of the description."""

from __future__ import annotations

import re
import traceback
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tests.github_server import access
from tests.github_server.access import ANONYMOUS, LIMIT, Quota, Token
from tests.github_server.description import violations
from tests.github_server.request import Answer, Refused, Request
from tests.github_server.routes import Call, find, moved, path_in_repository

if TYPE_CHECKING:
    from tests.github_server.hub import Hub


def answer(hub: Hub, request: Request) -> Answer:
    """Answer a request; the hub records violations of the description."""
    hub.requests.append(request)
    by_id = re.fullmatch(r"/repositories/(\d+)(/.*)?", request.path)
    path = request.path
    if (
        by_id
    ):  # The API redirects requests for a renamed repository here. Undocumented, so answered like the other path.
        repo = next((other for other in hub.repos.values() if other.id == int(by_id[1])), None)
        path = f"/repos/{repo.full_name}{by_id[2] or ''}" if repo else path
    match = find(request.method, path)
    if match is None:
        hub.violations.append(f"{request.method} {request.path}: the fake server has no such operation")
        request.status = 404
        return Refused(404).answer
    route, parts = match
    token = hub.tokens.get(request.token)
    try:
        response = take_fault(hub, request) or _check_limit(hub, request, token)
        if response is None:
            call = Call(hub, request, route.pattern, parts, token, route.needs)
            response = _add_etag(request, _run_handler(hub, call, route.handler))
    except Refused as refused:
        response = refused.answer
    except Exception:  # noqa: BLE001  (an error of the fake server must fail the test, whatever the client does)
        hub.violations.append(f"{request.method} {request.path}: the fake server failed\n{traceback.format_exc()}")
        response = Refused(500).answer
    request.status = response.status
    hub.violations += [
        f"{request.method} {request.path} -> {response.status}: {violation}"
        for violation in violations(request, response, route.pattern, parts)
    ]
    return Answer(
        response.status,
        response.body,
        {**_headers(hub, token, response), **response.headers},
        response.raw,
        response.from_proxy,
    )


def quota(hub: Hub, token: Token | None) -> Quota:
    limit = LIMIT if token else ANONYMOUS
    default = Quota(limit, limit, int(hub.clock.timestamp()) + 3600)
    limit: Quota = hub.quotas.setdefault(token.text if token else "", default)
    return limit


def _run_handler(hub: Hub, call: Call, handler: object) -> Answer:
    if call.request.token and call.token is None:
        raise Refused(401, "Bad credentials")
    if "owner" in call.parts:
        name = f"{call.parts['owner']}/{call.parts['repo']}".lower()
        if name not in hub.repos and (to := hub.moved.get(name)):
            query = f"?{urlencode(call.request.query)}" if call.request.query else ""
            raise moved(call.request, f"{hub.api}/repositories/{to.id}{path_in_repository(call.request.path)}{query}")
        access.check(call.token, call.repo, call.needs)
    elif call.token is None and call.needs:
        raise Refused(401, "Requires authentication")
    assert callable(handler)
    answer: Answer = handler(call)
    return answer


def take_fault(hub: Hub, request: Request) -> Answer | None:
    for fault in hub.faults:
        if fault.matches(request):
            fault.times -= 1
            return fault.answer
    return None


def _check_limit(hub: Hub, request: Request, token: Token | None) -> Answer | None:
    limit = quota(hub, token)
    if request.path == "/rate_limit":
        return None
    if limit.remaining == 0:
        token_holder = f"user ID {token.user.id}" if token else "127.0.0.1"
        hint = (
            ""
            if token
            else (
                " (But here's the good news: Authenticated requests get a higher rate limit. "
                "Check out the documentation for more details.)"
            )
        )
        return Refused(limit.status, f"API rate limit exceeded for {token_holder}.{hint}").answer
    limit.remaining -= 1
    limit.used += 1
    return None


def _add_etag(request: Request, answer: Answer) -> Answer:
    """Add an ETag, or answer 304 if the client's copy is current, which costs nothing.

    The tag is of the body alone, and no Link comes with a 304: https://github.com/app-sre/github-mirror/pull/113.
    """
    if request.method != "GET" or answer.status != 200:
        return answer
    tag = f'W/"{sha256(answer.data).hexdigest()}"'
    if tag in request.headers.get("if-none-match", ""):
        return Answer(304, headers={"ETag": tag})
    return replace(answer, headers={**answer.headers, "ETag": tag})


def _headers(hub: Hub, token: Token | None, answer: Answer) -> dict[str, str]:
    limit = quota(hub, token)
    if answer.status == 304 and limit.used:
        limit.remaining, limit.used = limit.remaining + 1, limit.used - 1
    return {
        "Content-Type": "application/json; charset=utf-8",
        "X-RateLimit-Limit": str(limit.limit),
        "X-RateLimit-Remaining": str(limit.remaining),
        "X-RateLimit-Reset": str(limit.reset),
        "X-RateLimit-Used": str(limit.used),
        "X-RateLimit-Resource": "core",
        "X-GitHub-Media-Type": "github.v3; format=json",
        "X-GitHub-Request-Id": "0A0A:1B1B:2C2C:3D3D:4E4E",
    }
