"""Show the files that differ between two steps, of one run or two; of two runs, where they part."""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import dataclass
from os.path import lexists  # not Path's, which raises for what is too long
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.options import Json, Plain

if TYPE_CHECKING:
    from agent.settings import Settings
    from trajectories.material import Material

FLAGS = (
    *("-r", "-p", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color"),
    *("--src-prefix=a/", "--dst-prefix=b/"),
)
STATUS = {"new file": "A", "deleted file": "D"}


def command(
    left: Annotated[str, typer.Argument(help="Run and step as `show` names them, or a run.", metavar="RUN[@STEP]")],
    right: Annotated[str, typer.Argument(help="Likewise; with steps here and there.", metavar="RUN[@STEP]")],
    stat: Annotated[bool, typer.Option("--stat", help="Only the files, with the lines added and removed.")] = False,
    json: Json = False,
    plain: Plain = False,
) -> int:
    """Show the files that differ between two steps, of one run or two; of two runs, where they part.

    STEP is main#7, or 7 for that; 0 is the run's base. Of two runs without steps the steps are compared in pairs, as
    `replay` does it: trees, success and exit codes exactly, text without what no two runs share.

    Exit codes: 0 shown, also where something differs; 2 usage, 5 workspace (a damaged run).
    """
    from agent.settings import load_settings
    from trajectories.errors import UsageError

    settings = load_settings()
    sides = [_side(name, settings) for name in (left, right)]
    if bool(sides[0].step) != bool(sides[1].step):
        raise UsageError("One side names a step and the other a run.", "Write RUN@A RUN@B, or RUN1 RUN2.")
    if sides[0].step:
        _files(sides[0], sides[1], stat, json, plain)
    else:
        _parting(sides[0].material, sides[1].material, json, plain)
    return 0


@dataclass(frozen=True, slots=True)
class Side:
    """A run, or a step of it by its whole name, with the tree that it left."""

    material: Material
    step: str = ""
    tree: str = ""

    @property
    def name(self) -> str:
        return f"{self.material.name}@{self.step}"


def _side(name: str, settings: Settings) -> Side:
    """What a user names. Raises UsageError."""
    from agent.forking import step_of
    from agent.material import opened
    from trajectories.errors import UsageError

    run, at, step = name.rpartition("@")
    if not at or lexists(name):
        return Side(opened(name, settings))
    if not run or not step:
        raise UsageError(f"{name!r} names no step of a run.", "Write RUN@STEP, as in 20260101-120000-abcdef@main#7.")
    material = opened(run, settings)
    if material.trees is None:
        raise UsageError(f"{material.name} holds no files, only what was said and seen.", "Name two runs, no steps.")
    first = material.trajectory.run
    if step in ("0", "main#0") and first is not None:
        return Side(material, "main#0", first.base.tree)
    found = step_of(material.trajectory, step, material.name)
    return Side(material, found.id, found.tree)


def _files(left: Side, right: Side, stat: bool, json: bool, plain: bool) -> None:
    """Which files differ, and how."""
    from aci.patch import sections
    from aci.view import clean
    from agent.paging import paged

    diff = _between(left, right)
    rows = [_row(section) for section in sections(diff)]
    if json:
        from json import dumps

        told: dict[str, Any] = {"left": left.name, "right": right.name, "files": rows}
        text = diff.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        typer.echo(dumps(told if stat else told | {"diff": text}))
        return
    with paged(plain) as lines:
        for row in rows if stat else ():
            lines.line(f"{row['status']} {clean(row['path'])}  +{row['added']} -{row['removed']}")
        for line in () if stat else clean(diff).splitlines():
            lines.line(line, _style(line))
        if not rows:
            lines.line(f"The files of {left.name} and {right.name} are the same.")


def _between(left: Side, right: Side) -> str:
    """The diff of two trees, one git process over both stores, which stay as they are."""
    from trajectories.checked_difference import CheckedDifference, only_objects
    from trajectories.errors import RunBroken
    from trajectories.objects import Reader
    from trajectories.plumbing import OWN, create_store, decode, environment, folders, git

    stores = []
    for side in (left, right):
        trees = side.material.trees
        if trees is None or not trees.has(side.tree):
            raise RunBroken(
                f"The files of {side.name} are not there.", "Copy the whole folder of the run, trees.git too."
            )
        stores.append(trees.path / "objects")
    with tempfile.TemporaryDirectory(prefix="swe-agent-") as name:
        create_store(Path(name))
        both = {"GIT_DIR": name, "GIT_ALTERNATE_OBJECT_DIRECTORIES": folders(*dict.fromkeys(stores))}
        env = environment({**OWN, **both})
        with only_objects(env) as (folder, copied), closing(Reader(env, stores[0].parent)) as reader:
            CheckedDifference(reader).copy(left.tree, right.tree, folder)
            return decode(git("diff-tree", *FLAGS, left.tree, right.tree, env=copied))


def _row(section: str) -> dict[str, Any]:
    """A file of a diff; of a binary one no lines are counted."""
    head, _, hunks = section.partition("\n@@ ")
    lines = head.split("\n")
    status = next((mark for line in lines[1:2] for word, mark in STATUS.items() if line.startswith(word)), "M")
    half = (len(lines[0]) - len("diff --git ")) // 2
    path = lines[0][len("diff --git ") :][:half].removeprefix('"').removeprefix("a/").removesuffix('"')
    added, removed = (sum(line.startswith(mark) for line in hunks.split("\n")[1:]) for mark in "+-")
    return {"path": path, "status": status, "added": added, "removed": removed}


def _style(line: str) -> str:
    return "green" if line.startswith("+") else "red" if line.startswith("-") else "cyan" if line[:2] == "@@" else ""


def _parting(left: Material, right: Material, json: bool, plain: bool) -> None:
    from agent.console import Console, told
    from agent.parted import as_json, in_words
    from trajectories.parting import parting

    found = parting(left.trajectory, right.trajectory)
    if json:
        from json import dumps

        typer.echo(dumps({"left": left.name, "right": right.name, **as_json(found)}))
        return
    console = Console(plain=plain, out=True)
    for line in in_words(found, (left.name, right.name)):
        console.out.print(line, soft_wrap=True)
    if found.first is not None and found.first.what == "tree":
        there = " ".join(f"{side.name}@{found.first.id}" for side in (left, right))
        console.out.print(f"[dim]Their files: swe-agent diff {told(there)}[/]", soft_wrap=True)
