"""A plugin package as pip installs it: a strategy with a phase, a fresh phase and a map of two attempts."""

from pathlib import Path

STRATEGY = '''
"""A strategy with every structure there is, for tests of resuming."""

from agent.engine.loop import loop

ROLES = ("coder",)


def attempt(task):
    yield task.say(f"Patch it on {task.branch.name}.")
    yield from loop(task.branch)
    yield from task.prove()
    return task.best()


def solve(task):
    task.once("seed", lambda: {"number": 7})
    yield from task.phase("reproduce", "Write a test that fails.")
    yield from task.phase("review", "Look at the test.", fresh=True)
    outcomes = yield from task.map([task.attempt("try-1", attempt), task.attempt("try-2", attempt)])
    for outcome in outcomes:
        task.note("vote", outcome.verdict.kind)
    chosen = max(outcomes, key=lambda outcome: outcome.verdict.rank)
    yield task.adopt(chosen.tree, "The better of two.")
    yield from task.phase("finish", "Hand it in.")
    yield from task.prove()
    return task.best()
'''


def install(folder: Path) -> Path:
    """Write the plugin package into `folder`, which belongs on sys.path."""
    info = folder / "outsider-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outsider\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[swe_agent.agent.strategies]\nall-structures = outsider_strategy\n")
    (folder / "outsider_strategy.py").write_text(STRATEGY)
    return folder
