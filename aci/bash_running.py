"""Programs that run other programs: what a simple command runs besides itself, and which no rule may allow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

Words = tuple[str | None, ...]
"""Of a simple command, assignments first; None for one that is known only when it runs."""


def words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


ASSIGNED = re.compile(r"[A-Za-z_]\w*=[\s\S]*")
SHELLS = frozenset(("bash", "sh", "dash"))
INTERPRETERS = words_of("python python3 perl ruby node nodejs php lua Rscript zsh ksh ash fish")
_IDENTIFIER = r"[A-Za-z_]\w*"
_ANY, _NUMBER = re.compile(r"[\s\S]*"), re.compile(r"\d*")
BUILTIN_ARGUMENTS: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(words_of(": true false echo pwd cd type times help kill command builtin printf test"), _ANY),
    **dict.fromkeys(words_of("exit return break continue shift"), _NUMBER),
    "export": re.compile(rf"{_IDENTIFIER}(=[\s\S]*)?"),
    "set": re.compile(r"[-+][efux]+|[-+][efux]*o|errexit|noglob|nounset|pipefail|xtrace"),
    "ulimit": re.compile(r"-[a-zA-Z]+|\d+|unlimited"),
    "umask": re.compile(r"-[pS]|[\w+=,-]+"),
    "unset": re.compile(_IDENTIFIER),
    "wait": re.compile(r"%?\d+|-[nf]+"),
}
"""What each builtin of a shell takes that is no more than data. A name with a subscript is code to a shell, and so is
a text where it wants a number; builtins that run commands or change how later words are read take nothing plain."""

ASKED_BUILTINS = words_of(
    ". [ alias bg bind caller chdir compgen complete compopt declare dirs disown enable eval exec fc fg getopts hash "
    "history jobs let local logout mapfile popd pushd read readarray readonly shopt source suspend trap typeset unalias"
)
"""All other builtins of bash and dash."""

SHELL_VARIABLE = re.compile(
    r"_|BASH\w*|CDPATH|CHILD_MAX|COMP_(?:CWORD|KEY|LINE|POINT|TYPE|WORDBREAKS|WORDS)|COMPREPLY|COPROC|DIRSTACK|ENV|"
    r"EPOCH(?:REALTIME|SECONDS)|EXECIGNORE|FCEDIT|FIGNORE|FUNC(?:NAME|NEST)|GLOB(?:IGNORE|SORT)|GROUPS|"
    r"HIST(?:CMD|CONTROL|FILE|FILESIZE|IGNORE|SIZE|TIMEFORMAT)|HOSTFILE|IFS|IGNOREEOF|INPUTRC|LINENO|"
    r"MAIL(?:CHECK|PATH)?|MAPFILE|OPTARG|OPTERR|OPTIND|PATH|PIPESTATUS|POSIXLY_CORRECT|PPID|"
    r"PROMPT_(?:COMMAND|DIRTRIM)|PS\d|RANDOM|READLINE_(?:ARGUMENT|LINE|MARK|POINT)|REPLY|SECONDS|SHELL|SHELLOPTS|SHLVL|"
    r"SRANDOM|TIMEFORMAT|TMOUT|E?UID"
)
"""Variables of the shell itself: it evaluates some as code, finds programs by others, and splits words by others."""

RESERVED = words_of("if then elif else fi for while until do done case esac in { } ! [[ ]] select function coproc")
"""Where one of these is a command's name, parser and shell read the line differently."""

ASSIGNMENT_RUN = "it runs a program whose name looks like a variable that is set"

PLACES = frozenset(("", "/bin", "/usr/bin"))
"""Where programs are what their names say."""

RUNS = words_of(
    "sudo doas su pkexec runuser chroot nsenter unshare watch parallel entr script ssh at batch crontab "
    "systemd-run screen tmux busybox strace ltrace gdb flock setpriv start-stop-daemon awk gawk mawk"
)
"""Run what they are told, in ways too many to be read here."""

