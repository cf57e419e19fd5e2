"""Files for module names, in trees where many files have the same name."""

from __future__ import annotations

import pytest

from aci.graph.module_paths import ModuleResolver

MAIN, TEST = "src/main/java/com/x", "src/test/java/com/x"
PATHS = (
    f"{MAIN}/Shop.java",
    f"{MAIN}/y/Shop.java",
    f"{TEST}/Shop.java",
    f"{TEST}/only/Case.java",
    "cmd/tool/main.go",
    "tool/tool.go",
    "pkg/__init__.py",
    "pkg/utils.py",
    "pkg/json.py",
    "src/utils/__init__.py",
    "src/utils/deep.py",
    "one/two/utils.py",
    "one/two/three/m.py",
    "one/utils.py",
    "json/data.py",
    "one/two.py",
)


@pytest.mark.parametrize(
    ("importer", "module", "expected"),
    [
        (f"{TEST}/Shop.java", "com.x.Shop", f"{MAIN}/Shop.java"),
        (f"{TEST}/Shop.java", "com.x.y.Shop", f"{MAIN}/y/Shop.java"),
        (f"{TEST}/Shop.java", "com.x.y", f"{MAIN}/y/*.java"),
        (f"{TEST}/Shop.java", "com.x.only", f"{TEST}/only/*.java"),
        (f"{TEST}/Shop.java", "com.z.Shop", ""),
        (f"{TEST}/Shop.java", "om.x.Shop", ""),
        (f"{TEST}/Shop.java", "", ""),
        ("tool/tool.go", "example.com/a/cmd/tool", "cmd/tool/*.go"),
        ("cmd/tool/main.go", "example.com/a/tool", "tool/*.go"),
        ("cmd/tool/main.go", "example.com/a/nothing", ""),
        ("cmd/tool/main.go", "a/" * 100 + "tool", "tool/*.go"),
        ("one/two/three/m.py", "utils", "one/two/utils.py"),
        ("one/m.py", "utils", "one/utils.py"),
        ("else/m.py", "utils", "src/utils/__init__.py"),
        ("one/m.py", "utils.deep", "src/utils/deep.py"),
        ("pkg/m.py", "utils", "src/utils/__init__.py"),
        ("pkg/m.py", "json", ""),
        ("m.py", "json.data", "json/data.py"),
        ("one/two/m.py", ".", "one/two/"),
        ("one/two/three/m.py", "..", "one/two/"),
        ("one/m.py", ".two", "one/two.py"),
        ("pkg/m.py", ".", "pkg/__init__.py"),
        ("m.py", "...utils", ""),
    ],
)
def test_module_name_is_resolved_to_file_or_folder(importer: str, module: str, expected: str) -> None:
    modules = ModuleResolver(PATHS)
    assert [modules.find(module, importer) for _ in range(2)] == [expected, expected]
