"""A journal says its version, and lines of an earlier one are read in today's form."""

from __future__ import annotations

import json
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


def run_of(version: object, folder: Path) -> Path:
    """A run whose first line says this version; None for no version."""
    line = json.loads(encode(Run("r", Issue("t"), "/r", Base("c", "t"), {"timeout": 9, "budget": 1.0})))
    line |= {"version": version}
    if version is None:
        del line["version"]
    folder.mkdir(exist_ok=True)
    folder.joinpath("journal.jsonl").write_bytes(json.dumps(line).encode() + b"\n" + encode(Turn("fix", "react")))
    return folder


def test_schema_in_documentation_is_that_of_types():
    Draft202012Validator.check_schema(schema.schema())
    assert (DOCS / "journal.schema.json").read_text("utf-8") == schema.text(), (
        "write it anew: python -m trajectories.schema > docs/journal.schema.json"
    )


@given(records)
def test_every_record_fits_schema(record):
    for joined in (False, True):
        LINES.validate(json.loads(encode(record, joined)))


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.parent.name)
def test_earlier_lines_fit_schema_as_they_are_and_migrated(path):
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        LINES.validate(line)
        LINES.validate(migrations.migrate_line(line, migrations.version_of(lines[0])))


@pytest.mark.parametrize("wrong", [{"type": "invention"}, {"type": "turn", "request": 1, "strategy": "s"}, [], "x"])
def test_other_lines_do_not_fit_schema(wrong):
    assert not LINES.is_valid(wrong)


def test_every_version_has_way_to_next():
    assert sorted(migrations._NEXT) == list(range(1, VERSION))


def test_journal_of_first_version_loses_what_nobody_knows_any_more(tmp_path):
    told = read(run_of(None, tmp_path))
    assert told.run.settings == {"budget": 1.0}
    assert told.run.version == VERSION


def test_newer_journal_is_refused_whatever_its_lines_are(tmp_path):
    folder = run_of(VERSION + 1, tmp_path / "r1")
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"type":"invention"}\n')
    before = (folder / "journal.jsonl").read_bytes()
    for open in (read, is_started, Journal):
        with pytest.raises(NewerRun, match=f"r1 was made by a newer swe-agent: its journal has version {VERSION + 1}"):
            open(folder)
    assert (folder / "journal.jsonl").read_bytes() == before


def test_journal_that_newer_program_went_on_with_is_refused(tmp_path):
    folder = run_of(VERSION, tmp_path)
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(encode(Note("main", "life", "goes on", {"version": VERSION + 1})))
    with pytest.raises(NewerRun):
        read(folder)


@pytest.mark.parametrize("version", [0, -1, "2", 1.5, True, [], {}], ids=str)
def test_version_that_is_none_is_damage(tmp_path, version):
    folder = run_of(version, tmp_path)
    with pytest.raises(RunBroken, match="Line 1"):
        read(folder)


def test_earlier_journal_that_is_gone_on_with_says_once_where(tmp_path):
    folder = run_of(None, tmp_path)
    for _ in range(2):
        journal = Journal(folder)
        journal.append(Note("main", "phase", "on"))
        journal.close()
    assert [(note.kind, note.data) for note in read(folder).notes] == [
        ("life", {"version": VERSION}),
        ("phase", {}),
        ("phase", {}),
    ]
