"""The first message of a turn, and that of a conversation: the issue, the facts that every run needs, and the
instruction files of the repository's root and nearest to likely places.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aci.graph.file_outline import find_definitions, numbered
from aci.instructions.instruction_frames import frame_for_places
from aci.issue_text.issue_discussion import append_discussion
from aci.issue_text.issue_snippets import SnippetTrace, find_snippets, trace_snippets
from aci.localization.issue_localization import HistoryBase, localize_issue
from aci.localization.place_ranking import SHOWN_CLASSES
from aci.observation.output_text import cut, cut_lines
from aci.observation.untrusted_text import quote_source, quote_text
from aci.repository.file_blobs import TreeBlobs
from aci.repository.python_source import Definition
from aci.repository.test_files import is_test
from aci.runtime.workspace import BackgroundTask
from agent.engine.run_memory import run_memory
from agent.prompts.quotation import framed_attachments, framed_issue
from agent.prompts.test_command_prompt import describe_tests, near_files, search_tree, tried_command
from agent.run_state.rewind import visible_steps

if TYPE_CHECKING:
    from aci.localization.place_ranking import RankedPlace, RankedPlaces
    from agent.engine.branch import Branch
    from agent.run_state.turn_state import TurnInput
    from trajectories.git_store.trees import Trees


NEAR_PLACES = 5
"""Maximum number of likely places whose instruction files are shown."""
ABOUT_NAMES = re.compile(
    r"\bAUTHORS\b|\bCONTRIBUTORS\b|\badd (?:yourself|your(?: own)? name)\b|\byour name\b|sign(?:ed)?[- ]off|\bCLA\b",
    re.IGNORECASE,
)
ABOUT_NUMBERS = re.compile(
    r"\b(?:issue|ticket|bug|pr|pull[- ]request|gh)[-_ ]*(?:number|num|id|no\.)|[<{\[](?:issue|ticket|pr|number|pull)\b"
    r"|#(?:\d{3,}|N+\b|X+\b)|\b\d{3,}\.\w*\.?(?:rst|md|txt)\b",
    re.IGNORECASE,
)


def repository_notes(branch: Branch, ranked: dict[str, Any]) -> str:
    """Return the instruction files of the base, which are data and not instructions for this run, and its skills.

    Lines about the contributor's name, and without a URL of the issue those about its number, cannot be followed and
    are left out.
    """
    has_number = bool(branch.turn.issue.url)

    def is_usable(text: str) -> bool:
        return not ABOUT_NAMES.search(text) and (has_number or not ABOUT_NUMBERS.search(text))

    hits = [hit["path"] for hit in (ranked["functions"] or ranked["files"])[:NEAR_PLACES]]
    return frame_for_places(branch.engine.base_instructions.files, hits, is_usable)


SHOWN_PLACES, SHOWN_REASONS, MAX_REASON_CHARACTERS = 5, 2, 70
SHOWN_SOURCES, MAX_SOURCE_LINES = 2, 80
NO_CODE = re.compile(
    r"(?i)(?:authors|changes|changelog|codeowners|code_of_conduct|contributors|copying|history|license|licence"
    r"|manifest|news|notice|readme|security)(?:\.(?:md|rst|txt|in))?"
)
"""Names of files at the top level that the layout leaves out, since they do not help to find code."""
LIMITED = "Read, change and test only {folder}/; the user wants the rest left unchanged."


PLACES = "localize"
"""The name of the recorded result of `places`."""


def places(branch: Branch, top: int = 10) -> dict[str, Any]:
    """Return the likeliest files, functions and classes with their reasons; the result is recorded."""
    recorded: dict[str, Any] = branch.once(PLACES, lambda: record_places(localize(branch, top)))
    return recorded


def localize(branch: Branch, top: int) -> RankedPlaces:
    """Return the likeliest files, functions and classes, as ranked without a model."""
    branch.engine.report("progress", branch.name, "finding the likely places")
    repository = branch.engine.repository
    before, traced = HistoryBase(repository.git_dir, branch.turn.base.commit), _trace_snippets(branch)
    search = BackgroundTask(
        lambda: localize_issue(
            TreeBlobs(branch.engine.trees, search_tree(branch.turn, branch.engine.trees)),
            branch.turn.issue,
            before,
            top,
            traced=traced,
        ),
        "places",
    )
    try:
        _ = branch.workspace  # opened in the meantime, since it is needed next and takes longer to open
    finally:
        search.wait()
    return search.answer().places


def record_places(ranked: RankedPlaces) -> dict[str, Any]:
    """Return places as `places` records them."""
    return {
        "files": [{"path": hit.path, "why": list(hit.why)} for hit in ranked.files],
        "functions": [_definition_record(hit) for hit in ranked.functions],
        "classes": [_definition_record(hit) for hit in ranked.classes[:SHOWN_CLASSES]],
    }


def _definition_record(hit: RankedPlace) -> dict[str, Any]:
    return {
        "path": hit.path,
        "name": hit.name,
        "line": hit.line,
        "end": hit.end,
        "signature": hit.signature,
        "why": list(hit.why),
    }


def _trace_snippets(branch: Branch) -> SnippetTrace | None:
    """Return the result of running the code snippets in the issue. That code is not trusted, so it runs only in
    isolation."""
    text = append_discussion(branch.turn.issue).text
    if branch.turn.settings.workspace == "local" or not find_snippets(text):
        return None
    traces = trace_snippets(branch.workspace, text)
    branch.workspace.restore(branch.tree)  # reverts changes that the code made to the files
    return traces


def likely_sources(branch: Branch) -> list[str]:
    """Return the likeliest files that are not tests; a failing test that covers one of them is considered related to
    the issue."""
    return [hit["path"] for hit in places(branch)["files"] if not is_test(hit["path"])]


def opening(branch: Branch, located: bool = True) -> str:
    """Return the issue in tags that identify it as data, then the facts about the repository; the likeliest places are
    included only if `located`."""
    return "\n\n".join([framed_issue(branch.turn.issue), describe_workspace(branch), facts(branch, located)])


def describe_workspace(branch: Branch) -> str:
    """Return the folders of the branch's workspace, and whether it has a network."""
    root, scratch = (
        branch.once("root", lambda: branch.workspace.root),
        branch.once("scratch", lambda: branch.workspace.scratch),
    )
    network = " There is no network." if branch.turn.settings.workspace != "local" else ""
    return f"The repository is in {root}, {_base(branch.turn, branch.tree)}. Put temporary files in {scratch}.{network}"


