"""References of a real language server in the `symbols` tool. Skipped where no pyright is installed."""

from __future__ import annotations

import pytest

from tests.installed_servers import use_server
from tests.tools.conftest import Bench, MakeBench

pytestmark = pytest.mark.slow

FILES = {
    "shop/__init__.py": "from .core import Till\n",
    "shop/core.py": "class Till:\n    def weigh(self) -> int:\n        return 1\n",
    "shop/stand.py": (
        "import shop\n\n\nclass Stand:\n    def __init__(self, tills: dict[str, shop.Till]) -> None:\n"
        "        self.tills = tills\n\n"
        "    def total(self) -> int:\n        return max(one.weigh() for one in self.tills.values())\n"
    ),
    "shop/others.py": "".join(
        f"class Other{number}:\n    def weigh(self) -> int:\n        return 2\n\n\n" for number in range(12)
    ),
}
CALL = "def first(stand: 'Stand') -> int:\n    return stand.tills['a'].weigh()\n\n\n"


def test_server_finds_reference_that_the_graph_does_not_resolve(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_server(monkeypatch, "pyright-langserver")
    bench: Bench = make_bench(FILES)

    def callers() -> list[str]:
        return bench("symbols", name="shop/core.py:Till.weigh", ask="callers").text.splitlines()[2:]

    bench.may_run = False
    assert callers() == ["callers: none known"]
    bench.may_run = True
    assert callers() == ["callers: 1 (pyright)", "  shop/stand.py:9 Stand.total"]
    bench("edit", path="shop/stand.py", old="class Stand:", new=f"{CALL}class Stand:")
    assert callers() == ["callers: 2 (pyright)", "  shop/stand.py:5 first", "  shop/stand.py:13 Stand.total"]
    assert "  shop/stand.py:10 Stand.tills" in bench("symbols", name="tills").text.splitlines(), (
        "no definition in the graph"
    )
