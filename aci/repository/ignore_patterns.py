"""Ignore patterns of the user that also hold in a workspace.

The user's own patterns (`core.excludesFile`, `.git/info/exclude`) may contain private names, so their text never enters
a workspace. Only patterns of files that tools, editors and systems write are known there.
"""

from __future__ import annotations

GENERATED = frozenset(
    (
        *(
            "__pycache__",
            "*.pyc",
            "*.pyo",
            "*.pyd",
            "*.py[co]",
            "*.py[cod]",
            "*$py.class",
            "*.so",
            "*.egg",
            "*.egg-info",
        ),
        *(".venv", "venv", "env", ".eggs", ".tox", ".nox", ".coverage", ".coverage.*", "htmlcov", ".cache", ".direnv"),
        *(".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".ipynb_checkpoints", ".benchmarks"),
        *(
            "node_modules",
            ".nyc_output",
            "coverage",
            ".next",
            ".parcel-cache",
            ".turbo",
            "*.tsbuildinfo",
            "npm-debug.log*",
        ),
        *(
            "build",
            "dist",
            "out",
            "bin",
            "obj",
            "target",
            ".gradle",
            "*.class",
            "*.o",
            "*.a",
            "*.obj",
            "*.exe",
            "*.dll",
        ),
        *(".idea", ".vscode", ".vs", "*.iml", ".project", ".classpath", ".settings", "*.sublime-workspace"),
        *(".DS_Store", "._*", "Thumbs.db", "desktop.ini", "*~", "*.swp", "*.swo", "*.swn", ".*.sw?", "[._]*.sw[a-p]"),
        *("*.log", "logs", "*.tmp", "tmp", "*.bak", "*.orig", "*.rej", "*.pid", "tags", "TAGS", ".tags"),
    )
)
"""Patterns without a slash at the beginning or the end."""


def generated_patterns(lines: bytes) -> bytes:
    """Return those of a user's ignore patterns that are in GENERATED, in their order."""
    known = []
    for line in lines.splitlines():
        text = line.decode("utf-8", "replace").strip()
        name = text.removeprefix("**/").removeprefix("/").removesuffix("/")
        if name in GENERATED:
            known.append(text)
    return "".join(f"{text}\n" for text in known).encode()
