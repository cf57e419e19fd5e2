"""Commands that no rule may allow: shell builtins, and programs that run other programs or write files."""

from __future__ import annotations

import re
from collections.abc import Mapping

Words = tuple[str, ...]
"""The words of a simple command; its variable assignments come first."""


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


ASSIGNED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=[\s\S]*")
SHELLS = word_set("bash sh dash ash ksh mksh zsh fish csh tcsh rbash")
INTERPRETERS = word_set("python pypy perl ruby node nodejs deno bun php lua luajit Rscript tclsh guile")

PLAIN_BUILTINS = word_set("true false : pwd echo printf test")
"""Builtins that only print text or test conditions; `printf` and `test` are limited to the operands that
`reason_to_ask` accepts."""

BUILTINS = PLAIN_BUILTINS | word_set(
    ". [ alias bg bind break builtin caller cd chdir command compgen complete compopt continue declare dirs disown "
    "enable eval exec exit export fc fg getopts hash help history jobs kill let local logout mapfile popd pushd read "
    "readarray readonly return set shift shopt source suspend times trap type typeset ulimit umask unalias unset wait"
)
"""All builtins of bash and dash."""

RESERVED = word_set("if then elif else fi for while until do done case esac in { } ! [[ ]] select function coproc time")

RUNNING_PROGRAMS = word_set(
    "sudo doas su pkexec runuser chroot nsenter unshare watch parallel entr script ssh at batch crontab systemd-run "
    "screen tmux busybox toybox strace ltrace gdb flock setpriv start-stop-daemon awk gawk mawk nawk env xargs nohup "
    "nice setsid stdbuf ionice taskset chrt timeout time command builtin eval exec bwrap firejail unbuffer expect ed "
    "ex vi vim xvfb-run dbus-run-session faketime rlwrap setarch linux64 prlimit numactl catchsegv valgrind"
)
"""Programs that run the commands they are given, in too many ways to be analysed here."""

RUNNING_OPTIONS: Mapping[str, re.Pattern[str]] = {
    "rg": re.compile(r"--(pre|hostname-bin)(=.*)?"),
    "sort": re.compile(r"-(?!-).*o.*|--(co|o).*"),
    "tar": re.compile(r"-?[a-zA-Z]*[IF].*|--(us|ch|to-c|rs|rm|in|new-).*|.*:.*"),
    "go": re.compile(r"--?(exec|toolexec|vettool)(=.*)?"),
    "find": re.compile(r"-(delete|exec.*|ok.*|fprint.*|fls)"),
    "fd": re.compile(r"-(?!-).*[xX].*|--ex.*"),
    "fdfind": re.compile(r"-(?!-).*[xX].*|--ex.*"),  # fd's name in Debian
}
"""Arguments that make a program that otherwise only reads or builds run another program or, for `sort` and `find`,
write files.

`tar` and `go` have further arguments that write or delete files. All words are compared, even those after a `--`, since
the `--` may be the value of an option.
"""

GIT_READS = word_set(
    "status log show diff blame annotate grep ls-files ls-tree rev-parse rev-list describe shortlog cat-file "
    "merge-base show-ref for-each-ref name-rev diff-tree diff-index diff-files count-objects check-ignore check-attr"
)
"""Subcommands of git that only read. All other subcommands write, fetch, or run hooks, filters or the commands given to
them."""
_GIT_LISTS = {
    "branch": word_set("-a -r -v -vv -av -avv --list --all --show-current --no-color"),
    "remote": word_set("-v --verbose"),
    "tag": word_set("-l --list"),
}
"""Subcommands that only read if all their arguments are among these."""
_GIT_RUNNING = re.compile(r"--ex(?!cl|it).*|--o(?!n|th|r|urs|b).*|--(he|fil|te).*|--(fi|o|t)")
"""Options of git's subcommands that write files or run programs, including the abbreviations that git accepts."""
_GIT_PAGER = re.compile(r"-(?!-)[^efmABC]*O.*")
"""The pager option `-O` of `git grep`, possibly combined with other short options that take no value."""