RUNNING_OPTIONS: Mapping[str, re.Pattern[str]] = {
    "rg": re.compile(r"--(pre|hostname-bin)(=.*)?"),
    "sort": re.compile(r"-[a-zA-Z]*o.*|--(co|o).*"),
    "tar": re.compile(r"-?[a-zA-Z]*[IF].*|--(us|ch|to-c|rsh|in|new-).*"),
    "go": re.compile(r"--?(exec|toolexec|vettool)(=.*)?"),
    "find": re.compile(r"-(delete|fprint.*|fls)"),
    "fd": re.compile(r"-[a-zA-Z]*[xX].*|--ex.*"),
    "printf": re.compile(r"-v.*"),
    "test": re.compile(r"-[vR]|[\s\S]*\[[\s\S]*"),
}
"""Arguments with which a program that otherwise looks or builds runs another, or writes where it is told."""

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
_GIT_RUNNING = re.compile(r"--ex(?!cl|it).*|--o(?!n|th|r|urs|b).*|--(he|filters|text).*|--o")
"""Options of theirs that write files or run programs, cut short as git allows it."""
_GIT_PAGER = re.compile(r"-(?!-)[^efmABC]*O.*")
"""Of `git grep`, among other letters: behind some of them stands a value."""

_ENDING = frozenset(("rg", "fd", "sort"))
"""Read nothing behind `--` as an option."""

_TELLING = frozenset(("-c", "-m", "-e", "--version", "-V"))
_PRINTS = re.compile(r"(\d+|\$)(,(\d+|\$))?p")
_TIME = re.compile(r"\d+(\.\d+)?[smhd]?")
_VALUED = frozenset(("-n", "-P", "-L", "-s", "-d", "-I"))
"""Options of xargs with a value behind them."""


@dataclass(frozen=True, slots=True)
class Found:
    """A command to be judged by its words; or a line to be read; `why` no rule may allow it."""

    words: Words = ()
    line: str = ""
    why: str = ""


def run_by(words: Words) -> Iterator[Found]:
    """All that a simple command runs: itself, and what it is told to run."""
    count = next((n for n, word in enumerate(words) if word is None or not ASSIGNED.fullmatch(word)), len(words))
    before, rest = words[:count], words[count:]
    if why := _sets_shell(before):
        yield Found(why=why)
    if not rest:
        yield Found(words)
        return
    name = rest[0]
    if name is None or name == "":
        yield Found(words, why="the command's name is known only when it runs")
        return
    folder, _, bare = name.rpartition("/")
    if folder not in PLACES:
        yield Found(words)  # a program of anybody's, whatever it is called
    elif bare in SHELLS:
        yield from _shell(before, rest)
    elif bare in _OTHERS:
        yield from _OTHERS[bare](before, rest)
    else:
        yield Found(words, why=_not_plain(bare, rest))
        if bare == "eval" and None not in rest:
            yield Found(line=" ".join(filter(None, rest[1:])))


def _not_plain(name: str, words: Words) -> str:
    if name in ASKED_BUILTINS or name in RESERVED:
        return f"`{name}` runs what it is told, or changes what later words mean"
    plain = BUILTIN_ARGUMENTS.get(name, _ANY)
    if plain is not _ANY and not all(word is not None and plain.fullmatch(word) for word in words[1:]):
        return f"`{name}` may evaluate what it is given"
    if name in ("export", "unset") and (why := _sets_shell(words[1:])):
        return why
    if name in RUNS:
        return f"`{name}` runs what it is told"
    told = any(word in _TELLING or not (word or "-").startswith("-") for word in words[1:])
    if name in INTERPRETERS and not told:
        return f"`{name}` runs what it reads"
    if name == "git":
        return _git(words)
    if name == "sed" and not _prints(words):
        return "`sed` can write files and run commands"
    options = RUNNING_OPTIONS.get(name)
    if name in _ENDING and "--" in words:
        words = words[: words.index("--")]
    if options and None in words:
        return f"a name or value may be read as an option of `{name}`"
    strange = next((word for word in words[1:] if word and options and options.fullmatch(word)), None)
    return f"`{name} {strange}` may run or write something else" if strange else ""


def _sets_shell(words: Words) -> str:
    """Why no rule may allow these assignments, if so."""
    names = ((word or "").partition("=")[0] for word in words)
    own = next((name for name in names if SHELL_VARIABLE.fullmatch(name)), "")
    return f"`{own}` is a variable that the shell itself uses" if own else ""


def _git(words: Words) -> str:
    """Why no rule may allow a command of git's, if so: all but reading is asked each time."""
    rest = words[2:] if words[1:2] == ("--no-pager",) else words[1:]
    verb, options = (rest[0], rest[1:]) if rest else (None, ())
    if "--" in options:
        options = options[: options.index("--")]
    if verb is None or None in options:
        return "a name or value may be read as an option of `git`"
    if verb in _GIT_LISTS and _GIT_LISTS[verb].issuperset(rest[1:]):
        return ""
    if verb not in GIT_READS:
        return f"`git {verb}` does more than read"
    running = (_GIT_RUNNING, _GIT_PAGER) if verb == "grep" else (_GIT_RUNNING,)
    strange = next((word for word in options if word and any(each.fullmatch(word) for each in running)), None)
    return f"`git {verb} {strange}` may run or write something else" if strange else ""


