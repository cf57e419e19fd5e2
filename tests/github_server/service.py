"""From a request to its answer: faults, tokens, limits, addresses that moved, the route, ETags, the description."""

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
from tests.github_server.routes import Call, below, find, moved

if TYPE_CHECKING:
    from tests.github_server.hub import Hub


def answer(hub: Hub, request: Request) -> Answer:
    """What GitHub answers; anything not as described is noted with the hub."""
    hub.requests.append(request)
    by_id = re.fullmatch(r"/repositories/(\d+)(/.*)?", request.path)
    path = request.path
    if by_id:  # Where the API sends those who ask for a renamed repository; described nowhere, answered as the other.
        named = next((repo for repo in hub.repos.values() if repo.id == int(by_id[1])), None)
        path = f"/repos/{named.full_name}{by_id[2] or ''}" if named else path
    found = find(request.method, path)
    if found is None:
        hub.violations.append(f"{request.method} {request.path}: the stand-in has no such operation")
        request.status = 404
        return Refused(404).answer
    route, parts = found
    token = hub.tokens.get(request.token)
    try:
        given = _fault(hub, request) or _limited(hub, request, token)
        if given is None:
            call = Call(hub, request, route.pattern, parts, token, route.needs)
            given = _changed(request, _done(hub, call, route.handler))
    except Refused as refused:
        given = refused.answer
    except Exception:  # noqa: BLE001  (a fault of the stand-in's own must fail the test, whatever the client does)
        hub.violations.append(f"{request.method} {request.path}: the stand-in failed\n{traceback.format_exc()}")
        given = Refused(500).answer
    request.status = given.status
    hub.violations += [
        f"{request.method} {request.path} -> {given.status}: {what}"
        for what in violations(request, given, route.pattern, parts)
    ]
    return Answer(given.status, given.body, {**_headers(hub, token, given), **given.headers}, given.raw, given.strange)


def quota(hub: Hub, token: Token | None) -> Quota:
    limit = LIMIT if token else ANONYMOUS
    new = Quota(limit, limit, int(hub.clock.timestamp()) + 3600)
    found: Quota = hub.quotas.setdefault(token.text if token else "", new)
    return found


def _done(hub: Hub, call: Call, handler: object) -> Answer:
    if call.request.token and call.token is None:
        raise Refused(401, "Bad credentials")
    if "owner" in call.parts:
        name = f"{call.parts['owner']}/{call.parts['repo']}".lower()
        if name not in hub.repos and (to := hub.moved.get(name)):
            query = f"?{urlencode(call.request.query)}" if call.request.query else ""
            raise moved(call.request, f"{hub.api}/repositories/{to.id}{below(call.request.path)}{query}")
        access.check(call.token, call.repo, call.needs)
    elif call.token is None and call.needs:
        raise Refused(401, "Requires authentication")
    assert callable(handler)
    done: Answer = handler(call)
    return done


def _fault(hub: Hub, request: Request) -> Answer | None:
    for fault in hub.faults:
        if fault.hits(request):
            fault.times -= 1
            return fault.answer
    return None


def _limited(hub: Hub, request: Request, token: Token | None) -> Answer | None:
    mine = quota(hub, token)
    if request.path == "/rate_limit":
        return None
    if mine.remaining == 0:
        who = f"user ID {token.user.id}" if token else "127.0.0.1"
        hint = (
            ""
            if token
            else (
                " (But here's the good news: Authenticated requests get a higher rate limit. "
                "Check out the documentation for more details.)"
            )
        )
        return Refused(mine.status, f"API rate limit exceeded for {who}.{hint}").answer
    mine.remaining -= 1
    mine.used += 1
    return None


def _changed(request: Request, given: Answer) -> Answer:
    """With an ETag, or only that what the client has is as it was; that costs nothing. The tag is of the body alone,
    and no Link comes with a 304: https://github.com/app-sre/github-mirror/pull/113."""
    if request.method != "GET" or given.status != 200:
        return given
    tag = f'W/"{sha256(given.data).hexdigest()}"'
    if tag in request.headers.get("if-none-match", ""):
        return Answer(304, headers={"ETag": tag})
    return replace(given, headers={**given.headers, "ETag": tag})


def _headers(hub: Hub, token: Token | None, given: Answer) -> dict[str, str]:
    mine = quota(hub, token)
    if given.status == 304 and mine.used:
        mine.remaining, mine.used = mine.remaining + 1, mine.used - 1
    return {
        "Content-Type": "application/json; charset=utf-8",
        "X-RateLimit-Limit": str(mine.limit),
        "X-RateLimit-Remaining": str(mine.remaining),
        "X-RateLimit-Reset": str(mine.reset),
        "X-RateLimit-Used": str(mine.used),
        "X-RateLimit-Resource": "core",
        "X-GitHub-Media-Type": "github.v3; format=json",
        "X-GitHub-Request-Id": "0A0A:1B1B:2C2C:3D3D:4E4E",
    }
