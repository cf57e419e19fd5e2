"""Description of an imported module."""

from __future__ import annotations

import sys
import types

import pytest

from extensions.testgen.guest.module_description import describe_module


def test_shared_names_mean_the_same_in_package_and_module(monkeypatch: pytest.MonkeyPatch) -> None:
    package, module = types.ModuleType("sharing"), types.ModuleType("sharing.part")
    shared = object()
    vars(package).update(both=shared, nothing=None, other=1)
    vars(module).update(both=shared, nothing=None, other=2, cache=None)
    monkeypatch.setitem(sys.modules, "sharing", package)
    names = describe_module(module, "/")["shared"]
    assert [name for name in names if not name.startswith("__")] == ["both", "nothing"]
