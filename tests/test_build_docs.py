"""The checks of the documentation site; `make docs` runs them on all pages."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("build_docs", ROOT / "scripts" / "build_docs.py")
assert SPEC is not None
assert SPEC.loader is not None
build_docs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(build_docs)


def test_links_that_leave_docs_lead_to_copies() -> None:
    text = "[a](fix.md#runs) [b](../tools/README.md) [c](../CONTRIBUTING.md) [d](https://a.org/b.md) `x\\|y`"
    changed, linked = build_docs.with_links_in_site("docs/extending.md", text)
    assert changed == "[a](fix.md#runs) [b](files/tools/README.md) [c](contributing.md) [d](https://a.org/b.md) `x|y`"
    assert linked == {"docs/fix.md", "tools/README.md", "CONTRIBUTING.md"}
    assert build_docs.with_links_in_site("CONTRIBUTING.md", "[a](docs/fix.md)")[0] == "[a](fix.md)"


def test_errors_of_site_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_docs, "SITE", tmp_path)
    (tmp_path / "good.html").write_text('<h1 id="top"></h1><a href="bad.html#here"></a><a href="https://a.org"></a>')
    (tmp_path / "bad.html").write_text(
        '<i id="here"></i><a href="gone.html"></a><a href="good.html#no"></a><script src="//a.org/x.js"></script>'
    )
    (tmp_path / "style.css").write_text("a { background: url(https://a.org/x.png) }")
    assert sorted(build_docs.site_errors()) == [
        "bad.html links gone.html, which does not exist",
        "bad.html links good.html#no, but there is no such anchor",
        "bad.html loads //a.org/x.js",
        "style.css loads url(https://a.org/x.png",
    ]


def test_invalid_examples_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_docs, "STAGE", tmp_path)
    (tmp_path / "page.md").write_text("# A\n\n```python\nprint(1)\n```\n\n```toml\na = \n```\n\n```sh\nif\n```\n")
    assert [error.partition(" example")[0] for error in build_docs.example_errors()] == ["page.md:7: the toml"]


def test_page_is_summarized_by_its_first_sentence() -> None:
    text = "# Fixing\n\n<!-- generated -->\n\n    swe-agent fix\n\n`fix` starts a [run](fix.md). It ends.\n"
    assert build_docs.title_and_summary(text) == ("Fixing", "`fix` starts a run.")
