"""Reading instances of many data sets. The solver sees no field that holds the solution or the tests."""

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

from agent.installation import extra_advice
from extensions.lab.instances.dataset_instances import read_golds, read_instances, select
from extensions.lab.instances.jobs import Instance
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


def write_rows(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_error(path: Path) -> str:
    """Return the message of the error for an unusable file."""
    with pytest.raises(UsageError) as caught:
        read_instances([path])
    assert caught.value.fix
    return caught.value.message


# Fields of a row


def test_row_of_swe_bench_pro_is_read_with_its_image_and_requirements(tmp_path: Path) -> None:
    names = {"fail_to_pass": "['GOLD one']", "pass_to_pass": '["GOLD two"]', "selected_test_files_to_run": '["GOLD"]'}
    added = {"requirements": "- It runs.", "interface": "run() in gears.py", "dockerhub_tag": "ada.engine-7"}
    row = {**{key: value for key, value in LITE.items() if not key.isupper()}, **names, **added}
    path = write_rows(tmp_path / "pro.jsonl", row)
    [instance] = read_instances([path])
    assert instance.image == "jefzda/sweap-images:ada.engine-7"
    assert (
        instance.issue.body == "On hills.\n\nRequirements:\n- It runs.\n\nNew interfaces introduced:\nrun() in gears.py"
    )
    assert "GOLD" not in repr(instance)
    assert read_golds([path])[instance.id].fail_to_pass == ("GOLD one",)
    rebench = write_rows(tmp_path / "rebench.jsonl", LITE | {"requirements": ["attrs==23.1.0"]})
    assert read_instances([rebench])[0].issue.body == "On hills.", "these are packages"


def test_swe_bench_row_is_read_without_gold_fields(tmp_path: Path) -> None:
    [instance] = read_instances([write_rows(tmp_path / "a.jsonl", LITE)])
    assert (instance.id, instance.repo, instance.base, instance.version) == (
        "ada__engine-7",
        "ada/engine",
        "1" * 40,
        "4.3",
    )
    assert instance.issue == Issue("It stalls", "On hills.", trust="stranger")
    assert "GOLD" not in json.dumps(asdict(instance))
    assert instance.hints == ""


def test_hints_are_read_on_request(tmp_path: Path) -> None:
    [instance] = read_instances([write_rows(tmp_path / "a.jsonl", LITE)], hints=True)
    assert instance.hints == "Look at gears.py"


@pytest.mark.parametrize("name", ["image", "image_name", "docker_image"])
def test_image_is_read_from_row(tmp_path: Path, name: str) -> None:
    [instance] = read_instances([write_rows(tmp_path / "a.jsonl", LITE | {name: "example.org/engine:7"})])
    assert instance.image == "example.org/engine:7"


@pytest.mark.parametrize("name", ["issue", "text"])
def test_custom_row_is_read(tmp_path: Path, name: str) -> None:
    row = {"id": "stall", "repo": "./engine", name: "# It stalls", "test": "make test"}
    [instance] = read_instances([write_rows(tmp_path / "a.jsonl", row)])
    assert instance == Instance(
        "stall", str(tmp_path / "engine"), "", Issue("It stalls", "", trust="stranger"), test="make test"
    )


def test_numeric_version_becomes_text(tmp_path: Path) -> None:
    assert read_instances([write_rows(tmp_path / "a.jsonl", LITE | {"version": 4.3})])[0].version == "4.3"


def test_lone_surrogate_is_replaced(tmp_path: Path) -> None:
    [instance] = read_instances([write_rows(tmp_path / "a.jsonl", LITE | {"problem_statement": "It \ud83d stalls"})])
    assert instance.issue.title.encode() == b"It ? stalls"


def test_images_come_from_row_or_its_folder(tmp_path: Path) -> None:
    (tmp_path / "shots").mkdir()
    (tmp_path / "shots" / "a.png").write_bytes(PNG)
    (tmp_path.parent / "above.png").write_bytes(PNG)
    inline = f"data:image/png;base64,{b64encode(b'inline').decode()}"
    assets = {
        "problem_statement": [inline, "shots/a.png", "../above.png", "https://example.org/b.png"],
        "patch": ["data:image/png;base64,GOLD"],
    }
    row = LITE | {"image_assets": json.dumps(assets)}
    [instance] = read_instances([write_rows(tmp_path / "a.jsonl", row)])
    assert instance.issue.images == (inline, f"data:image/png;base64,{b64encode(PNG).decode()}")


@pytest.mark.parametrize("text", ['["a", "b"]', "['a', 'b']"])
def test_gold_is_read_from_row(tmp_path: Path, text: str) -> None:
    path = write_rows(tmp_path / "a.jsonl", LITE | {"FAIL_TO_PASS": text}, LITE | {"instance_id": "b"})
    gold = read_golds([path])["ada__engine-7"]
    assert (gold.patch, gold.test_patch) == ("GOLD", "GOLD")
    assert (gold.fail_to_pass, gold.pass_to_pass) == (("a", "b"), ("GOLD two", "GOLD three"))
    assert gold.row["version"] == "4.3"


def test_golds_need_tests_but_no_patch_and_skip_issue_urls(tmp_path: Path) -> None:
    bare = {"id": "bare", "repo": "o/r", "text": "It fails"}
    path = write_rows(tmp_path / "a.jsonl", bare, bare | {"id": "own", "test": "make test"}, bare | {"id": "named"})
    more = write_rows(tmp_path / "b.jsonl", {"id": "named", "FAIL_TO_PASS": ["a"]})
    (tmp_path / "urls.txt").write_text("https://github.com/o/r/issues/1\n")
    golds = read_golds([tmp_path / "urls.txt", path, more])
    assert golds.keys() == {"own", "named"}
    assert (golds["named"].patch, golds["named"].fail_to_pass) == ("", ("a",))


def test_tests_that_are_not_a_list_are_rejected(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", LITE | {"FAIL_TO_PASS": "__import__('os')"})
    with pytest.raises(UsageError, match=r"Line 1 of .*a\.jsonl .* has a FAIL_TO_PASS that is not a list"):
        read_golds([path])


# Files


def write_formats(folder: Path, row: dict[str, Any]) -> list[Path]:
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


@pytest.mark.parametrize("index", range(6))
def test_file_formats_are_equivalent(tmp_path: Path, index: int) -> None:
    path = write_formats(tmp_path, LITE)[index]
    instances = read_instances([path])
    assert [instance.id for instance in instances] == ["ada__engine-7", "two"]
    assert {instance.issue.title for instance in instances} == {"It stalls"}


def test_row_may_span_lines(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(LITE, indent=2))
    assert [instance.id for instance in read_instances([tmp_path / "a.json"])] == ["ada__engine-7"]


def test_long_first_line_is_read_as_row(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.json", LITE | {"problem_statement": "x" * 100_000}, LITE | {"instance_id": "two"})
    assert len(read_instances([path])) == 2


def test_parquet_is_read(tmp_path: Path) -> None:
    if "CI" not in os.environ:
        pytest.importorskip("pyarrow")
    from pyarrow import Table, parquet

    rows = [LITE | {"PASS_TO_PASS": ["two"], "instance_id": f"a-{number}", "image": None} for number in range(600)]
    parquet.write_table(Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=250)
    instances = read_instances([tmp_path / "a.parquet"])
    assert [instance.id for instance in instances] == [f"a-{number}" for number in range(600)]
    assert {instance.issue.title for instance in instances} == {"It stalls"}
    assert read_golds([tmp_path / "a.parquet"])["a-599"].fail_to_pass == ("GOLD one",)
    (tmp_path / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-20])
    assert "b.parquet cannot be read past row 0" in read_error(tmp_path / "b.parquet")


def test_parquet_without_pyarrow_names_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and more")
    with pytest.raises(ConfigError, match="needs pyarrow") as caught:
        read_instances([tmp_path / "a.parquet"])
    assert caught.value.fix == f"{extra_advice('parquet')} Or give JSON Lines."


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """GitHub with the issues 1 to 9 of ada/engine."""
    with Hub(tmp_path) as hub:
        for name, value in hub.env(action=False).items():
            monkeypatch.setenv(name, value)
        repo = hub.repo("ada/engine")
        for number in range(1, 10):
            repo.issue(f"Issue {number}", "As it was", author="ada")
        yield hub


def write_urls(path: Path, server: str, *numbers: int) -> Path:
    path.write_text("# ours\n\n" + "".join(f"{server}/ada/engine/issues/{number}\n" for number in numbers))
    return path


def test_issue_urls_are_read(tmp_path: Path, hub: Hub) -> None:
    instances = read_instances([write_urls(tmp_path / "issues.txt", hub.url, 7, 8)])
    assert [(i.id, i.repo, i.base, i.issue.title, i.issue.author) for i in instances] == [
        ("ada__engine-7", f"{hub.url}/ada/engine", "", "Issue 7", "ada"),
        ("ada__engine-8", f"{hub.url}/ada/engine", "", "Issue 8", "ada"),
    ]
    path = tmp_path / "issues.txt"
    path.write_bytes(b"https://github.com/ada/engine/fork/7\xff\n")
    assert read_error(path) == f"Line 1 of {path} is not an issue URL."


def test_issues_are_fetched_once_per_batch(tmp_path: Path, hub: Hub) -> None:
    path, out = tmp_path / "issues.txt", tmp_path / "out"
    first = read_instances([write_urls(path, hub.url, 7)], out=out)
    hub.repos["ada/engine"].numbered[7].edit(body="As it is now")
    assert read_instances([write_urls(path, hub.url, 7, 8)], out=out)[0] == first[0]
    with pytest.raises(UsageError, match="answers 404 to the request to read"):
        read_instances([write_urls(path, hub.url, 7, 8, 9, 404)], out=out)
    matches = [re.search(r"/issues/(\d+)$", request.path) for request in hub.requests]
    assert [match[1] for match in matches if match] == ["7", "8", "9", "404"]
    count = len(hub.requests)
    assert len(read_instances([write_urls(path, hub.url, 7, 8, 9)], out=out)) == 3
    assert len(hub.requests) == count, "issues fetched before the failure are reused"
    assert read_instances([write_urls(path, hub.url, 7)])[0].issue.body == "As it is now", "not cached without a batch"


def test_damaged_issue_cache_is_reported(tmp_path: Path) -> None:
    (tmp_path / "issues.json").write_text('{"https://github.com/ada/engine/issues/7": {')
    with pytest.raises(RunBroken, match="is damaged"):
        read_instances([write_urls(tmp_path / "issues.txt", "https://github.com", 7)], out=tmp_path)


def test_instances_may_be_split_over_files(tmp_path: Path) -> None:
    issues = write_rows(tmp_path / "issues.jsonl", {k: v for k, v in LITE.items() if "GOLD" not in str(v)})
    gold = {k: v for k, v in LITE.items() if "GOLD" in str(v) or k == "instance_id"}
    golds = write_rows(tmp_path / "golds.jsonl", {"instance_id": "other", "patch": ""}, gold)
    for files in ([issues, golds], [golds, issues]):
        assert [instance.id for instance in read_instances(files)] == ["ada__engine-7"]
        assert read_golds(files)["ada__engine-7"].row.keys() == LITE.keys()


def test_contradicting_files_are_rejected(tmp_path: Path) -> None:
    files = [write_rows(tmp_path / "a.jsonl", LITE), write_rows(tmp_path / "b.jsonl", LITE | {"base_commit": "2" * 40})]
    with pytest.raises(UsageError, match=r"Line 1 of .*b\.jsonl and line 1 of .*a\.jsonl differ in base_commit\."):
        read_instances(files)


# Unusable files


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
def test_error_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    assert read_error(path).startswith(re.sub(r"\bF\b", str(path), message))


def test_json_without_rows_is_rejected(tmp_path: Path) -> None:
    for text in ("[]", "{}"):
        (tmp_path / "a.json").write_text(text)
        assert read_error(tmp_path / "a.json") == f"{tmp_path / 'a.json'} has no rows."
    (tmp_path / "a.json").write_text('{"a": {"instance_id": "b"}}')
    assert read_error(tmp_path / "a.json") == f"Row 'a' of {tmp_path / 'a.json'} contains a different id."


def test_invalid_utf_8_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(json.dumps(LITE).encode() + b'\n{"id": "\xe9"}\n')
    assert read_error(tmp_path / "a.jsonl") == f"Line 2 of {tmp_path / 'a.jsonl'} is not UTF-8 (0xe9 at byte 8)."


def test_missing_file_or_folder_is_rejected(tmp_path: Path) -> None:
    assert read_error(tmp_path / "a.jsonl") == f"{tmp_path / 'a.jsonl'} cannot be read: No such file or directory."
    assert read_error(tmp_path) == f"{tmp_path} cannot be read: Is a directory."


@pytest.mark.parametrize(
    "id", ["../a", "a/b", "a..b", ".a", "-a", "a b", "a\n", "a\0", "é", "a" * 201, "..", "C:a", "a\\b", "", " "]
)
def test_id_unusable_as_folder_name_is_rejected(tmp_path: Path, id: str) -> None:
    message = read_error(write_rows(tmp_path / "a.jsonl", LITE | {"instance_id": id}))
    assert message.startswith(f"Line 1 of {tmp_path / 'a.jsonl'} has ")


@pytest.mark.parametrize("other", ["ADA__engine-7", "ada__engine-7.2"])
def test_ids_with_same_folder_are_rejected(tmp_path: Path, other: str) -> None:
    assert other in read_error(write_rows(tmp_path / "a.jsonl", LITE, LITE | {"instance_id": other}))


NAMES = ["instance_id", "id", "repo", "problem_statement", "issue", "base_commit", "image", "image_assets", "hints"]
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.sampled_from(["a", "a/b", "{}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "x"]), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.lists(st.dictionaries(st.sampled_from(NAMES), values) | values, max_size=4), st.booleans())
def test_any_json_gives_instances_or_one_sentence(rows: list[Any], lines: bool) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.jsonl" if lines else "a.json")
        path.write_text("\n".join(map(json.dumps, rows)) if lines else json.dumps(rows))
        instances, error = [], None
        try:
            instances = read_instances([path], hints=True)
        except UsageError as caught:
            error = caught
        assert instances if error is None else (error.message.endswith(".") and error.fix)
        for instance in instances:
            assert all(isinstance(value, str) for name, value in asdict(instance).items() if name != "issue")
            assert instance.repo
            assert instance.issue.text.encode()
            assert Path(folder, instance.id).resolve().parent == Path(folder).resolve()
        assert len({instance.id for instance in instances}) == len(instances)


@pytest.mark.slow
@given(st.binary(max_size=200))
def test_any_bytes_are_rejected(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        for name in ("a.jsonl", "a.json", "a"):
            Path(folder, name).write_bytes(data)
            assert read_error(Path(folder, name))


# Selection


def make_instances(*ids: str) -> list[Instance]:
    return [Instance(id, "a/b", "", Issue("t")) for id in ids]


def joined_ids(instances: list[Instance]) -> str:
    return " ".join(instance.id for instance in instances)


@pytest.mark.parametrize(
    ("slice", "selected"),
    [("", "a b c d"), ("1:3", "b c"), (":2", "a b"), ("-1:", "d"), ("::2", "a c"), ("2:100", "c d")],
)
def test_slice_selects_instances(slice: str, selected: str) -> None:
    assert joined_ids(select(make_instances("a", "b", "c", "d"), slice=slice)) == selected


@pytest.mark.parametrize("slice", ["1", "a:b", "1:2:3:4", "::0", "1;2", ":-", "1:2:-1"])
def test_invalid_slice_is_rejected(slice: str) -> None:
    with pytest.raises(UsageError, match="is not a slice"):
        select(make_instances("a"), slice=slice)


def test_filter_precedes_shuffle_and_shuffle_precedes_slice() -> None:
    many = make_instances(*(f"{name}-{number}" for name in "ab" for number in range(50)))
    chosen = select(many, "^a-", ":10", seed=1)
    assert len(chosen) == 10
    assert all(instance.id.startswith("a-") for instance in chosen)
    assert joined_ids(chosen) != joined_ids(select(many, "^a-", ":10", seed=2))
    assert joined_ids(chosen) == joined_ids(select(many[::-1], "^a-", ":10", seed=1))


def test_seeded_order_is_independent_of_removed_instances() -> None:
    many = make_instances(*map(str, range(100)))
    few = [instance for instance in select(many, seed=7) if int(instance.id) % 3]
    assert joined_ids(few) == joined_ids(select([instance for instance in many if int(instance.id) % 3], seed=7))


def test_invalid_or_empty_filter_is_rejected() -> None:
    with pytest.raises(UsageError, match="is not a regular expression"):
        select(make_instances("a"), "(")
    with pytest.raises(UsageError, match="No instance of 1 matches the selection"):
        select(make_instances("a"), "b")


@pytest.mark.parametrize("name", ["./tasks.bundle", "tasks.bundle"])
def test_bundle_is_read_in_place_of_repo(tmp_path: Path, name: str) -> None:
    path = write_rows(tmp_path / "tasks.jsonl", LITE | {"bundle": name})
    assert read_instances([path])[0].repo == str(tmp_path / "tasks.bundle")
