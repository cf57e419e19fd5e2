"""Lazy import of litellm without its side effects: no network access, no `.env` files, no output on stderr."""

from __future__ import annotations

import gc
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from threading import Thread
from types import ModuleType

LOCAL = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    # Otherwise litellm reads `.env` from the working directory upwards, so an untrusted repository could redirect keys.
    "LITELLM_MODE": "PRODUCTION",
}
LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")


@cache
def begin() -> None:
    """Start the import in a background thread, once. Importing it takes seconds."""
    Thread(target=_early, name="import litellm", daemon=True).start()


def _early() -> None:
    # If the import fails, its error is raised again where litellm is needed, at the first reply.
    with suppress(Exception):
        library()
        import_module("openai.resources")  # this import takes half a second, which would delay the first request


@cache
def library() -> ModuleType:
    """Return the configured litellm module."""
    quiet()
    os.environ.update(LOCAL)
    with _uncollected():
        import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.disable_streaming_logging = True
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return litellm


@contextmanager
def _uncollected() -> Iterator[None]:
    """Turn off garbage collection during the import, then freeze the objects.

    The import makes half a million objects that live as long as the process. Garbage collection would take a quarter of
    the import time, and these objects would slow down each later full collection.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if collecting:
            gc.enable()


def quiet() -> None:
    """Hide deprecation and serializer warnings of litellm and its dependencies."""
    warnings.filterwarnings("ignore", module=r"(litellm|pydantic|openai|httpx|aiohttp|botocore|importlib_metadata)\b")
    warnings.filterwarnings("ignore", "(?s)Pydantic serializer warnings", UserWarning)
