"""Show the files that differ between two steps or two runs."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from os.path import lexists  # not Path.exists, which raises if the name is too long
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli import shared_options as options
from trajectories.temporary_folders import temporary_folder

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from trajectories.trajectory import RunView

FLAGS = (
    *("-r", "-p", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color"),
    *("--src-prefix=a/", "--dst-prefix=b/"),
)
STATUS = {"new file": "A", "deleted file": "D"}


def command(
    left: Annotated[
        str, typer.Argument(help="Run and step as `show` names them, or only a run.", metavar="RUN[@STEP]")
    ],
    right: Annotated[
        str, typer.Argument(help="The run and step, or only the run, to compare with.", metavar="RUN[@STEP]")
    ],
    stat: Annotated[
        bool, typer.Option("--stat", help="Only list the files, with the numbers of added and removed lines.")
    ] = False,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Show the files that differ between two steps, or the first step where two runs differ.

    STEP is main#7, or 7 for short; 0 is the run's base. Without steps, `diff` compares two runs step by step. As in
    `replay`, a step differs if its tree, its success or an exit code differs. Text that changes in every run, such as
    times, is ignored.

    Exit codes: 0 (shown, with or without differences), 2 (usage), 5 (damaged run).
    """
    from agent.config.settings import load_settings
    from trajectories.errors import UsageError

    settings = load_settings()
    sides = [_side(name, settings) for name in (left, right)]
    if bool(sides[0].step) != bool(sides[1].step):
        raise UsageError("One side names a step and the other a run.", "Write RUN@A RUN@B, or RUN1 RUN2.")
    if sides[0].step:
        _files(sides[0], sides[1], stat, json, plain)
    else:
        _show_comparison(sides[0].material, sides[1].material, json, plain)
    return 0


@dataclass(frozen=True, slots=True)
class Side:
    """A run, or one of its steps by full name, with the tree after that step."""

    material: RunView
    step: str = ""
    tree: str = ""

    @property
    def name(self) -> str:
        return f"{self.material.name}@{self.step}"


def _side(name: str, settings: Settings) -> Side:
    """Return the run or step that a user named. Raises UsageError."""
    from agent.runs.run_lookup import find_step, open_run
    from trajectories.errors import UsageError

    run, at, step = name.rpartition("@")
    if not at or lexists(name):
        return Side(open_run(name, settings))
    if not run or not step:
        raise UsageError(f"{name!r} is not a step of a run.", "Write RUN@STEP, as in 20260101-120000-abcdef@main#7.")
    material = open_run(run, settings)
    if material.trees is None:
        raise UsageError(f"{material.name} has no files, only the conversation.", "Name two runs without steps.")
    first = material.trajectory.run
    if step in ("0", "main#0") and first is not None:
        return Side(material, "main#0", first.base.tree)
    found = find_step(material.trajectory, step, material.name)
    return Side(material, found.id, found.tree)


def _files(left: Side, right: Side, stat: bool, json: bool, plain: bool) -> None:
    """Show which files differ, and how."""
    from aci.observation.untrusted_text import clean_text
    from aci.repository.patch import diff_sections
    from agent.console.pager import page_output

    diff = _diff_trees(left, right)
    rows = [_row(section) for section in diff_sections(diff)]
    if json:
        from json import dumps

        document: dict[str, Any] = {"left": left.name, "right": right.name, "files": rows}
        text = diff.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        typer.echo(dumps(document if stat else document | {"diff": text}))
        return
    with page_output(plain) as lines:
        for row in rows if stat else ():
            lines.line(f"{row['status']} {clean_text(row['path'])}  +{row['added']} -{row['removed']}")
        for line in () if stat else clean_text(diff).splitlines():
            lines.line(line, _style(line))
        if not rows:
            lines.line(f"The files of {left.name} and {right.name} are the same.")


def _diff_trees(left: Side, right: Side) -> str:
    """Return the diff of two trees, made by one git process that reads both object stores without changing them."""
    from trajectories.errors import RunBroken
    from trajectories.git_store.git_commands import create_store, decode, folders, git, git_environ
    from trajectories.git_store.object_reader import Reader
    from trajectories.git_store.trees import CheckedDifference, object_folder

    stores = []
    for side in (left, right):
        trees = side.material.trees
        if trees is None or not trees.has(side.tree):
            raise RunBroken(
                f"The files of {side.name} are missing.", "Copy the run's whole folder, including trees.git."
            )
        stores.append(trees.path / "objects")
    with temporary_folder() as name:
        create_store(Path(name))
        both = {"GIT_DIR": name, "GIT_ALTERNATE_OBJECT_DIRECTORIES": folders(*dict.fromkeys(stores))}
        env = git_environ(both)
        with object_folder(env) as (folder, copied), closing(Reader(env, stores[0].parent)) as reader:
            CheckedDifference(reader).copy(left.tree, right.tree, folder)
            return decode(git("diff-tree", *FLAGS, left.tree, right.tree, env=copied))


def _row(section: str) -> dict[str, Any]:
    """Return a JSON object for one file of a diff; lines of a binary file are not counted."""
    from trajectories.unified_diff import count_changed_lines, split_header

    lines = split_header(section)[0].split("\n")
    status = next((mark for line in lines[1:2] for word, mark in STATUS.items() if line.startswith(word)), "M")
    half = (len(lines[0]) - len("diff --git ")) // 2
    path = lines[0][len("diff --git ") :][:half].removeprefix('"').removeprefix("a/").removesuffix('"')
    added, removed = count_changed_lines(section)
    return {"path": path, "status": status, "added": added, "removed": removed}


def _style(line: str) -> str:
    return "green" if line.startswith("+") else "red" if line.startswith("-") else "cyan" if line[:2] == "@@" else ""


def _show_comparison(left: RunView, right: RunView, json: bool, plain: bool) -> None:
    from agent.console.run_display import Console, escape_markup
    from extensions.replay.comparison_view import comparison_json, comparison_lines
    from extensions.replay.run_comparison import compare_runs

    found = compare_runs(left.trajectory, right.trajectory)
    if json:
        from json import dumps

        typer.echo(dumps({"left": left.name, "right": right.name, **comparison_json(found)}))
        return
    console = Console(plain=plain, out=True)
    for line in comparison_lines(found, (left.name, right.name)):
        console.out.print(line, soft_wrap=True)
    if found.first is not None and found.first.what == "tree":
        there = " ".join(f"{side.name}@{found.first.id}" for side in (left, right))
        console.out.print(f"[dim]Their files: swe-agent diff {escape_markup(there)}[/]", soft_wrap=True)
