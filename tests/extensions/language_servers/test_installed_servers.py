"""References and diagnostics of real servers. A server that is not installed is skipped."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from extensions.language_servers.language_server import FileLine
from extensions.language_servers.workspace_servers import find_definitions, find_diagnostics, find_references
from tests.conftest import MakeRepo, OpenWorkspace
from tests.installed_servers import use_server

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Case:
    """A project in which `weigh` is defined in the first line that contains it, and used in `uses`."""

    program: str
    files: dict[str, str]
    uses: list[FileLine]
    edit: tuple[str, str]
    error: str


SCRIPT = {
    "src/core.ts": "export class Till { weigh(): number { return 1 } }\n",
    "src/stand.ts": 'import { Till } from "./core"\nexport const total = (all: Till[]) => all.map((t) => t.weigh())\n',
    "src/other.ts": "export class Other { weigh(): number { return 2 } }\n",
}
SCRIPT_CASE = Case(
    "typescript-language-server",
    {**SCRIPT, "tsconfig.json": '{"compilerOptions": {"strict": true}, "include": ["src"]}\n'},
    [FileLine("src/stand.ts", 2)],
    ("t.weigh()", "t.weight()"),
    "Property 'weight' does not exist on type 'Till'. Did you mean 'weigh'?",
)
CASES = [
    pytest.param(SCRIPT_CASE, id="typescript"),
    pytest.param(Case(**{**vars(SCRIPT_CASE), "files": SCRIPT}), id="typescript without a project file"),
    pytest.param(
        Case(
            "pyright-langserver",
            {
                "core.py": "class Till:\n    def weigh(self) -> int:\n        return 1\n",
                "stand.py": "import core\n\n\ndef total(till: core.Till) -> int:\n    return till.weigh()\n",
            },
            [FileLine("stand.py", 5)],
            ("till.weigh()", "till.weight()"),
            'Cannot access attribute "weight" for class "Till"',
        ),
        id="pyright",
    ),
    pytest.param(
        Case(
            "gopls",
            {
                "go.mod": "module shop\n\ngo 1.19\n",
                "core/core.go": "package core\n\ntype Till struct{}\n\nfunc (t Till) weigh() int { return 1 }\n",
                "core/stand.go": "package core\n\nfunc Total(till Till) int { return till.weigh() }\n",
            },
            [FileLine("core/stand.go", 3)],
            ("till.weigh()", "till.weight()"),
            "till.weight undefined",
        ),
        id="gopls",
    ),
]


@pytest.mark.parametrize("case", CASES)
def test_references_and_new_diagnostics(
    make_repo: MakeRepo, open_ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    use_server(monkeypatch, case.program)
    workspace = open_ws("local", make_repo(case.files))
    trees, tree = workspace.options.trees, workspace.options.base.tree
    path, text = next((path, text) for path, text in case.files.items() if "weigh" in text)
    line = next(number for number, one in enumerate(text.split("\n"), 1) if "weigh" in one)

    found = find_references(workspace, trees, tree, path, line, "weigh")
    assert found
    assert found[1] == case.uses
    definitions = find_definitions(workspace, trees, tree, "weigh")
    assert definitions
    assert next(one.text for one in definitions[1] if one.path == path and one.line == line).endswith("weigh")

    used = case.uses[0].path
    workspace.write(used, case.files[used].replace(*case.edit).encode())
    edited = workspace.snapshot().tree
    for _ in range(2):  # some servers publish nothing for a text that is as right as the one before
        assert find_diagnostics(workspace, trees, (tree, tree), {used: True}) == ([], [])
        diagnostics = find_diagnostics(workspace, trees, (tree, edited), {used: True})
        assert diagnostics
        assert diagnostics[0] == []
        assert [one.path for one in diagnostics[1]] == [used]
        assert diagnostics[1][0].text.startswith(case.error)
