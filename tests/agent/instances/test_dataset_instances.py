"""What a batch reads: rows of many data sets, of which a solver is told no part that solves or judges them."""

from __future__ import annotations

import json
import os
import re
import sys
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.instances.dataset_instances import read_golds, read_instances, select
from agent.instances.jobs import Instance
from tests.github_server import Hub
from trajectories.errors import ConfigError, RunBroken, UsageError
from trajectories.records import Issue

LITE = {
    "instance_id": "ada__engine-7",
    "repo": "ada/engine",
    "base_commit": "1" * 40,
    "version": "4.3",
    "problem_statement": "It stalls\r\n\r\nOn hills.",
    "hints_text": "Look at gears.py",
    "patch": "GOLD",
    "test_patch": "GOLD",
    "FAIL_TO_PASS": '["GOLD one"]',
    "PASS_TO_PASS": ["GOLD two", "GOLD three"],
}
PNG = b"\x89PNG\r\n\x1a\n picture"


def rows_of(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def told(path: Path) -> str:
    """What is said of a file that cannot be used."""
    with pytest.raises(UsageError) as caught:
        read_instances([path])
    assert caught.value.fix
    return caught.value.message


# What a row says


def test_row_of_swe_bench(tmp_path: Path) -> None:
    [found] = read_instances([rows_of(tmp_path / "a.jsonl", LITE)])
    assert (found.id, found.repo, found.base, found.version) == ("ada__engine-7", "ada/engine", "1" * 40, "4.3")
    assert found.issue == Issue("It stalls", "On hills.", trust="stranger")
    assert "GOLD" not in json.dumps(asdict(found))
    assert found.hints == ""


def test_hints_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    [found] = read_instances([rows_of(tmp_path / "a.jsonl", LITE)], hints=True)
    assert found.hints == "Look at gears.py"


@pytest.mark.parametrize("name", ["image", "image_name", "docker_image"])
def test_row_that_names_image(tmp_path: Path, name: str) -> None:
    [found] = read_instances([rows_of(tmp_path / "a.jsonl", LITE | {name: "example.org/engine:7"})])
    assert found.image == "example.org/engine:7"


@pytest.mark.parametrize("name", ["issue", "text"])
def test_own_file(tmp_path: Path, name: str) -> None:
    row = {"id": "stall", "repo": "./engine", name: "# It stalls", "test": "make test"}
    [found] = read_instances([rows_of(tmp_path / "a.jsonl", row)])
    assert found == Instance(
        "stall", str(tmp_path / "engine"), "", Issue("It stalls", "", trust="stranger"), test="make test"
    )


def test_number_as_version_is_text(tmp_path: Path) -> None:
    assert read_instances([rows_of(tmp_path / "a.jsonl", LITE | {"version": 4.3})])[0].version == "4.3"


def test_half_of_pair_of_surrogates_can_be_sent_and_kept(tmp_path: Path) -> None:
    [found] = read_instances([rows_of(tmp_path / "a.jsonl", LITE | {"problem_statement": "It \ud83d stalls"})])
    assert found.issue.title.encode() == b"It ? stalls"


def test_pictures_come_from_row_or_from_below_its_folder(tmp_path: Path) -> None:
    (tmp_path / "shots").mkdir()
    (tmp_path / "shots" / "a.png").write_bytes(PNG)
    (tmp_path.parent / "above.png").write_bytes(PNG)
    inline = f"data:image/png;base64,{b64encode(b'inline').decode()}"
    assets = {
        "problem_statement": [inline, "shots/a.png", "../above.png", "https://example.org/b.png"],
        "patch": ["data:image/png;base64,GOLD"],
    }
    row = LITE | {"image_assets": json.dumps(assets)}
    [found] = read_instances([rows_of(tmp_path / "a.jsonl", row)])
    assert found.issue.images == (inline, f"data:image/png;base64,{b64encode(PNG).decode()}")


@pytest.mark.parametrize("text", ['["a", "b"]', "['a', 'b']"])
def test_how_instance_is_judged(tmp_path: Path, text: str) -> None:
    path = rows_of(tmp_path / "a.jsonl", LITE | {"FAIL_TO_PASS": text}, LITE | {"instance_id": "b"})
    gold = read_golds([path])["ada__engine-7"]
    assert (gold.patch, gold.test_patch) == ("GOLD", "GOLD")
    assert (gold.fail_to_pass, gold.pass_to_pass) == (("a", "b"), ("GOLD two", "GOLD three"))
    assert gold.row["version"] == "4.3"


def test_instances_with_tests_are_judged_without_patch_and_addresses_are_passed_over(tmp_path: Path) -> None:
    bare = {"id": "bare", "repo": "o/r", "text": "It fails"}
    path = rows_of(tmp_path / "a.jsonl", bare, bare | {"id": "own", "test": "make test"}, bare | {"id": "named"})
    more = rows_of(tmp_path / "b.jsonl", {"id": "named", "FAIL_TO_PASS": ["a"]})
    (tmp_path / "urls.txt").write_text("https://github.com/o/r/issues/1\n")
    golds = read_golds([tmp_path / "urls.txt", path, more])
    assert golds.keys() == {"own", "named"}
    assert (golds["named"].patch, golds["named"].fail_to_pass) == ("", ("a",))


def test_tests_that_are_no_list_are_told(tmp_path: Path) -> None:
    path = rows_of(tmp_path / "a.jsonl", LITE | {"FAIL_TO_PASS": "__import__('os')"})
    with pytest.raises(UsageError, match=r"Line 1 of .*a\.jsonl .* has a FAIL_TO_PASS that is not a list"):
        read_golds([path])


# Files


def kinds(folder: Path, row: dict[str, Any]) -> list[Path]:
    two = row | {"instance_id": "two"}
    files = {
        "lines.jsonl": f"{json.dumps(row)}\n\n{json.dumps(two)}",
        "bom.jsonl": f"\ufeff{json.dumps(row)}\n{json.dumps(two)}\n",
        "lines.json": f"{json.dumps(row)}\n{json.dumps(two)}\n",
        "lines": f"{json.dumps(row)}\r\n{json.dumps(two)}\r\n",
        "list.json": json.dumps([row, two], indent=2),
        "by-id.json": json.dumps(
            {row["instance_id"]: row, "two": {k: v for k, v in two.items() if k != "instance_id"}}
        ),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return [folder / name for name in files]


@pytest.mark.parametrize("at", range(6))
def test_kinds_of_files_say_same(tmp_path: Path, at: int) -> None:
    path = kinds(tmp_path, LITE)[at]
    found = read_instances([path])
    assert [instance.id for instance in found] == ["ada__engine-7", "two"]
    assert {instance.issue.title for instance in found} == {"It stalls"}


def test_one_row_over_many_lines(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(LITE, indent=2))
    assert [instance.id for instance in read_instances([tmp_path / "a.json"])] == ["ada__engine-7"]


def test_long_first_line_is_row(tmp_path: Path) -> None:
    path = rows_of(tmp_path / "a.json", LITE | {"problem_statement": "x" * 100_000}, LITE | {"instance_id": "two"})
    assert len(read_instances([path])) == 2


def test_parquet(tmp_path: Path) -> None:
    if "CI" not in os.environ:
        pytest.importorskip("pyarrow")
    from pyarrow import Table, parquet

    rows = [LITE | {"PASS_TO_PASS": ["two"], "instance_id": f"a-{number}", "image": None} for number in range(600)]
    parquet.write_table(Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=250)
    found = read_instances([tmp_path / "a.parquet"])
    assert [instance.id for instance in found] == [f"a-{number}" for number in range(600)]
    assert {instance.issue.title for instance in found} == {"It stalls"}
    assert read_golds([tmp_path / "a.parquet"])["a-599"].fail_to_pass == ("GOLD one",)
    (tmp_path / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-20])
    assert "b.parquet cannot be read past row 0" in told(tmp_path / "b.parquet")


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and more")
    with pytest.raises(ConfigError, match="needs pyarrow") as caught:
        read_instances([tmp_path / "a.parquet"])
    assert "swe-agent[parquet]" in caught.value.fix


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """GitHub with the issues 7, 8 and 9 of ada/engine."""
    with Hub(tmp_path) as hub:
        for name, value in hub.env(action=False).items():
            monkeypatch.setenv(name, value)
        repo = hub.repo("ada/engine")
        for number in range(1, 10):
            repo.issue(f"Issue {number}", "As it was", author="ada")
        yield hub


def addresses(path: Path, server: str, *numbers: int) -> Path:
    path.write_text("# ours\n\n" + "".join(f"{server}/ada/engine/issues/{number}\n" for number in numbers))
    return path


def test_list_of_addresses(tmp_path: Path, hub: Hub) -> None:
    found = read_instances([addresses(tmp_path / "issues.txt", hub.url, 7, 8)])
    assert [(i.id, i.repo, i.base, i.issue.title, i.issue.author) for i in found] == [
        ("ada__engine-7", f"{hub.url}/ada/engine", "", "Issue 7", "ada"),
        ("ada__engine-8", f"{hub.url}/ada/engine", "", "Issue 8", "ada"),
    ]
    path = tmp_path / "issues.txt"
    path.write_bytes(b"https://github.com/ada/engine/fork/7\xff\n")
    assert told(path) == f"Line 1 of {path} is not an issue URL."


def test_issues_are_fetched_once_batch(tmp_path: Path, hub: Hub) -> None:
    path, out = tmp_path / "issues.txt", tmp_path / "out"
    first = read_instances([addresses(path, hub.url, 7)], out=out)
    hub.repos["ada/engine"].numbered[7].edit(body="As it is now")
    assert read_instances([addresses(path, hub.url, 7, 8)], out=out)[0] == first[0]
    with pytest.raises(UsageError, match="found nothing to read"):
        read_instances([addresses(path, hub.url, 7, 8, 9, 404)], out=out)
    read = [re.search(r"/issues/(\d+)$", request.path) for request in hub.requests]
    assert [found[1] for found in read if found] == ["7", "8", "9", "404"]
    count = len(hub.requests)
    assert len(read_instances([addresses(path, hub.url, 7, 8, 9)], out=out)) == 3
    assert len(hub.requests) == count, "what came before the failure is kept"
    assert read_instances([addresses(path, hub.url, 7)])[0].issue.body == "As it is now", "without a batch it is read"


def test_kept_issues_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "issues.json").write_text('{"https://github.com/ada/engine/issues/7": {')
    with pytest.raises(RunBroken, match="is damaged"):
        read_instances([addresses(tmp_path / "issues.txt", "https://github.com", 7)], out=tmp_path)


