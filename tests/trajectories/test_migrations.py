"""Journal versions: the version is recorded, and lines of earlier versions are migrated when read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from tests.trajectories.test_journal import records
from trajectories import migrations, schema
from trajectories.errors import NewerRun, RunBroken
from trajectories.journal import Journal, encode, is_started, read
from trajectories.records import VERSION, Base, Issue, Note, Run, Turn

DOCS = Path(__file__).parents[2] / "docs"
JOURNALS = sorted((Path(__file__).parent / "journals").glob("*/journal.jsonl"))
LINES = Draft202012Validator(schema.schema())


def write_run(version: object, folder: Path) -> Path:
    """Write a run whose first line has this version; None for no version."""
    line = json.loads(encode(Run("r", Issue("t"), "/r", Base("c", "t"), {"timeout": 9, "budget": 1.0})))
    line |= {"version": version}
    if version is None:
        del line["version"]
    folder.mkdir(exist_ok=True)
    folder.joinpath("journal.jsonl").write_bytes(json.dumps(line).encode() + b"\n" + encode(Turn("fix", "react")))
    return folder


def test_schema_in_documentation_is_current():
    Draft202012Validator.check_schema(schema.schema())
    assert (DOCS / "journal.schema.json").read_text("utf-8") == schema.text(), (
        "update it: python -m trajectories.schema > docs/journal.schema.json"
    )


def test_current_version_is_first_in_documentation():
    versions = re.findall(r"^\| (\d+) \|", (DOCS / "journal.md").read_text("utf-8"), re.MULTILINE)
    assert versions == [str(number) for number in range(VERSION, 0, -1)]


@pytest.mark.slow
@given(records)
def test_every_record_matches_schema(record):
    for joined in (False, True):
        LINES.validate(json.loads(encode(record, joined)))


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.parent.name)
def test_earlier_lines_match_schema_before_and_after_migration(path):
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        LINES.validate(line)
        LINES.validate(migrations.migrate_line(line, migrations.version_of(lines[0])))


@pytest.mark.parametrize("line", [{"type": "invention"}, {"type": "turn", "request": 1, "strategy": "s"}, [], "x"])
def test_other_lines_do_not_match_schema(line):
    assert not LINES.is_valid(line)


def test_version_that_only_adds_records_needs_no_migration(monkeypatch):
    monkeypatch.setattr(migrations, "VERSION", VERSION + 1)
    note = {"type": "note", "branch": "main", "kind": "info", "text": "t"}
    assert migrations.migrate_line(note, VERSION) == note
    assert migrations.migrate_line({"type": "run", "version": VERSION}, VERSION)["version"] == VERSION + 1


def test_obsolete_settings_of_first_version_are_dropped(tmp_path):
    trajectory = read(write_run(None, tmp_path))
    assert trajectory.run.settings == {"budget": 1.0}
    assert trajectory.run.version == VERSION


def test_removed_setting_is_dropped_from_runs_and_turns():
    for kind in ("run", "turn"):
        line = {"type": kind, "settings": {"ask_at_plateau": False, "rounds": 3}}
        assert migrations.migrate_line(line, 4)["settings"] == {"rounds": 3}


def test_newer_journal_is_refused_even_with_unknown_lines(tmp_path):
    folder = write_run(VERSION + 1, tmp_path / "r1")
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"type":"invention"}\n')
    before = (folder / "journal.jsonl").read_bytes()
    for reader in (read, is_started, Journal):
        with pytest.raises(NewerRun, match=f"r1 was made by a newer swe-agent: its journal has version {VERSION + 1}"):
            reader(folder)
    assert (folder / "journal.jsonl").read_bytes() == before


def test_journal_continued_by_newer_version_is_refused(tmp_path):
    folder = write_run(VERSION, tmp_path)
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(encode(Note("main", "life", "goes on", {"version": VERSION + 1})))
    with pytest.raises(NewerRun):
        read(folder)


@pytest.mark.parametrize("version", [0, -1, "2", 1.5, True, [], {}], ids=str)
def test_invalid_version_is_damage(tmp_path, version):
    folder = write_run(version, tmp_path)
    with pytest.raises(RunBroken, match="Line 1"):
        read(folder)


def test_resumed_earlier_journal_records_new_version_once(tmp_path):
    folder = write_run(None, tmp_path)
    for _ in range(2):
        journal = Journal(folder)
        journal.append(Note("main", "phase", "on"))
        journal.close()
    assert [(note.kind, note.data) for note in read(folder).notes] == [
        ("life", {"version": VERSION}),
        ("phase", {}),
        ("phase", {}),
    ]