def _prints(words: Words) -> bool:
    """Whether sed is only to print some lines of files."""
    files = words[3:]
    return words[1:2] == ("-n",) and bool(_PRINTS.fullmatch((*words, "", "")[2] or "")) and _are_files(files)


def _are_files(words: Words) -> bool:
    return all(word and not word.startswith("-") for word in words)


def _shell(before: Words, words: Words) -> Iterator[Found]:
    first = words[1] if len(words) > 1 else None
    if first and re.fullmatch(r"-[elux]*c", first) and len(words) > 2 and words[2] is not None:
        yield Found(line=words[2], why="" if not before else "it sets variables for a shell")
    elif first and not first.startswith(("-", "+")):
        yield Found((*before, *words))
    else:
        yield Found((*before, *words), why=f"`{words[0]}` runs what it reads")


def _env(before: Words, words: Words) -> Iterator[Found]:
    inner = words[1:]
    first = next((word for word in inner if word is None or not ASSIGNED.fullmatch(word)), "")
    if not inner:
        yield Found((*before, *words))
    elif inner[0] is None or inner[0].startswith("-") or "=" in (first or ""):
        yield Found((*before, *words), why="`env` is told more than variables and a command")
        yield from run_by(tuple(word for word in inner if word and not word.startswith("-")))
    else:
        yield from run_by((*before, *inner))


def _wrapper(before: Words, words: Words) -> Iterator[Found]:
    """Of nohup, nice, time, command, builtin, setsid, timeout: what stands behind, where no option does."""
    name, inner = words[0], words[1:]
    if name == "command" and inner and inner[0] in ("-v", "-V"):
        yield Found((*before, *words))
        return
    if name == "timeout" and inner and inner[0] and _TIME.fullmatch(inner[0]):
        inner = inner[1:]
    if name == "nice" and len(inner) > 1 and inner[0] == "-n" and re.fullmatch(r"-?\d+", inner[1] or ""):
        inner = inner[2:]
    if not inner or inner[0] is None or inner[0].startswith("-") or (name == "timeout" and inner == words[1:]):
        yield Found((*before, *words), why=f"it is not plain what `{name}` runs")
        return
    yield from _program(before, inner)


def _program(before: Words, words: Words) -> Iterator[Found]:
    """What a program runs by name: to it, the first word is no assignment."""
    if words[0] and ASSIGNED.fullmatch(words[0]):
        yield Found(why=ASSIGNMENT_RUN)
    yield from run_by((*before, *words))


def _xargs(before: Words, words: Words) -> Iterator[Found]:
    """What it runs gets words that nobody knows yet; with -I they stand where a mark does."""
    at, mark = 1, ""
    while at < len(words) and (word := words[at]) and word.startswith("-"):
        if word in _VALUED and at + 1 < len(words) and (value := words[at + 1]):
            mark = value if word == "-I" else mark
            at += 2
        elif re.fullmatch(r"-[0rt]+|-[nPLs]\d+|-I.+", word):
            mark = word[2:] if word.startswith("-I") else mark
            at += 1
        else:
            yield Found((*before, *words), why="it is not plain what `xargs` runs")
            return
    inner = tuple(None if word is None or (mark and mark in word) else word for word in words[at:])
    yield from _program(before, (*(inner or ("echo",)), None))


def _find(before: Words, words: Words) -> Iterator[Found]:
    why = "a name that `find` meets may be read as an option of it" if None in words else _not_plain("find", words)
    yield Found((*before, *words), why=why)
    at = 0
    while at < len(words):
        if words[at] in ("-exec", "-execdir", "-ok", "-okdir"):
            end = next((n for n in range(at, len(words)) if words[n] in (";", "+")), len(words))
            inner = tuple(None if "{}" in (word or "{}") else word for word in words[at + 1 : end])
            yield from _program(before, inner or (None,))
            at = end
        at += 1


_OTHERS: Mapping[str, Callable[[Words, Words], Iterator[Found]]] = {
    "env": _env,
    "xargs": _xargs,
    "find": _find,
    **dict.fromkeys(("nohup", "nice", "time", "command", "builtin", "setsid", "timeout"), _wrapper),
}
