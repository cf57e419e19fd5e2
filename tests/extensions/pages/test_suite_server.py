"""Tests in a browser: the server beside them."""

from __future__ import annotations

from tests.aci.testing.test_browser_tests import hook


def test_tests_of_pages_run_beside_the_server():
    found = hook("pytest", "tests/test_page.py::test_a")
    assert found is not None
    assert found.command == "sh /run/server/with_server.sh 60 '' . ./serve pytest"
    assert {"server/with_server.sh", "server/server_probe.py"} <= found.files.keys()
    suite = hook("pytest")
    assert suite is not None
    assert suite.command.endswith(" ./serve pytest optional")
    for given in (("npm run e2e",), ("npx playwright test", "e2e/a.spec.ts"), ("node --test", "own.test.mjs")):
        assert hook(*given) is not None
