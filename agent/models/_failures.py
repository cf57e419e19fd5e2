"""What litellm raises, as sentences: ModelError, or Refused where only the user can mend it."""

from __future__ import annotations

import re

from trajectories.errors import ModelError, Refused

UNBILLED = frozenset({408, 413, 422, 429, 503, 529})


def failure(error: Exception, model: str, secrets: tuple[str, ...]) -> ModelError:
    status = getattr(error, "status_code", None) or 0
    said = " ".join(str(error).split())[:500]
    for secret in secrets:
        said = said.replace(secret, "***")
    said = re.sub(r"sk-[\w*-]{8,}", "***", said)
    if status in (401, 402, 403, 404):
        return Refused(f"{model} refused the request ({status}): {said}", billed=False)
    return ModelError(f"{model}: {said}", retryable=status >= 429 or status == 408, billed=status not in UNBILLED)