def facts(branch: Branch, located: bool = True) -> str:
    """Return the facts that are the same in all workspaces of a run."""
    ranked, memory = places(branch), run_memory()
    tried, near = tried_command(branch, ranked), near_files(branch, ranked)
    parts = [
        f"Layout: {_layout(branch.turn, branch.engine.trees)}",
        LIMITED.format(folder=quote_text(branch.turn.settings.subtree)) if branch.turn.settings.subtree else "",
        f"Tests: {describe_tests(branch, near, tried)}{_test_example(branch, near)}",
        repository_notes(branch, ranked),
        memory.notes(branch),
        _likeliest(branch, ranked) if located else "",
        memory.past_runs(branch, ranked),
    ]
    return "\n\n".join(filter(None, parts))


def _test_example(branch: Branch, near: list[str]) -> str:
    """Return the head of the nearest test file, which shows how the project writes its tests."""
    for path in near[:1]:
        if head := first_test_excerpt(_text(branch, path)):
            return f"\n{quote_source(head, file=path)}"
    return ""


def _likeliest(branch: Branch, ranked: dict[str, Any]) -> str:
    """Return the likeliest places and classes, and the source of the first places where it is short, each with the
    definitions that often change with it; a source that is shown need not be viewed."""
    hits = _hits(ranked)[:SHOWN_PLACES]
    parts = [f"Likeliest places (found without a model, not certain):\n{_list_hits(hits) or 'none'}"]
    if classes := ranked.get("classes"):  # records of earlier versions have none
        parts.append(f"Likeliest classes, if the fault is outside their methods:\n{_list_hits(classes)}")
    shown = {(hit["path"], hit["line"]): hit["end"] for hit in hits[:SHOWN_SOURCES] if hit.get("end")}
    room = MAX_SOURCE_LINES
    for (path, line), end in list(shown.items()):
        if end - line < room:
            parts.append(_source(branch, path, line, end))
            room -= end - line + 1
    for hit in hits[:SHOWN_SOURCES] if room > 0 else []:
        for one in find_siblings(hit["path"], _text(branch, hit["path"]), hit["name"]) if "name" in hit else []:
            if (hit["path"], one.line) not in shown and one.end - one.line < room:
                shown[hit["path"], one.line] = one.end
                parts.append(_source(branch, hit["path"], one.line, one.end, docstring=False))
                room -= one.end - one.line + 1
    return "\n".join(parts)


