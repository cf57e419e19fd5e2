"""litellm, imported once, late, and kept quiet: no network, no `.env` of the working directory, no talk on stderr."""

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
    # Otherwise litellm reads a `.env` from the working directory upwards: a stranger's repository could redirect keys.
    "LITELLM_MODE": "PRODUCTION",
}
LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")


@cache
def begin() -> None:
    """Start the import, which takes seconds, beside whatever else there is to do; once."""
    Thread(target=_early, name="import litellm", daemon=True).start()


def _early() -> None:
    # Whatever is wrong with litellm is raised where it is needed, at the first reply.
    with suppress(Exception):
        library()
        import_module("openai.resources")  # half a second that the first request would wait for


@cache
def library() -> ModuleType:
    """litellm, ready for use."""
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
    """Half a million objects that live as long as the process: looking for garbage among them costs a quarter of the
    import, and later each full collection."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if collecting:
            gc.enable()


def quiet() -> None:
    """Keep litellm's and its dependencies' own deprecations and serializer warnings from users."""
    warnings.filterwarnings("ignore", module=r"(litellm|pydantic|openai|httpx|aiohttp|botocore|importlib_metadata)\b")
    warnings.filterwarnings("ignore", "(?s)Pydantic serializer warnings", UserWarning)
