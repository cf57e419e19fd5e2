from __future__ import annotations

import codecs
import posixpath

import pytest

from tests.tools.conftest import Bench, MakeBench

GREET = "import os\n\n\ndef greet(name):\n    if name:\n        return 'hello ' + name\n    return 'hello'\n"


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench(
        {
            "greet.py": GREET,
            "crlf.py": b"a = 1\r\nb = 2\r\nc = 3\r\n",
            "latin.txt": "caf\xe9\nred\n".encode("latin-1"),
            "broken.py": "def (:\n",
            "run.sh": "echo one\necho two\n",
            "notes.md": "# Notes\n",
        }
    )


def test_exact_edit_shows_diff(bench: Bench) -> None:
    observation = bench("edit", path="greet.py", old="    return 'hello'\n", new="    return 'hello you'\n")
    assert observation.ok
    assert (
        observation.text
        == (
            "Edited greet.py\n@@ -4,5 +4,5 @@\n def greet(name):\n     if name:\n         return 'hello ' + name\n"
            "-    return 'hello'\n+    return 'hello you'\n "
        ).rstrip()
    )
    assert bench.read("greet.py").decode() == GREET.replace("'hello'\n", "'hello you'\n")


def test_edit_creates_file(bench: Bench) -> None:
    observation = bench("edit", path="new/deep.py", old="", new="x = 1\ny = z\n")
    assert observation.text == "Created new/deep.py (2 lines).\nNot defined anywhere in the file: z (line 2)."
    assert bench.read("new/deep.py") == b"x = 1\ny = z\n"
    assert not bench("edit", path="greet.py", old="", new="x").ok
    assert not bench("edit", path="none.py", old="x", new="y").ok
    assert "syntax error" in bench("edit", path="bad.py", old="", new="def f(:\n").text
    bench("edit", path="notes.md", old="# Notes\n", new="")
    assert bench("edit", path="notes.md", old="", new="again\n").ok
    assert bench.read("notes.md") == b"again\n"


def test_ambiguous_edit_names_lines(bench: Bench) -> None:
    observation = bench("edit", path="greet.py", old="hello", new="hi")
    assert not observation.ok
    assert "2 times" in observation.text
    assert "lines 6, 7" in observation.text
    assert bench.read("greet.py").decode() == GREET
    assert "(2 occurrences)" in bench("edit", path="greet.py", old="hello", new="hi", all=True).text
    assert b"hello" not in bench.read("greet.py")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("if name:\n    return 'hello ' + name", "if name:\n    return 'hi ' + name"),
        (
            "        if name:   \n            return 'hello ' + name\n",
            "        if name:\n            return 'hi ' + name\n",
        ),
        ("\n    if name:\n        return   'hello '  + name\n\n", "\n    if name:\n        return 'hi ' + name\n\n"),
        ("5\t    if name:\n6\t        return 'hello ' + name", "5\t    if name:\n6\t        return 'hi ' + name"),
    ],
)
def test_spacing_indentation_and_line_numbers_are_ignored(bench: Bench, old: str, new: str) -> None:
    observation = bench("edit", path="greet.py", old=old, new=new)
    assert observation.ok, observation.text
    assert "matched ignoring" in observation.text
    assert bench.read("greet.py").decode() == GREET.replace("'hello '", "'hi '")


def test_characters_that_view_does_not_show_are_ignored(bench: Bench) -> None:
    bench("edit", path="a.py", old="", new="x = 'zero\u200bwidth'\ny = 'a\u2028b'\n")
    view_text = bench("view", path="a.py").text
    assert "x = 'zerowidth'\n" in view_text
    old = "x = 'zerowidth'\ny = 'a b'"
    observation = bench("edit", path="a.py", old=old, new="x = 1\ny = 2")
    assert "matched ignoring characters that are not shown" in observation.text
    assert bench.read("a.py") == b"x = 1\ny = 2\n"


def test_failed_match_shows_most_similar_lines(bench: Bench) -> None:
    observation = bench("edit", path="greet.py", old="    if names:\n        return 'hello' + names\n", new="x")
    assert not observation.ok
    assert "The most similar lines are 5-6:\n5\t    if name:\n6\t" in observation.text
    repeated = bench("edit", path="greet.py", old="    return 'goodbye'", new="    return 'hello'")
    assert "`new` is already there, at line 7" in repeated.text


