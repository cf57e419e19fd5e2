"""Commands that no rule may allow: builtins of the shell, and programs that run others or write files."""

from __future__ import annotations

import re
from collections.abc import Mapping

Words = tuple[str, ...]
"""Of a simple command, variables set for it first."""


def words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


ASSIGNED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=[\s\S]*")
SHELLS = words_of("bash sh dash ash ksh mksh zsh fish csh tcsh rbash")
INTERPRETERS = words_of("python pypy perl ruby node nodejs deno bun php lua luajit Rscript tclsh guile")

PLAIN_BUILTINS = words_of("true false : pwd echo printf test")
"""Those that only print or answer, printf and test with the operands that `why_asked` lists."""

BUILTINS = PLAIN_BUILTINS | words_of(
    ". [ alias bg bind break builtin caller cd chdir command compgen complete compopt continue declare dirs disown "
    "enable eval exec exit export fc fg getopts hash help history jobs kill let local logout mapfile popd pushd read "
    "readarray readonly return set shift shopt source suspend times trap type typeset ulimit umask unalias unset wait"
)
"""All builtins of bash and dash."""

RESERVED = words_of("if then elif else fi for while until do done case esac in { } ! [[ ]] select function coproc time")

RUNS = words_of(
    "sudo doas su pkexec runuser chroot nsenter unshare watch parallel entr script ssh at batch crontab systemd-run "
    "screen tmux busybox toybox strace ltrace gdb flock setpriv start-stop-daemon awk gawk mawk nawk env xargs nohup "
    "nice setsid stdbuf ionice taskset chrt timeout time command builtin eval exec bwrap firejail unbuffer expect ed "
    "ex vi vim xvfb-run dbus-run-session faketime rlwrap setarch linux64 prlimit numactl catchsegv valgrind"
)
"""Programs that run what they are told, in too many ways to be read here."""

RUNNING_OPTIONS: Mapping[str, re.Pattern[str]] = {
    "rg": re.compile(r"--(pre|hostname-bin)(=.*)?"),
    "sort": re.compile(r"-(?!-).*o.*|--(co|o).*"),
    "tar": re.compile(r"-?[a-zA-Z]*[IF].*|--(us|ch|to-c|rs|rm|in|new-).*|.*:.*"),
    "go": re.compile(r"--?(exec|toolexec|vettool)(=.*)?"),
    "find": re.compile(r"-(delete|exec.*|ok.*|fprint.*|fls)"),
    "fd": re.compile(r"-(?!-).*[xX].*|--ex.*"),
    "fdfind": re.compile(r"-(?!-).*[xX].*|--ex.*"),  # fd's name in Debian
}
"""Arguments with which a program that otherwise looks or builds runs another, or, for `sort` and `find`, writes where
it is told. `tar` and `go` write and delete with others too. All words are compared: a `--` may be the value of an
option, and then ends nothing."""

GIT_READS = words_of(
    "status log show diff blame annotate grep ls-files ls-tree rev-parse rev-list describe shortlog cat-file "
    "merge-base show-ref for-each-ref name-rev diff-tree diff-index diff-files count-objects check-ignore check-attr"
)
"""Subcommands of git that only read. All others write, fetch, or run hooks, filters and what they are told."""
_GIT_LISTS = {
    "branch": words_of("-a -r -v -vv -av -avv --list --all --show-current --no-color"),
    "remote": words_of("-v --verbose"),
    "tag": words_of("-l --list"),
}
"""Those that read where nothing but these stands behind them."""
_GIT_RUNNING = re.compile(r"--ex(?!cl|it).*|--o(?!n|th|r|urs|b).*|--(he|fil|te).*|--(fi|o|t)")
"""Options of theirs that write files or run programs, cut short as git allows it."""
_GIT_PAGER = re.compile(r"-(?!-)[^efmABC]*O.*")
"""Of `git grep`, among other letters: behind some of them stands a value."""

