"""Relevance of a patch: whether what it changes and its tests run concerns what the issue is about.

Otherwise an unrelated helper with its own test, or a fix of one of two copies of a function, would pass for a solution.
Names are compared, so that only clear cases are found.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from aci.graph.module_paths import SCRIPTS
from aci.issue_text.issue_mentions import INLINE, STOP_WORDS, find_mentions, is_identifier_like, split_identifier
from aci.proof.evidence import prose
from aci.proof.proof_run import DEFINED, MOST_SOURCES, ProofRun, base_sources, format_names
from aci.repository.python_source import parse
from extensions.experiment.change_contact import NOTHING, ChangedCode, Contact
from extensions.experiment.changed_functions import AGAIN, Function, functions_of, used_names

VENDORED = {
    *("vendor", "_vendor", "vendored", "_vendored", "third_party", "thirdparty", "extern", "node_modules"),
    *("build", "dist"),
}
DEFINITION = re.compile(r"\b(?:def|class)\s+\w+")
IMPORTS = re.compile(r"^(?:from|import)[ \t](?:[^(\n]*\([^)]*\)|.*)", re.MULTILINE)
MOST_PARSED = 60
"""Maximum number of files that are parsed to follow calls."""
HOPS = 4
DOCUMENT = re.compile(
    r"(?i)(?:.*/)?(?:readme|change(?:s|log)|history|news|authors|contributing)[^/]*|docs?/.*\.(?:md|rst|adoc|txt)"
)
LIKE_C = (*SCRIPTS, ".go", ".java", ".kt", ".rs", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".swift", ".scala")
PARTS_LIKE_C = re.compile(
    r"\s+|//(?!go:)[^\n]*|/\*.*?\*/|(?P<string>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)", re.DOTALL
)
MOST_OWN = 2
"""Maximum number of times that a name which nothing uses occurs in the sources of base and patch."""
LEAST_NODES = 8
"""Minimum size of a function, in nodes of its syntax tree, for an equal one to count as its copy."""
FEATURE = re.compile(
    r"(?i)\b(?:adds?|support|provide|introduce|implement|feature|offer|options?|allow|would (?:like|be nice)"
    r"|there is no|there should be|no way to|need (?:a|an|to)|needs (?:a|an|to)|want|wish|expose|proposal)\b"
)
"""Words of an issue that asks for something new, which it need not name exactly."""
DISCOVERY = re.compile(r"__subclasses__|__init_subclass__|metaclass|entry_points|iter_modules|import_module|getmembers")
"""Code that finds classes and modules without their names."""
COMMON = 5
"""A name with at least this number of definitions says little about what the issue is about."""


def find_missing_change(trial: ProofRun) -> str:
    """Return why the patch cannot solve the issue, whatever its tests show, as a sentence; "" if it may."""
    source = trial.parts.source
    if all(_changes_no_code(trial, path) for path in source):
        return NOTHING
    if all(_is_vendored(path) and not _names_file(trial.issue.text, path) for path in source):
        return f"The patch changes vendored or generated copies only: {format_names(source)}."
    return ""


def find_missing_names(trial: ProofRun, names: Collection[str]) -> str:
    """Return why tests that fail only because these names are missing do not concern the issue, as a sentence.

    Returns "" if they may: the issue names one of them, or nothing that the base defines; or it asks for something new,
    and a class that it names gets them, or the source uses them.
    """
    wanted = {name.rpartition(".")[2] for name in names}
    if not wanted or wanted & set(re.findall(r"\w+", trial.issue.text)):
        return ""
    mentioned = Sources(trial).defined(_code_names(trial))
    if not mentioned or (FEATURE.search(prose(trial.issue.text)) and _may_be_wanted(trial, wanted, mentioned.keys())):
        return ""
    missing, about = format_names(sorted(wanted)), format_names(sorted(mentioned))
    return f"Without the patch the tests fail only because {missing} is missing; the issue's {about} answers as before."


def _may_be_wanted(trial: ProofRun, names: set[str], mentioned: Collection[str]) -> bool:
    """Whether the patch adds one of the names to a class that is mentioned, or uses one of them."""
    paths = [path for path in trial.parts.source if path.endswith(".py")]
    added = [name.split(".") for path in paths for name in _function_names(trial, path)]
    if any(parts[-1] in names and not set(parts).isdisjoint(mentioned) for parts in added):
        return True
    text = "\n".join(trial.text(trial.proved, path) for path in paths)
    return not names.isdisjoint(re.findall(r"\w+", DEFINITION.sub("", text)))


def _function_names(trial: ProofRun, path: str) -> Iterable[str]:
    tree = parse(trial.text(trial.proved, path))
    return functions_of(tree) if tree else ()


def is_document(path: str) -> bool:
    """Whether a file is documentation for readers, which no program reads."""
    return bool(DOCUMENT.fullmatch(path)) and not path.endswith(".py")


def _changes_no_code(trial: ProofRun, path: str) -> bool:
    """Whether a change concerns documentation, or comments in a language like C."""
    if is_document(path):
        return True
    before, after = trial.text(trial.base, path), trial.text(trial.proved, path)
    return path.endswith(LIKE_C) and bool(before) and _without_comments(before) == _without_comments(after)


def _without_comments(text: str) -> str:
    """Return the text without comments like those of C, and without white space; strings stay."""
    return PARTS_LIKE_C.sub(lambda part: part["string"] or "", text)


def find_irrelevance(trial: ProofRun, changed: ChangedCode, contact: Contact) -> str:
    """Return why the changed code that the reproducing tests run is not what the issue is about, as a sentence; ""
    if it is, or may be."""
    ran = [path for path, lines in changed.lines.items() if contact.lines.get(path, frozenset()) & lines]
    if contact.elsewhere:
        return ""
    text = trial.issue.text
    if not ran:
        return _irrelevant_names(trial, changed)
    if all(_is_vendored(path) and not _names_file(text, path) for path in ran):
        return f"The tests show a fix of a vendored copy only: {format_names(ran)}."
    sources = Sources(trial)
    functions = _ran_functions(trial, changed, contact)
    if twin := sources.find_unchanged_copy(functions, trial):
        return f"{twin}, which the patch does not change."
    mentioned = sources.defined(_code_names(trial))
    names = {name.rpartition(".")[2].rstrip(AGAIN) for _, name in functions}
    functions += list(_decorated_functions(trial, changed, names))
    executed = {name for _, name in contact.functions} | {part for _, name in functions for part in name.split(".")}
    is_asked = FEATURE.search(prose(text)) and _shares_words(functions, text)
    if not is_asked and (unused := _unused_functions(trial, sources, changed, functions)):
        return f"The tests show only new code that nothing uses and the issue does not name: {format_names(unused)}."
    if not functions or executed & mentioned.keys() or _shares_words(functions, text):
        return ""
    if mentioned and not sources.reaches(mentioned, names) and not sources.are_used(mentioned, ran):
        tested = format_names(sorted(names))
        return f"The tests show a change of {tested}, but the issue is about {format_names(sorted(mentioned))}."
    if not mentioned and all(one in changed.added for one in functions):
        return f"The tests run only new code that the issue does not name: {format_names(sorted(names))}."
    return ""


def _ran_functions(trial: ProofRun, changed: ChangedCode, contact: Contact) -> list[tuple[str, str]]:
    """Return the path and dotted name of each changed or new function of which a changed line ran."""
    found = []
    for path, lines in changed.lines.items():
        ran = lines & contact.lines.get(path, frozenset())
        tree = parse(trial.text(trial.proved, path)) if ran else None
        for name, node in (functions_of(tree) if tree else {}).items():
            if any(node.lineno <= line <= (node.end_lineno or node.lineno) for line in ran):
                found.append((path, name))
    return found


def _irrelevant_names(trial: ProofRun, changed: ChangedCode) -> str:
    """Return why a change outside of functions does not concern the functions that the issue names; "" if it may."""
    if changed.others or any(changed.lines.values()):
        return ""
    names = {name for path in changed.outside for name in _changed_names(trial, path)}
    sources = Sources(trial)
    mentioned = sources.defined(_code_names(trial))
    words = re.findall(
        r"\w+", "\n".join([*sources.texts(), *(trial.text(trial.proved, path) for path in changed.outside)])
    )
    own = Counter(words)
    if not names or "__all__" in names or any(own[name] > MOST_OWN for name in names):
        return ""
    if names & set(re.findall(r"\w+", trial.issue.text)):
        return ""
    if not names & set(re.findall(r"\w+", "\n".join(sources.texts()))) and all(own[name] == 1 for name in names):
        return f"The patch adds only {format_names(sorted(names))}, which nothing uses and the issue does not name."
    if not mentioned:
        return ""
    if sources.reaches(mentioned, names):
        return ""
    about = format_names(sorted(mentioned))
    return f"The patch changes {format_names(sorted(names))}, but the issue is about {about}, which does not use it."


def _changed_names(trial: ProofRun, path: str) -> Iterator[str]:
    """Yield the names that changed statements of a module, outside of functions and classes, assign."""
    old, new = (parse(trial.text(tree, path)) for tree in (trial.base, trial.proved))
    known = {ast.dump(node) for node in old.body} if old else set()
    for node in new.body if new else ():
        if ast.dump(node) not in known and isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name))


def _unused_functions(
    trial: ProofRun, sources: Sources, changed: ChangedCode, functions: Sequence[tuple[str, str]]
) -> list[str]:
    """Return the names of the functions, or of the new classes with them, if all are new, no other source uses one, and
    the issue names none.

    Functions that Python calls, those of which the base has others of the same name, and those that may be registered
    or discovered may be used unseen.
    """
    if not functions or any(one not in changed.added for one in functions):
        return []
    names = set[str]()
    for path, dotted in functions:
        owner, name = dotted.split(".")[0], dotted.rpartition(".")[2].rstrip(AGAIN)
        is_new_class = owner != name and not sources.has(owner)
        if _may_be_registered(trial, sources, path, dotted):
            return []
        if not is_new_class and (name.startswith("__") or sources.has(name)):
            return []
        names.add(owner if is_new_class else name)
    paths = [path for path in trial.parts.source if path.endswith(".py")]
    text = "\n".join([trial.issue.text, *sources.texts(), *(trial.text(trial.proved, path) for path in paths)])
    return sorted(names) if names.isdisjoint(re.findall(r"\w+", DEFINITION.sub("", text))) else []


def _may_be_registered(trial: ProofRun, sources: Sources, path: str, name: str) -> bool:
    """Whether a function has a decorator, or is a method of a class that has one or that its bases may know."""
    tree = parse(trial.text(trial.proved, path))
    node = functions_of(tree).get(name) if tree else None
    if tree is None or node is None or node.decorator_list:
        return True
    classes = [one for one in ast.walk(tree) if isinstance(one, ast.ClassDef) and one.name in name.split(".")[:-1]]
    bases = [base for one in classes for base in one.bases]
    is_known = all(isinstance(base, ast.Name) and (base.id == "object" or sources.has(base.id)) for base in bases)
    if any(one.decorator_list or one.keywords for one in classes) or not is_known:
        return True
    return bool(classes) and any(DISCOVERY.search(text) for text in sources.texts())


def _decorated_functions(trial: ProofRun, changed: ChangedCode, names: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the path and dotted name of each function in the changed files with a decorator of one of these names."""
    for path in changed.lines:
        tree = parse(trial.text(trial.proved, path))
        for name, node in (functions_of(tree) if tree else {}).items():
            if any(used in names for one in node.decorator_list for used in used_names(one)):
                yield path, name