def test_edit_that_breaks_syntax_is_rolled_back(bench: Bench) -> None:
    observation = bench("edit", path="greet.py", old="def greet(name):", new="def greet(name:")
    assert not observation.ok
    assert "rejected and rolled back: syntax error in" in observation.text
    assert "line 4: SyntaxError" in observation.text
    assert "4\tdef greet(name:" in observation.text
    assert bench.read("greet.py").decode() == GREET


def test_file_with_earlier_syntax_error_can_be_edited(bench: Bench) -> None:
    observation = bench("edit", path="broken.py", old="def (:", new="def f(:")
    assert observation.ok
    assert "still has a syntax error" in observation.text
    assert bench.read("broken.py") == b"def f(:\n"


def test_new_undefined_names_are_reported(bench: Bench) -> None:
    observation = bench("edit", path="greet.py", old="return 'hello'\n", new="return sys.platform + othername\n")
    assert observation.ok
    assert observation.text.endswith("Not defined anywhere in the file: othername (line 7), sys (line 7).")
    assert "Not defined" not in bench("edit", path="greet.py", old="import os", new="import os, sys").text


def test_line_endings_bytes_and_modes_are_preserved(bench: Bench) -> None:
    assert bench("edit", path="crlf.py", old="a = 1\nb = 2\n", new="a = 1\nb = 20\nd = 4\n").ok
    assert bench.read("crlf.py") == b"a = 1\r\nb = 20\r\nd = 4\r\nc = 3\r\n"
    assert bench("edit", path="crlf.py", old="  c = 3", new="  c = 30\n  e = 5").ok
    assert bench.read("crlf.py").endswith(b"d = 4\r\nc = 30\r\ne = 5\r\n")
    assert bench("edit", path="latin.txt", old="red", new="blue").ok
    assert bench.read("latin.txt") == "caf\xe9\nblue\n".encode("latin-1")
    refused = bench("edit", path="latin.txt", old="blue", new="th\xe9")
    assert not refused.ok
    assert "not UTF-8" in refused.text
    bench("shell", command="chmod +x run.sh")
    assert bench("edit", path="run.sh", old="two", new="three").ok
    assert bench("shell", command="./run.sh").text == "one\nthree"


def test_declared_encoding_is_kept(make_bench: MakeBench) -> None:
    bench = make_bench({"a.py": "# coding: latin-1\nx = 'd\xe9j\xe0'\n".encode("latin-1")})
    assert bench("view", path="a.py").text.endswith("2\tx = 'd\xe9j\xe0'")
    assert bench("edit", path="a.py", old="'d\xe9j\xe0'", new="'d\xe9j\xe0 v\xfb'").ok
    assert bench.read("a.py") == "# coding: latin-1\nx = 'd\xe9j\xe0 v\xfb'\n".encode("latin-1")
    refused = bench("edit", path="a.py", old="x = ", new="y = '\u20ac'  # ")
    assert not refused.ok
    assert "declares iso-8859-1, which has no '\u20ac'" in refused.text


ENCODED = {
    "utf-16": ("alpha\nbeta\n".encode("utf-16"), "a UTF-16 file of 24 bytes"),
    "utf-16-be": (codecs.BOM_UTF16_BE + "alpha\nbeta\n".encode("utf-16-be"), "a UTF-16 file of 24 bytes"),
    "utf-32": ("alpha\nbeta\n".encode("utf-32"), "a UTF-32 file of 48 bytes"),
    "without a mark": ("alpha\nbeta\n".encode("utf-16-le"), "a binary file of 22 bytes"),
    "without NUL": ("\ufeff\u4e00\u4e8c".encode("utf-16-le"), "a UTF-16 file of 6 bytes"),
}


@pytest.mark.parametrize("name", list(ENCODED))
def test_file_that_is_not_ascii_compatible_is_refused_by_all_tools(make_bench: MakeBench, name: str) -> None:
    data, what = ENCODED[name]
    bench = make_bench({"notes.txt": data})
    calls = [
        bench("edit", path="notes.txt", old="beta", new="gamma"),
        bench("view", path="notes.txt"),
        bench("search", pattern="beta", path="notes.txt"),
    ]
    for observation in calls:
        assert not observation.ok
        assert f"notes.txt is {what}." in observation.text
    assert bench.read("notes.txt") == data


def test_nul_in_line_is_no_difference_to_ignore(make_bench: MakeBench) -> None:
    data = "".join([*"\u4e00" * 5_000, "\nbeta\n"]).encode("utf-16-le")  # git and this program take it for text
    bench = make_bench({"notes.txt": data})
    assert not bench("edit", path="notes.txt", old="beta", new="gamma").ok
    assert bench.read("notes.txt") == data