_TIME = re.compile(r"[0-9]+(\.[0-9]+)?[smhd]?")
_PRINTS = re.compile(r"([0-9]+|\$)(,([0-9]+|\$))?p")
_FORMAT = re.compile(r"(?!-)(?:[^%\\]|%[sd%]|\\[nt])*")
_TESTS = re.compile(r"-[defhLnrswxz]")
_VERSION = re.compile(r"[0-9.]+$")
"""Behind the name of an interpreter."""


def without_limit(words: Words) -> Words:
    """The command that a plain `timeout SECONDS COMMAND` runs; other commands unchanged."""
    limited = words[:1] == ("timeout",) and len(words) > 2 and _TIME.fullmatch(words[1])
    rest = words[2:]
    return rest if limited and rest[0] not in BUILTINS | {"timeout"} and not rest[0].startswith("-") else words


def is_git(words: Words) -> bool:
    """Whether a simple command runs git."""
    program = next((word for word in words if not ASSIGNED.fullmatch(word)), "")
    return _base(program) == "git"


def base_name(word: str) -> str:
    """A program's name without its folder, an interpreter's without its version."""
    name = _base(word)
    return bare if (bare := _VERSION.sub("", name)) in INTERPRETERS | SHELLS else name


def why_asked(words: Words) -> str:
    """Why no rule may allow this simple command, which is given without the variables set for it; "" if one may."""
    if (inner := without_limit(words)) != words:
        return "`timeout` runs what it is told" if ASSIGNED.fullmatch(inner[0]) else why_asked(inner)
    name, rest = base_name(words[0]), words[1:]
    if name in BUILTINS:
        return "" if _is_plain_builtin(name, rest) else f"`{name}` is a builtin that rules do not judge"
    if name == "git":
        return _git(rest)
    if name == "sed":
        return "" if _prints(rest) else "`sed` can write files and run commands"
    if name in RUNS:
        return f"`{name}` runs what it is told"
    if name in SHELLS | INTERPRETERS and not _is_told(name, rest):
        return f"`{name}` runs what it reads"
    options = RUNNING_OPTIONS.get(name)
    strange = next((word for word in rest if options and options.fullmatch(word)), None)
    return f"`{name} {strange}` may run or write something else" if strange else ""


def _is_plain_builtin(name: str, rest: Words) -> bool:
    if name == "printf":
        return bool(rest and _FORMAT.fullmatch(rest[0]))
    if name == "test":
        return len(rest) == 2 and bool(_TESTS.fullmatch(rest[0]))
    return name in PLAIN_BUILTINS


def _is_told(name: str, rest: Words) -> bool:
    """Whether a shell or interpreter is told what it runs by its first words: a file, a module, or code."""
    first, second = (*rest, "", "")[:2]
    if first in ("--version", "-V"):
        return len(rest) == 1
    if name in INTERPRETERS and first in ("-c", "-m", "-e"):
        return bool(second)
    return bool(first) and not first.startswith(("-", "+"))


def _git(rest: Words) -> str:
    """Why no rule may allow a command of git's, if so: all but reading is asked each time."""
    rest = rest[1:] if rest[:1] == ("--no-pager",) else rest
    verb, options = (rest[0], rest[1:]) if rest else ("", ())
    if verb in _GIT_LISTS and _GIT_LISTS[verb].issuperset(options):
        return ""
    if verb not in GIT_READS:
        return f"`git {verb}` does more than read"
    running = (_GIT_RUNNING, _GIT_PAGER) if verb == "grep" else (_GIT_RUNNING,)
    strange = next((word for word in options if any(each.fullmatch(word) for each in running)), None)
    return f"`git {verb} {strange}` may run or write something else" if strange else ""


def _prints(rest: Words) -> bool:
    """Whether sed is only to print some lines of files."""
    flag, lines = (*rest, "", "")[:2]
    return flag == "-n" and bool(_PRINTS.fullmatch(lines)) and all(word and word[0] != "-" for word in rest[2:])


def _base(word: str) -> str:
    return word.rpartition("/")[2]
