"""The objects of a run are copied completely for a fork, even while `gc` packs them."""

from agent.config.settings import Settings
from extensions.housekeeping.garbage_collection import RemovalPlan, collect
from extensions.replay import run_fork
from tests.extensions.housekeeping.test_garbage_collection import object_ids, write_own, write_packs
from tests.extensions.run_views.test_run_listing import state  # noqa: F401 - a fixture
from trajectories.git_store.git_commands import git, git_environ
from trajectories.records import Exit
from trajectories.verdict import Verdict


def test_fork_has_all_trees_when_gc_runs_during_copy(state, monkeypatch):  # noqa: F811
    """`gc` skips a run that is being copied. Files that packing moves are copied before the packs."""
    folder = write_own(state, "one", Exit("verified", 0, verdict=Verdict("verified")))
    write_packs(folder)
    env = git_environ({"GIT_DIR": str(folder / "trees.git")})
    for number in range(20):
        git("hash-object", "-w", "--stdin", env=env, input=str(number).encode())
    copied_files, reports, link = [], [], run_fork._link

    def collect_and_link(source, target):
        copied_files.append(source)
        reports.append(collect(state / "runs", RemovalPlan()))
        link(source, target)

    monkeypatch.setattr(run_fork, "_link", collect_and_link)
    with run_fork.copy_run(folder, Settings(state=state)) as fork:
        assert object_ids(fork) == object_ids(folder)
    assert {removal.why for report in reports for removal in report.left} == {"another process is using it"}
    assert copied_files == sorted(copied_files, key=lambda name: "/pack/" in name)
    assert collect(state / "runs", RemovalPlan()).left == []