def test_files_that_say_parts_of_same_instances(tmp_path: Path) -> None:
    issues = rows_of(tmp_path / "issues.jsonl", {k: v for k, v in LITE.items() if "GOLD" not in str(v)})
    gold = {k: v for k, v in LITE.items() if "GOLD" in str(v) or k == "instance_id"}
    golds = rows_of(tmp_path / "golds.jsonl", {"instance_id": "other", "patch": ""}, gold)
    for files in ([issues, golds], [golds, issues]):
        assert [instance.id for instance in read_instances(files)] == ["ada__engine-7"]
        assert read_golds(files)["ada__engine-7"].row.keys() == LITE.keys()


def test_files_that_do_not_go_together(tmp_path: Path) -> None:
    files = [rows_of(tmp_path / "a.jsonl", LITE), rows_of(tmp_path / "b.jsonl", LITE | {"base_commit": "2" * 40})]
    with pytest.raises(UsageError, match=r"Line 1 of .*b\.jsonl and line 1 of .*a\.jsonl differ in base_commit\."):
        read_instances(files)


# What cannot be used


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "F has no rows."),
        ("[]", "Line 1 of F is not an object."),
        ("7", "Line 1 of F is not an object."),
        ('{"instance_id": "a"\n', "Line 1 of F is not JSON: Expecting ',' delimiter at character 20."),
        (json.dumps(LITE) + "\n{]", "Line 2 of F is not JSON: Expecting property name enclosed in double quotes"),
        ("[" * 100_000, "Line 1 of F cannot be read:"),
        ("9" * 5000, "Line 1 of F cannot be read:"),
        ('{"repo": "a/b"}', "Line 1 of F has no instance_id."),
        ('{"instance_id": 7}', "Line 1 of F has no instance_id."),
        (json.dumps(LITE) + "\n" + json.dumps(LITE), "Line 2 of F has the id 'ada__engine-7', as has line 1 of F."),
        (json.dumps(LITE | {"repo": ""}), "Line 1 of F (ada__engine-7) has no repo."),
        (json.dumps(LITE | {"repo": ["a"]}), "Line 1 of F (ada__engine-7) has a repo that is not text."),
        (json.dumps(LITE | {"problem_statement": " "}), "Line 1 of F (ada__engine-7) has no issue."),
        (json.dumps({"instance_id": "a", "repo": "a/b"}), "No row of F has an issue."),
        (json.dumps(LITE) + '\n{"id": "b", "repo": "a/b"}', "Line 2 of F (b) has no issue."),
        (
            json.dumps(LITE | {"base_commit": "--exec=x"}),
            "Line 1 of F (ada__engine-7) has an invalid base:",
        ),
        (
            json.dumps(LITE | {"repo": "~no-such-user-here/x"}),
            "Line 1 of F (ada__engine-7) has the repo '~no-such-user",
        ),
        (json.dumps(LITE | {"image_assets": "{"}), "Line 1 of F (ada__engine-7) has image_assets that are not JSON."),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    assert told(path).startswith(re.sub(r"\bF\b", str(path), message))


