"""Terminals in minimal images."""

from __future__ import annotations

import pytest

from tests.aci.workspaces.conformance.test_minimal_images import FILES, image
from tests.conftest import MakeRepo, OpenWorkspace
from tests.extensions.terminal_programs.test_pty_sessions import type_and_read

__all__ = ["image"]

pytestmark = [pytest.mark.slow, pytest.mark.docker]


def test_minimal_image_has_terminals(image: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    ws = open_ws("docker", make_repo(FILES), image=image)
    assert "42" in type_and_read(ws, "side", "echo $((6 * 7))\n", until="\n$").splitlines()