_TIME = re.compile(r"[0-9]+(\.[0-9]+)?[smhd]?")
_PRINT_SCRIPT = re.compile(r"([0-9]+|\$)(,([0-9]+|\$))?p")
_FORMAT = re.compile(r"(?!-)(?:[^%\\]|%[sd%]|\\[nt])*")
_TESTS = re.compile(r"-[defhLnrswxz]")
_VERSION = re.compile(r"[0-9.]+$")
"""The version at the end of an interpreter's name."""


def without_limit(words: Words) -> Words:
    """Return the command that a plain `timeout SECONDS COMMAND` runs; other commands unchanged."""
    limited = words[:1] == ("timeout",) and len(words) > 2 and _TIME.fullmatch(words[1])
    rest = words[2:]
    return rest if limited and rest[0] not in BUILTINS | {"timeout"} and not rest[0].startswith("-") else words


def is_git(words: Words) -> bool:
    """Return whether a simple command runs git."""
    program = next((word for word in words if not ASSIGNED.fullmatch(word)), "")
    return _base(program) == "git"


def base_name(word: str) -> str:
    """Return a program's name without its folder and, for an interpreter, without its version."""
    name = _base(word)
    return bare if (bare := _VERSION.sub("", name)) in INTERPRETERS | SHELLS else name


def reason_to_ask(words: Words) -> str:
    """Return the reason why no rule may allow this simple command, given without its variable assignments; "" if a rule
    may allow it."""
    if (inner := without_limit(words)) != words:
        return "`timeout` runs the command that it is given" if ASSIGNED.fullmatch(inner[0]) else reason_to_ask(inner)
    name, rest = base_name(words[0]), words[1:]
    if name in BUILTINS:
        return "" if _is_plain_builtin(name, rest) else f"`{name}` is a builtin that rules cannot allow"
    if name == "git":
        return _git(rest)
    if name == "sed":
        return "" if _only_prints(rest) else "`sed` can write files and run commands"
    if name in RUNNING_PROGRAMS:
        return f"`{name}` runs the commands that it is given"
    if name in SHELLS | INTERPRETERS and not _has_program(name, rest):
        return f"`{name}` runs code from its input"
    options = RUNNING_OPTIONS.get(name)
    risky = next((word for word in rest if options and options.fullmatch(word)), None)
    return f"`{name} {risky}` may run or write something else" if risky else ""


def _is_plain_builtin(name: str, rest: Words) -> bool:
    if name == "printf":
        return bool(rest and _FORMAT.fullmatch(rest[0]))
    if name == "test":
        return len(rest) == 2 and bool(_TESTS.fullmatch(rest[0]))
    return name in PLAIN_BUILTINS


def _has_program(name: str, rest: Words) -> bool:
    """Return whether the first arguments of a shell or interpreter specify what it runs: a file, a module, or code."""
    first, second = (*rest, "", "")[:2]
    if first in ("--version", "-V"):
        return len(rest) == 1
    if name in INTERPRETERS and first in ("-c", "-m", "-e"):
        return bool(second)
    return bool(first) and not first.startswith(("-", "+"))


def _git(rest: Words) -> str:
    """Return why no rule may allow a command of git; "" if it only reads."""
    rest = rest[1:] if rest[:1] == ("--no-pager",) else rest
    verb, options = (rest[0], rest[1:]) if rest else ("", ())
    if verb in _GIT_LISTS and _GIT_LISTS[verb].issuperset(options):
        return ""
    if verb not in GIT_READS:
        return f"`git {verb}` does more than read"
    running = (_GIT_RUNNING, _GIT_PAGER) if verb == "grep" else (_GIT_RUNNING,)
    risky = next((word for word in options if any(each.fullmatch(word) for each in running)), None)
    return f"`git {verb} {risky}` may run or write something else" if risky else ""


def _only_prints(rest: Words) -> bool:
    """Return whether sed only prints some lines of files."""
    flag, lines = (*rest, "", "")[:2]
    return flag == "-n" and bool(_PRINT_SCRIPT.fullmatch(lines)) and all(word and word[0] != "-" for word in rest[2:])


def _base(word: str) -> str:
    return word.rpartition("/")[2]