def _list_hits(hits: list[dict[str, Any]]) -> str:
    return quote_text("\n".join(f"- {_name(hit)}" for hit in hits))


def _hits(ranked: dict[str, Any]) -> list[dict[str, Any]]:
    hits: list[dict[str, Any]] = ranked["functions"] or ranked["files"]
    return hits


def _source(branch: Branch, path: str, first: int, last: int, docstring: bool = True) -> str:
    """Return the numbered lines of a function at the base."""
    lines = numbered(_text(branch, path).split("\n")[first - 1 : last], first)
    return quote_source(lines if docstring else without_docstring(lines), file=path, lines=f"{first}-{last}")


def _text(branch: Branch, path: str) -> str:
    """Return a file's text at the base."""
    entry = branch.engine.trees.files(branch.turn.base.tree).get(path)
    return branch.engine.trees.read_blob(entry.id).decode("utf-8", "replace") if entry else ""


def _base(turn: TurnInput, tree: str) -> str:
    """Return a phrase that describes the state of the files in `tree`. In a later turn, earlier turns and the user may
    have changed them."""
    if tree != turn.base.tree:
        return f"at {turn.base} with earlier changes"
    return "in its present state" if turn.is_later else f"at {turn.base}"


def name_places(ranked: dict[str, Any], most: int = 10) -> str:
    """Return one line for each likely function, or for each file if there are no functions, with its location."""
    return "\n".join(f"- {_name(hit)}" for hit in _hits(ranked)[:most]) or "none"


def describe_places(ranked: dict[str, Any]) -> str:
    """Return the lines of `name_places` with the strongest reasons for each place."""
    return "\n".join(f"- {_name(hit)}{_why(hit)}" for hit in _hits(ranked)) or "none"


def _name(hit: dict[str, Any]) -> str:
    return f"{hit['path']}:{hit['line']} {hit['name']}" if "name" in hit else str(hit["path"])


def _why(hit: dict[str, Any]) -> str:
    shown = [
        reason if len(reason) <= MAX_REASON_CHARACTERS else f"{reason[:MAX_REASON_CHARACTERS]}…"
        for reason in hit["why"]
    ]
    return f" ({'; '.join(shown[:SHOWN_REASONS])})" if shown else ""


def _layout(turn: TurnInput, trees: Trees) -> str:
    """Return the top-level entries of the repository or the subtree without dotfiles and NO_CODE, with each folder's
    file count."""
    top = f"{turn.settings.subtree}/" if turn.settings.subtree else ""
    below = [path.removeprefix(top) for path in trees.files(turn.base.tree) if path.startswith(top)]
    counts = Counter(path.partition("/")[0] + ("/" if "/" in path else "") for path in below)
    names = sorted(
        name for name in counts if name.isprintable() and not (name.startswith(".") or NO_CODE.fullmatch(name))
    )
    shown = [f"{name} ({counts[name]})" if name.endswith("/") else name for name in names]
    return (f"{quote_text(top)}: " if top else "") + ", ".join(shown[:30]) + (", …" if len(shown) > 30 else "")