def test_carriage_return_is_line_break(make_bench: MakeBench) -> None:
    bench = make_bench({"mac.txt": b"one\rtwo\rthree\r", "mixed.py": b"a = 1\rb = 2\nc = 3\n"})
    assert bench("view", path="mac.txt").text == "mac.txt, lines 1-3 of 3\n1\tone\n2\ttwo\n3\tthree"
    assert bench("view", path="mixed.py").text == "mixed.py, lines 1-3 of 3\n1\ta = 1\n2\tb = 2\n3\tc = 3"
    assert bench("search", pattern="two|c =").text.endswith("mac.txt\n2\ttwo\nmixed.py\n3\tc = 3")
    assert bench("search", pattern="B = 2").text.endswith("mixed.py\n2\tb = 2")
    shown = bench("edit", path="mac.txt", old="one\ntwo\n", new="one\nsecond\n2b\n").text
    assert shown == "Edited mac.txt\n@@ -1,4 +1,5 @@\n one\n-two\n+second\n+2b\n three"
    assert bench.read("mac.txt") == b"one\rsecond\r2b\rthree\r"
    assert bench("edit", path="mixed.py", old="b = 2", new="b = 3").text.endswith(" a = 1\n-b = 2\n+b = 3\n c = 3")
    assert bench.read("mixed.py") == b"a = 1\rb = 3\nc = 3\n"
    assert bench("edit", path="mixed.py", old="a  =  1\nb  =  3\n", new="").ok
    assert bench.read("mixed.py") == b"c = 3\n"


@pytest.mark.parametrize(
    "path", ["../out.py", "/etc/passwd", "link.py", "linked/x.py", "sub", "inside.py", "inner/new.py"]
)
def test_paths_outside_repository_are_refused(bench: Bench, path: str) -> None:
    bench("shell", command="mkdir sub; touch sub/x; ln -s /tmp linked; ln -s /etc/hostname link.py")
    bench("shell", command="ln -s greet.py inside.py; ln -s sub inner")
    for old in ("", "x"):
        assert not bench("edit", path=path, old=old, new="y").ok


def test_links_are_refused_in_any_spelling_of_path(bench: Bench) -> None:
    bench("shell", command="ln -s ../harness linked")
    root = bench.workspace.root
    for path in ("linked/json.py", f"{root}/linked/json.py", f"{root}//linked/json.py", f"{root}/./linked//json.py"):
        assert "symbolic link" in bench("edit", path=path, old="", new="x = 1\n").text


@pytest.mark.parametrize("folder", ["harness", "scratch"])
@pytest.mark.parametrize("absolute", [True, False])
def test_harness_and_scratch_folders_are_refused(bench: Bench, folder: str, absolute: bool) -> None:
    folder_path = getattr(bench.workspace, folder)
    path = f"{folder_path}/json.py" if absolute else posixpath.relpath(f"{folder_path}/json.py", bench.workspace.root)
    observation = bench("edit", path=path, old="", new="x = 1\n")
    assert "is outside the repository" in observation.text
    with pytest.raises(FileNotFoundError):
        bench.read(path)


def test_edit_without_change_is_refused(bench: Bench) -> None:
    assert not bench("edit", path="greet.py", old="import os", new="import os").ok


def test_diff_has_hunk_for_each_distant_change(make_bench: MakeBench) -> None:
    lines = [f"line {n}" for n in range(1, 5001)]
    lines[9] = lines[4989] = "same"
    bench = make_bench({"big.txt": "\n".join(lines) + "\n"})
    text = bench("edit", path="big.txt", old="same", new="other", all=True).text
    assert "@@ -7,7 +7,7 @@" in text
    assert "@@ -4987,7 +4987,7 @@" in text


@pytest.mark.slow
@pytest.mark.docker
def test_edits_work_in_container(make_bench: MakeBench) -> None:
    bench = make_bench({"greet.py": GREET}, "docker")
    assert "rolled back" in bench("edit", path="greet.py", old="if name:", new="if name").text
    assert bench("edit", path="greet.py", old="if name:", new="if not name:").ok
    assert bench("search", pattern="not name").data["matches"] == 1
    assert "greet.py" in bench("view", path=".").text
    bench("undo")
    assert bench.read("greet.py").decode() == GREET
