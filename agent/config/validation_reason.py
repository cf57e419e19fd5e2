"""The reason why pydantic rejected a value, worded for users."""

from pydantic import ValidationError


def validation_reason(error: ValidationError) -> str:
    """Return the reason for the first problem as a clause without a subject, such as "must be 'docker' or 'local'"."""
    reason = error.errors()[0]["msg"].removeprefix("Value error, ")
    return reason.replace("Input should", "must", 1).partition(", unable to parse")[0]