MAX_SIBLINGS, MAX_SIBLING_LINES = 2, 15
MAX_IMPORTS, MAX_IMPORT_CHARACTERS = 6, 80
MAX_TEST_LINES = 7
OPERATOR = re.compile(
    r"__(?:[ri](?=(?:add|sub|mul|matmul|truediv|floordiv|mod|divmod|pow|[lr]shift|and|x?or)__))?(\w+)__"
)
DOCSTRING = re.compile(r"(?s)\A(.*?:[ \t]*\n)[ \t]*[rR]?(\"\"\"|''').*?\2[ \t]*(?=\n)")
IMPORT = re.compile(
    r"(?m)^(?:from|import|package|use|using|require|#include|(?:const|let|var)\b[^\n=]*=\s*require)\b"
    r"[^\n({]*(?:[({][^)}]*[)}])?[^\n]*"
)
FIRST_TEST = re.compile(
    r"(?m)^[ \t]*(?:(?:async )?def test|(?:test|it|describe)[ (]|func Test|#\[test\]|@Test\b|public function test)"
)


def find_siblings(path: str, text: str, name: str) -> list[Definition]:
    """Return the short definitions of a file that often change with the function `name`: the operator's other forms in
    its class (`__radd__` for `__add__`), and functions of the same name, such as the inherited one.
    """
    holder, _, bare = name.rpartition(".")

    def is_sibling(other: Definition) -> bool:
        other_holder, _, other_bare = other.name.rpartition(".")
        if other.kind == "class" or other.name == name or other.end - other.line >= MAX_SIBLING_LINES:
            return False
        forms = OPERATOR.fullmatch(bare), OPERATOR.fullmatch(other_bare)
        is_form = other_holder == holder and forms[0] and forms[1] and forms[0][1] == forms[1][1]
        return bool(is_form) or (other_bare == bare and bare not in ("__init__", "constructor"))

    return [definition for definition in find_definitions(path, text) if is_sibling(definition)][:MAX_SIBLINGS]


def without_docstring(excerpt: str) -> str:
    """Return a numbered excerpt of Python without the definition's docstring."""
    numbers = [line.partition("\t") for line in excerpt.split("\n")]
    code = "\n".join(line for _, _, line in numbers)
    if not (docstring := DOCSTRING.match(code)):
        return excerpt
    first, last = docstring[1].count("\n"), code[: docstring.end()].count("\n")
    return "\n".join("".join(parts) for parts in (*numbers[:first], *numbers[last + 1 :]))


def first_test_excerpt(text: str) -> str:
    """Return a test file's imports and the first lines of its first test; "" if it has no test."""
    first_test = FIRST_TEST.search(text)
    if not first_test:
        return ""
    imports = [
        cut(" ".join(each[0].split()), MAX_IMPORT_CHARACTERS) for each in IMPORT.finditer(text, 0, first_test.start())
    ]
    lines = text[first_test.start() :].lstrip("\n").split("\n")[:MAX_TEST_LINES]
    return "\n".join([*imports[:MAX_IMPORTS], "…", *_until_blank(lines), "…"])


def _until_blank(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.strip():
            return
        yield cut_lines(line)


PLAN = "plan"
MODES = (PLAN, "build")
REQUEST_AUTHORS = ("task", "compact")
"""Authors of the steps that pass the request to the model."""


def turn_prompt(branch: Branch, after_plan: str = "") -> str:
    """Return the user's message, or the full initial message if the conversation has none yet.

    `after_plan` is added in the first turn after plan mode.
    """
    if not any(step.author in REQUEST_AUTHORS for step in visible_steps(branch.steps)):
        words: str = branch.once("opening", lambda: opening(branch))
        return words
    turns = branch.engine.trajectory.turns
    before = next((turn.strategy for turn in reversed(turns[:-1]) if turn.strategy in MODES), "")
    parts = [
        branch.turn.request,
        framed_attachments(branch.turn.issue),
        after_plan if before == PLAN else "",
        run_memory().new_notes(branch),
    ]
    return "\n\n".join(filter(None, parts))
