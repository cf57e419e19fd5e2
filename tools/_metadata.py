"""The metadata of a tool: what the rest of the program may assume about its calls and results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from aci.observation.output_text import Kind
from aci.observation.text_source import UNKNOWN_SOURCE, TextSource

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace

ResultKind = Literal["file", "command", "diff", "tests", "other"]
Need = Literal["", "user", "helpers", "senior", "browser", "conversation"]
WhenLimited = Literal["revert", "check_path", "refuse"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that may need the user's consent. `arguments` are checked and complete.

    `subtree` is the folder to which the session is limited; `find_test_command` returns the command that runs the given
    tests, or "" if none is known.
    """

    arguments: dict[str, Any]
    workspace: Workspace
    subtree: str
    find_test_command: Callable[[Sequence[str]], str]


@dataclass(frozen=True, slots=True)
class ConsentQuestion:
    """A question to the user before a call runs in a local workspace, which is not isolated, or outside any workspace.

    `subject` is the command line that permission rules apply to, and `folder` its working directory ("" for the
    repository's root). `detail` is shown below it. `why` is the reason why no rule may allow the call, so that the user
    can only allow it once.

    For a tool outside the workspace, `subject` is its name, `pin` a hash of its description and arguments, with which a
    rule that allows it is stored, and `is_allowed` says that the user's config allows it as it is.
    """

    title: str
    subject: str
    detail: str = ""
    why: str = ""
    folder: str = ""
    pin: str = ""
    is_allowed: bool = False


Consent = Callable[[ToolCall], "ConsentQuestion | None"]
"""Function that returns the question about a call, or None if the call needs no consent."""


def not_needed(call: ToolCall) -> None:
    """The consent of a tool that only reads, or that changes only files of the repository."""


@dataclass(frozen=True, slots=True)
class ToolMetadata:
    """What the rest of the program may assume about a tool. The defaults are safe for a tool about which nothing is
    known.

    `writes`: whether it may change files; a snapshot is then taken after it.
    `kind`: the size limit of its output (see `aci.observation.output_text.CAPS`).
    `asked_for`: it is not offered to models; only strategies call it.
    `needs`: it is offered only where a user can be asked, where helpers are available, where there is a browser, or in
        a conversation with a user.
    `runs`: the argument that holds commands or a program, if it runs any; searched for copied fixes.
    `reads`: the arguments that name the files that it reads; searched for copied fixes.
    `result`: what its result is, which determines how the result folds in a long conversation:
        file: the text of the file in the argument `path`. It folds later, and not while an edit is based on it. The
            instruction files (AGENTS.md) of its folder are added to it once.
        command: the output of the command in `runs`. It folds like a file if the command shows a file.
        diff: the edit of `path` from the argument `old` to `new`. It does not fold if it succeeded.
        tests: the result of a test run. It does not fold if it is the latest failing one.
        other: anything else. It folds when it is old.
    `text`: whose text it returns; anything but the harness's own text is searched for prompt injection.
    `consent`: what the user is asked before a call in a local workspace; None: about the whole call. A tool of another
        package is always asked about as a whole, in any workspace.
    `when_limited`: what happens to a call in plan mode, or if only one folder may be changed:
        revert: it runs, and its changes to other files are reverted.
        check_path: it is refused if the file in its argument `path` may not be changed.
        refuse: it is refused if nothing may be changed, because it would be useless.
    """

    writes: bool = True
    kind: Kind = "other"
    asked_for: bool = False
    needs: Need = ""
    runs: str = ""
    reads: tuple[str, ...] = ()
    result: ResultKind = "other"
    text: TextSource = UNKNOWN_SOURCE
    consent: Consent | None = None
    when_limited: WhenLimited = "revert"

    @property
    def is_special(self) -> bool:
        """Whether the tool is not among those that every run offers to its model."""
        return self.asked_for or self.needs != ""

    @property
    def searched(self) -> tuple[str, ...]:
        """The arguments that are searched for copied fixes."""
        return (self.runs, *self.reads) if self.runs else self.reads

    @property
    def only_looks(self) -> bool:
        """Whether a call only shows a part of the repository, which a summary of past work may omit."""
        return not self.writes and self.text.owner == "repository"