def test_json_file_without_rows(tmp_path: Path) -> None:
    for text in ("[]", "{}"):
        (tmp_path / "a.json").write_text(text)
        assert told(tmp_path / "a.json") == f"{tmp_path / 'a.json'} has no rows."
    (tmp_path / "a.json").write_text('{"a": {"instance_id": "b"}}')
    assert told(tmp_path / "a.json") == f"Row 'a' of {tmp_path / 'a.json'} contains a different id."


def test_bytes_that_are_no_utf_8(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(json.dumps(LITE).encode() + b'\n{"id": "\xe9"}\n')
    assert told(tmp_path / "a.jsonl") == f"Line 2 of {tmp_path / 'a.jsonl'} is not UTF-8 (0xe9 at byte 8)."


def test_file_that_is_not_there(tmp_path: Path) -> None:
    assert told(tmp_path / "a.jsonl") == f"{tmp_path / 'a.jsonl'} cannot be read: No such file or directory."
    assert told(tmp_path) == f"{tmp_path} cannot be read: Is a directory."


@pytest.mark.parametrize(
    "id", ["../a", "a/b", "a..b", ".a", "-a", "a b", "a\n", "a\0", "é", "a" * 201, "..", "C:a", "a\\b", "", " "]
)
def test_id_that_cannot_name_folder(tmp_path: Path, id: str) -> None:
    message = told(rows_of(tmp_path / "a.jsonl", LITE | {"instance_id": id}))
    assert message.startswith(f"Line 1 of {tmp_path / 'a.jsonl'} has ")


@pytest.mark.parametrize("other", ["ADA__engine-7", "ada__engine-7.2"])
def test_ids_whose_folders_are_one(tmp_path: Path, other: str) -> None:
    assert other in told(rows_of(tmp_path / "a.jsonl", LITE, LITE | {"instance_id": other}))


NAMES = ["instance_id", "id", "repo", "problem_statement", "issue", "base_commit", "image", "image_assets", "hints"]
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.sampled_from(["a", "a/b", "{}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "x"]), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.lists(st.dictionaries(st.sampled_from(NAMES), values) | values, max_size=4), st.booleans())
def test_whatever_file_holds_there_are_instances_or_sentence(made: list[Any], lines: bool) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.jsonl" if lines else "a.json")
        path.write_text("\n".join(map(json.dumps, made)) if lines else json.dumps(made))
        found, error = [], None
        try:
            found = read_instances([path], hints=True)
        except UsageError as caught:
            error = caught
        assert found if error is None else (error.message.endswith(".") and error.fix)
        for instance in found:
            assert all(isinstance(value, str) for name, value in asdict(instance).items() if name != "issue")
            assert instance.repo
            assert instance.issue.text.encode()
            assert Path(folder, instance.id).resolve().parent == Path(folder).resolve()
        assert len({instance.id for instance in found}) == len(found)


@given(st.binary(max_size=200))
def test_whatever_bytes_there_are_they_are_refused(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        for name in ("a.jsonl", "a.json", "a"):
            Path(folder, name).write_bytes(data)
            assert told(Path(folder, name))


# What is chosen


def some(*ids: str) -> list[Instance]:
    return [Instance(id, "a/b", "", Issue("t")) for id in ids]


def ids(found: list[Instance]) -> str:
    return " ".join(instance.id for instance in found)


@pytest.mark.parametrize(
    ("slice", "left"), [("", "a b c d"), ("1:3", "b c"), (":2", "a b"), ("-1:", "d"), ("::2", "a c"), ("2:100", "c d")]
)
def test_slice(slice: str, left: str) -> None:
    assert ids(select(some("a", "b", "c", "d"), slice=slice)) == left


@pytest.mark.parametrize("slice", ["1", "a:b", "1:2:3:4", "::0", "1;2", ":-", "1:2:-1"])
def test_what_is_no_slice(slice: str) -> None:
    with pytest.raises(UsageError, match="is not a slice"):
        select(some("a"), slice=slice)


def test_filter_comes_before_shuffle_and_that_before_slice() -> None:
    many = some(*(f"{name}-{number}" for name in "ab" for number in range(50)))
    chosen = select(many, "^a-", ":10", seed=1)
    assert len(chosen) == 10
    assert all(instance.id.startswith("a-") for instance in chosen)
    assert ids(chosen) != ids(select(many, "^a-", ":10", seed=2))
    assert ids(chosen) == ids(select(many[::-1], "^a-", ":10", seed=1))


def test_what_goes_leaves_order_of_seed() -> None:
    many = some(*map(str, range(100)))
    few = [instance for instance in select(many, seed=7) if int(instance.id) % 3]
    assert ids(few) == ids(select([instance for instance in many if int(instance.id) % 3], seed=7))


def test_filter_that_is_none_or_leaves_none() -> None:
    with pytest.raises(UsageError, match="is not a regular expression"):
        select(some("a"), "(")
    with pytest.raises(UsageError, match="None of 1 instances is selected"):
        select(some("a"), "b")
