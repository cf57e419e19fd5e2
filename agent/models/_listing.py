"""Asks a server which models it has: the cheapest sign of life."""

from __future__ import annotations

from trajectories.errors import ModelError, Refused

PATIENCE = 5.0
"""Seconds."""
SHOWN = 5


def listed(base: str, wire: str, key: str) -> str:
    """Whether the server at `base` has the model. Raises ModelError if it cannot be reached, Refused for the key."""
    import httpx

    address = f"{base.rstrip('/')}/models"
    try:
        answer = httpx.get(address, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=PATIENCE)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        what = type(error).__name__
        raise ModelError(f"{address} cannot be reached ({what}).", "Is the server running?", billed=False) from None
    if answer.status_code in (401, 403):
        raise Refused(f"{address} does not take the key ({answer.status_code}).", "Mend the key.", billed=False)
    try:
        names = [str(model["id"]) for model in answer.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return f"the server answers ({answer.status_code}), and lists no models"
    if wire.partition("/")[2].removeprefix("responses/") in names:
        return "the server has it"
    return f"the server has {', '.join(names[:SHOWN]) or 'no models'}{' …' * (len(names) > SHOWN)}"