def _is_vendored(path: str) -> bool:
    return bool(VENDORED.intersection(PurePosixPath(path).parts))


def _names_file(text: str, path: str) -> bool:
    """Whether a text names a file: its path, its module, its own name, or its folder of vendored code."""
    names = {path, path.removesuffix(".py").replace("/", "."), PurePosixPath(path).name}
    names |= VENDORED.intersection(PurePosixPath(path).parts)
    return any(name in text for name in names)


def _code_names(trial: ProofRun) -> set[str]:
    """Return the words of the issue that are written as names of code."""
    mentions = find_mentions(trial.issue)
    dotted = {part for name in mentions.dotted for part in name.split(".")}
    return {
        word
        for word, places in mentions.names.items()
        if word in mentions.called or INLINE in places or word in dotted or is_identifier_like(word)
    }


def _shares_words(functions: Iterable[tuple[str, str]], text: str) -> bool:
    """Whether a word of the functions' or the files' names is in the text."""
    words = {_stem(word.lower()) for word in re.findall(r"[^\W\d_]+", text)}
    names = [part for path, name in functions for part in (*name.split("."), PurePosixPath(path).stem)]
    terms = {_stem(term) for name in names for term in split_identifier(name) if len(term) > 2}
    return bool(terms & words - STOP_WORDS)


