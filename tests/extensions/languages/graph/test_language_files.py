"""Languages are found by the names of files."""

from __future__ import annotations

import pytest

from aci.graph.file_selection import exclusion_reason, language_of
from aci.graph.parser import load_language
from aci.testing.other_languages import FILE_ENDS
from trajectories.plugins import built_in_plugins


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("index.d.ts", "typescript"),
        ("App.tsx", "tsx"),
        ("a.mjs", "javascript"),
        ("a.h", "cpp"),
        ("a.c", "c"),
        ("lib/Rakefile", "ruby"),
        ("src/main.rs", "rust"),
    ],
)
def test_language_is_detected_by_file_name(path: str, language: str) -> None:
    assert language_of(path) == language


def test_files_of_languages_are_known_without_the_extension() -> None:
    names = built_in_plugins("extensions.languages.graph")
    assert {end.lower() for name in names for end in load_language(name).file_ends} <= set(FILE_ENDS)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("web/node_modules/a/index.js", "vendored"),
        ("vendor/github.com/a/b.go", "vendored"),
        ("tools/vendor/golang.org/x/a.go", "vendored"),
        ("third_party/a.c", "vendored"),
        ("django/contrib/admin/static/admin/js/vendor/jquery/jquery.js", "vendored"),
        ("js/app.min.js", "minified"),
        ("api/user.pb.go", "generated"),
        ("src/core/lombok/extern/Log.java", ""),
        ("app/models/vendor/price.rb", ""),
    ],
)
def test_vendored_or_generated_path_is_excluded_with_reason(path: str, reason: str) -> None:
    assert exclusion_reason(path, "100644") == reason
