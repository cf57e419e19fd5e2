"""Tests of `patch.diff` and `proof.sh` in a run's folder."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace

import pytest

from agent.lifecycle.run_lifecycle import write_result_files
from agent.run_state.proposed_tree import Proposal, proposal_note
from agent.run_state.run_ownership import UNTRUSTED
from tests.agent.conftest import bench, line
from trajectories.records import Note, Observation, Patch, Step

__all__ = ["bench"]

GUARD = "PROOF_WITHOUT_CONTAINER"
COMMANDS = ["git apply patch.diff", "echo ran; false \x1b]0;title\x07"]
OTHERS = Note("main", "forked", "Forked.", {UNTRUSTED: True})
PROPOSED = Proposal("a patch", lambda trees: "")
SERVED = Observation("", data={"environment": {"server": ["git apply x; vite\x1b", "", "80"]}})
OWN, ELSEWHERE = (proposal_note(each, "", None, ()) for each in (replace(PROPOSED, is_own=True), PROPOSED))


@pytest.fixture
def script_of(bench):
    """`script_of(workspace, *notes)`: the script of a run in this workspace with these notes."""
    bench.begin(line("x"))
    engine = bench.engine()

    def write(workspace: str, *notes: Note) -> str:
        engine.settings = engine.settings.model_copy(update={"workspace": workspace})
        engine.journal.append(*notes)
        write_result_files(engine, Patch(), COMMANDS)
        return (engine.journal.directory / "proof.sh").read_text()

    yield write
    engine.close()


@pytest.mark.parametrize(
    ("workspace", "notes", "is_guarded"),
    [
        ("local", (), False),
        ("local", (OWN,), False),
        ("local", (ELSEWHERE,), True),
        ("local", (OTHERS,), True),
        ("sandbox", (), True),
        ("docker", (OWN,), True),
    ],
)
def test_what_ran_in_isolation_or_is_from_elsewhere_needs_a_container(script_of, workspace, notes, is_guarded):
    script = script_of(workspace, *notes)
    assert (GUARD in script) == is_guarded
    assert ("somebody else" in script) == (OTHERS in notes)
    assert script.find(GUARD) < script.index("suite() (")


@pytest.mark.parametrize("value", ["", "yes"])
def test_command_of_a_strangers_record_is_shown_before_it_runs(script_of, bench, value):
    script = script_of("sandbox", OTHERS)
    for mark in ("/.dockerenv", "/run/.containerenv"):
        script = script.replace(f"-e {mark}", f"-e {bench.directory}/no")
    done = subprocess.run(
        ["sh", "-c", script], cwd=bench.repository, env=os.environ | {GUARD: value}, capture_output=True, text=True
    )
    shown, *rest = done.stderr.splitlines()
    assert shown == "This command is from somebody else's record: echo ran; false  ]0;title "
    assert done.returncode == 1
    refused = "This runs code from elsewhere. Run it in a container, or set PROOF_WITHOUT_CONTAINER=yes."
    assert (refused in rest) == (done.stdout == "") == (not value)


def test_server_and_shell_code_of_a_strangers_record_are_shown(bench):
    bench.begin(line("x"))
    engine = bench.engine()
    engine.journal.append(Step("main", 1, "", "proof", engine.run.base.tree, observations=(SERVED,)), OTHERS)
    taken_out = "git apply -R '--include=a b' patch.diff"
    commands = ["git apply patch.diff", "first", "suite", taken_out, "git apply -R x; evil", "first"]
    write_result_files(engine, Patch(), commands)
    script = (engine.journal.directory / "proof.sh").read_text()
    engine.close()
    shown = [each.split(": ", 1)[1] for each in script.splitlines() if each.startswith("printf") and ": " in each]
    assert shown == [f"{each}' >&2" for each in ("first", "suite", "git apply -R x; evil", "git apply x; vite ")]
