"""A server for one repository with a bug; no test here needs the SDK."""

from __future__ import annotations

from pathlib import Path

import pytest

from extensions.mcp_server.server_options import ServerOptions, server_options
from tests.conftest import MakeRepo

FILES = {
    "calc/__init__.py": "",
    "calc/core.py": "def add(a, b):\n    return a - b\n\n\ndef double(a):\n    return add(a, a)\n",
    "test_core.py": "from calc.core import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n",
}


@pytest.fixture
def repository(make_repo: MakeRepo) -> Path:
    return make_repo(FILES)


@pytest.fixture
def server(repository: Path) -> ServerOptions:
    return server_options([repository], {"workspace": "local"})