def _stem(word: str) -> str:
    return re.sub(r"(?:ing|ed|es|s)$", "", word) if len(word) > 4 else word


class Sources:
    """The Python source files of the base, without tests."""

    def __init__(self, trial: ProofRun) -> None:
        self._texts = base_sources(trial)
        self._is_cut = len(self._texts) >= MOST_SOURCES
        self._parsed: dict[str, Mapping[str, Function]] = {}
        self._paths: dict[str, list[str]] = {}
        for path, text in self._texts.items():
            for name in set(DEFINED.findall(text)):
                self._paths.setdefault(name, []).append(path)

    def texts(self) -> Iterable[str]:
        return self._texts.values()

    def are_used(self, names: Iterable[str], paths: Iterable[str]) -> bool:
        """Whether code in one of these files uses one of the names, such as an exception that it raises."""
        texts = [DEFINED.sub("", self._texts.get(path, "")) for path in paths]
        used = {word for text in texts for word in re.findall(r"\w+", IMPORTS.sub("", text))}
        return not used.isdisjoint(names)

    def has(self, name: str) -> bool:
        """Whether a function or class has this name."""
        return name in self._paths

    def defined(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Return the paths that define each name as a function or class; without names that are common."""
        return {name: paths for name in names if 0 < len(paths := self._paths.get(name, [])) < COMMON}

    def functions(self, path: str) -> Mapping[str, Function]:
        if path not in self._parsed:
            self._is_cut = self._is_cut or len(self._parsed) >= MOST_PARSED
            tree = parse(self._texts.get(path, "")) if len(self._parsed) < MOST_PARSED else None
            self._parsed[path] = functions_of(tree) if tree else {}
        return self._parsed[path]

    def find_unchanged_copy(self, functions: Sequence[tuple[str, str]], trial: ProofRun) -> str:
        """Return the beginning of a sentence on a copy of a changed function in a file that the patch does not change.

        A copy does not count if the issue names the changed file."""
        for path, name in functions:
            node = self.functions(path).get(name)
            if node is None or "__" in name or _names_file(trial.issue.text, path):
                continue
            last = name.rpartition(".")[2].rstrip(AGAIN)
            for other in self.defined([last]).get(last, []):
                is_edited = other in trial.parts.source or _is_vendored(other)
                twin = None if is_edited else self.functions(other).get(name)
                if twin is not None and ast.dump(twin) == ast.dump(node) and len(list(ast.walk(node))) >= LEAST_NODES:
                    return f"{name} in {path} has a copy in {other}"
        return ""

    def reaches(self, mentioned: Mapping[str, Sequence[str]], wanted: set[str]) -> bool:
        """Whether a mentioned function or class may call one of the `wanted` functions, or the other way round."""
        found = self._spread(mentioned, wanted) or self._spread(self.defined(wanted), set(mentioned))
        return found or self._is_cut

    def _spread(self, starts: Mapping[str, Sequence[str]], wanted: set[str]) -> bool:
        seen, names = set[str](), set(starts)
        for _ in range(HOPS):
            seen |= names
            names = {used for name in sorted(names) for used in self._used(name)} - seen
            if names & wanted:
                return True
        return False

    def _used(self, name: str) -> Iterator[str]:
        """Yield the names that the functions, or the methods of the classes, with this name use."""
        paths = self._paths.get(name, [])
        self._is_cut = self._is_cut or len(paths) >= COMMON
        for path in paths if len(paths) < COMMON else ():
            for dotted, node in self.functions(path).items():
                if name in dotted.split("."):
                    yield from used_names(node)
