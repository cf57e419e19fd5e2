"""The reason why pydantic rejected a value, worded for users."""

import re

from pydantic import ValidationError

_REASONS = {"extra_forbidden": "is not a known name", "missing": "is missing", "path_type": "must be a path"}
"""By pydantic's type of error, where its own message says less."""


def validation_reason(error: ValidationError) -> str:
    """Return the reason for the first problem as a clause without a subject, such as "must be 'docker' or 'local'".

    The message of a validator of our own is returned as it is.
    """
    problem = error.errors()[0]
    if reason := _REASONS.get(problem["type"]):
        return reason
    text = problem["msg"].removeprefix("Value error, ").partition(", unable to")[0]
    return re.sub(r"^(?:Input|String|Value|List|Tuple|Dictionary) should ", "must ", text)
