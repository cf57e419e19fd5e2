"""Denied commands, which are found in any wrapping, quoting or nesting."""

import pytest

from agent.permissions.approvals import Approval
from agent.permissions.decisions import Decision, judge
from agent.permissions.rule_store import StoredRule
from agent.permissions.rules import Rule


def decide(line: str, *allow: str, deny: tuple[str, ...]) -> Decision:
    allowed = [StoredRule(Rule("command", pattern), "session") for pattern in allow]
    return judge(Approval("command", "?", line, root="/w"), [Rule("command", pattern) for pattern in deny], allowed)


@pytest.mark.parametrize(
    "line",
    [
        "git push",
        "git -C x push -f",
        "ls && git push",
        "/usr/bin/git push",
        "X=1 git push",
        "sudo -u x git push",
        "eval 'git push'",
        "echo `git push`",
        "f() { git push; }",
        "bash -c 'git push'",
        "ls | xargs git push",
        "command -p git push",
        "env -u A git push",
        "timeout -k 1 5 git push",
        "nohup -- git push",
        "stdbuf -o0 git push",
        "time -p git push",
        "bash -x -c 'git push'",
        "bash -o pipefail -c 'git push'",
        "/usr/local/bin/bash -c 'git push'",
        "bash <<< 'git push'",
        "bash <<E\ngit push\nE",
        "trap 'git push' EXIT; exit 0",
        "/usr/local/bin/../../bin/env git push",
        "xargs -a f -n9 git push",
        "xargs git <<E\nx\npush\nE",
        "printf 'git\\npush' | xargs env",
        "nice -5 git push",
        "setsid -w git push",
        "env -S 'git push'",
        "env -S'git push'",
        "watch 'git push'",
        "flock x -c 'git push'",
        "sudo sh -c 'git push'",
        "alias x='git push'; x",
        "alias g=git; g push",
        'eval "git $x push"',
        "git $x push",
        "A=$x git push",
        "A+=1 git push",
        "A[0]=1 git push",
        "g'i't pu\\sh",
        "gi\\\nt push",
        "git \\\n push",
        "{git,push}",
        "{g'i't,push}",
        "eval g\\it\\ push",
        "true;git push",
        "git -c 'a=b;c' push",
        "git 2>&1 push",
        "git $(true; true) push",
        "GIT push",
        'python -c \'run(["git", "push"])\'',
        "jobs -x git push",
        "exec git push",
        "compgen -C git push",
        "coproc git push",
        "git p$'u'sh",
        'git p$"u"sh',
        "g$'i't push",
        "$'git' push",
        "git$IFS'pu'sh",
        "git${IFS}push",
        "g${IFS:9}it push",
        "git pu$((0))sh",
        "git${IFS%??}push",
        "git$x'push'",
        "g$@it push",
        "g${x}it push",
        "g$1it p$*ush",
        "g${x}i$y't' push",
        "g$()it push",
        "g``it push",
        "g$@it${IFS}push",
        "g$'\\x69't push",
        "$'\\147it' push",
        "git $'\\u0070ush'",
        "$'\\U00000067it' push",
        "printf 'g\\151t push' | sh",
    ],
)
def test_denied_command_is_found_in_any_form(line: str) -> None:
    decision = decide(line, "git", "ls", deny=("git push",))
    assert (decision.yes, decision.rules, decision.by) == (False, (Rule("command", "git push"),), "config")


@pytest.mark.parametrize(
    "line", ["git log | grep push", "git status; npm push", "git pushx", "mygit push", "push git", "git$x; ls"]
)
def test_similar_command_is_not_denied(line: str) -> None:
    assert decide(line, deny=("git push",)).yes is None


@pytest.mark.parametrize(
    ("rule", "line", "yes"),
    [
        ("rm -r", "rm 'a;b' -r x", False),
        ("rm -r", "rm a; ls -r x", None),
        ("exactly rm 'a b'", "sh -c 'rm \"a b\"'", False),
        ("exactly rm a", "rm x a", None),
        ("/usr/bin/touch", "touch x", False),
        ("git push", "echo 'git push'", False),
        ("git push", "git log --grep=x | grep push", False),
        ("git push", "git-push", None),
        ("X=1 make", "X=1 make", False),
        ("\u00e9", "sudo \u00e9", False),
        ("'!'", "! ls", None),
    ],
)
def test_denied_words_match_loosely(rule: str, line: str, yes: bool | None) -> None:
    assert decide(line, deny=(rule,)).yes is yes


@pytest.mark.slow
def test_long_command_is_searched_fast() -> None:
    """The search takes linear, not quadratic time."""
    line = "git; push " * 30_000
    assert decide(line, deny=("git push push x",)).yes is None
