"""Decisions by rules: every part must be allowed; one denied part denies the whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.permissions.approvals import Approval, Kind
from agent.permissions.decisions import Decision, judge
from agent.permissions.rule_store import StoredRule
from agent.permissions.rules import Rule, offered_rule, parse_rule


def decide(subject: str, *allow: str, deny: tuple[str, ...] = (), kind: Kind = "command", root: str = "/w") -> Decision:
    allowed = [StoredRule(Rule(kind, pattern), "session") for pattern in allow]
    return judge(Approval(kind, "?", subject, root=root), [Rule(kind, pattern) for pattern in deny], allowed)


# Commands


@pytest.mark.parametrize(
    "line",
    [
        "git status",
        "git status -s",
        "git status | git status > out 2>/dev/null",
        "timeout 9 git status; true",
        "git status\n",
    ],
)
def test_rule_allows_line_if_it_covers_all_commands(line: str) -> None:
    decision = decide(line, "git status")
    assert (decision.yes, decision.rules, decision.by) == (True, (Rule("command", "git status"),), "session")


@pytest.mark.parametrize(
    "line",
    [
        "git statusx",
        "git",
        "git -C x status",
        "git log",
        "./git status",
        "git status; rm x",
        "git status $(rm x)",
        "git status > /etc/x",
        "git status > ../x",
        "git status > .git/hooks/pre-commit",
        "cd .. && git status",
        "cd && git status",
        "cd - && git status",
        "cd $x && git status",
        "cd /w/../x; git status",
        "cd a; cd b; git status > c",
        "cd src && git status",
        "cd /w/src && git status",
        "nice git status",
        "bash -c 'git status'",
        "for x in a b; do git status; done",
        "X=1 git status",
        "git status\nrm x",
        "git status\n\\\nrm x",
        "git $x status",
        "",
    ],
)
def test_rule_covers_no_other_command(line: str) -> None:
    assert decide(line, "git status").yes is None


def test_exact_rule_covers_no_further_argument() -> None:
    assert decide("rm -r build", "exactly rm -r build").yes
    assert decide("rm -r build /home", "exactly rm -r build").yes is None


def test_links_out_of_workspace_are_resolved(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "in").mkdir()
    (tmp_path / "w" / "out").symlink_to(tmp_path)
    (tmp_path / "w" / "in" / "far").symlink_to(tmp_path / "file")
    (tmp_path / "w" / "circle").symlink_to("circle")
    root = str(tmp_path / "w")
    assert decide("ls > in/x", "ls", root=root).yes
    assert decide("ls > out/x", "ls", root=root).yes is None
    assert decide("cd out; ls", "ls", root=root).yes is None
    assert decide("cd in && ls > x", "ls", root=root).yes
    assert decide("cd in && ls > far", "ls", root=root).yes is None
    assert decide("ls > circle/x", "ls", root=root).yes is None


@pytest.mark.parametrize(
    ("line", "folder", "yes"),
    [
        ("cat x", "/w/a", True),
        ("cat x", "/tmp", None),
        ("cat x > f", "/w/.git", None),
        ("git status", "/w", True),
        ("git status", "/w/a", None),
    ],
)
def test_working_directory_of_shell_counts(line: str, folder: str, yes: bool | None) -> None:
    allowed = [StoredRule(Rule("command", pattern), "session") for pattern in ("cat", "git status")]
    assert judge(Approval("command", "?", line, root="/w", folder=folder), [], allowed).yes is yes


WRITES_OUTSIDE = {
    "a Unicode digit": "pwd >&\u0663",
    "a loop": "for x in 1 2; do cd a; done; pwd > f",
    "two cd commands": "cd a; cd a",
    "a condition": "if cd a; then cd a; fi",
    "a missing folder": "cd none && true; pwd > link",
    "a link to a folder": "cd a/a",
    "a file behind a link": "cd a && pwd > a/f",
    "a descriptor": "true {HOME}>f",
}


@pytest.mark.parametrize("line", WRITES_OUTSIDE.values(), ids=WRITES_OUTSIDE)
def test_builtins_cannot_write_outside_workspace(line: str, tmp_path: Path) -> None:
    """Builtins that only print need no approval, so their redirections must be checked."""
    root = tmp_path / "w"
    (root / "a").mkdir(parents=True)
    for link in ("\u0663", "link"):
        (root / link).symlink_to(tmp_path / "out")
    (root / "a" / "a").symlink_to(tmp_path)
    assert decide("pwd > f", root=str(root)).yes
    assert decide("cd a && pwd > f", root=str(root)).yes
    assert decide(line, root=str(root)).yes is None


def test_decision_explains_unsupported_command() -> None:
    decision = decide("eval ls", "ls", "eval")
    assert (decision.yes, decision.always) == (None, ())
    assert "eval" in decision.why


def test_typed_input_needs_approval() -> None:
    approval = Approval("command", "?", "git status\n", why="it is typed")
    decision = judge(approval, [], [StoredRule(Rule("command", "git status"), "config")])
    assert (decision.yes, decision.why) == (None, "it is typed")


def test_all_commands_can_be_denied() -> None:
    assert decide("ls", "ls", deny=("*",)).yes is False
    assert decide("git log push", "git", deny=("exactly git push",)).yes


# Offered rules


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        ("git diff HEAD~1", ["git diff"]),
        ("npm run test -- -x", ["npm run test"]),
        ("pytest -x tests", ["pytest"]),
        ("python -m pytest -x", ["python -m pytest"]),
        ("python setup.py build", ["python setup.py"]),
        ("uv run pytest", ["uv run pytest"]),
        ("X=1 pytest a", ["X=1 pytest"]),
        ("cargo publish", ["exactly cargo publish"]),
        ("uv run python -c 1", ["exactly uv run python -c 1"]),
        ("rm -r 'a b'", ["exactly rm -r 'a b'"]),
        ("git log && git diff | jest; git log x", ["git log", "git diff", "jest"]),
        ("X=1 timeout 9 pytest a", ["X=1 pytest"]),
        ("rm $x", []),
    ],
)
def test_rules_offered_for_line_allow_it(line: str, rules: list[str]) -> None:
    decision = decide(line)
    assert [rule.pattern for rule in decision.always] == rules
    if rules:
        assert decide(line, *rules).yes


@pytest.mark.parametrize(
    "line",
    [
        "git clone -u ./evil . x",
        "git clone --template=evil . x",
        "git grep -lO./g x",
        "git grep -Ovi x",
        "git grep --open-files-in-pager=vi x",
        "git archive -o /w/x HEAD",
        "git format-patch -o /tmp HEAD~1",
        "git bundle create x HEAD",
        "git difftool -yx./evil",
        "git diff --output=x",
        "git log --outp x",
        "git log -p --ext-d",
        "git add .",
        "git branch new",
        "git -c alias.log=!evil log",
        "git log $x",
        "git diff --no-index -S -- --output=/x a b",
        "git blame -L -- --output=x f",
        "git grep -e -- -O./x",
        "git log -- --output=x",
        "git cat-file --filter HEAD:x",
        "git",
    ],
)
def test_git_beyond_reading_needs_approval_each_time(line: str) -> None:
    decision = decide(line, "git")
    assert (decision.yes, decision.always) == (None, ())


@pytest.mark.parametrize(
    "line",
    [
        "git log --oneline --only-matching -n 3 -- x",
        "git grep -nAO -e FOO x",
        "git grep -eOS x",
        "git diff --exit-code -O order",
        "git ls-files -o --others --exclude-standard",
        "git --no-pager show HEAD:x",
        "git branch -a",
        "git remote -v",
    ],
)
def test_reading_with_git_may_be_allowed(line: str) -> None:
    assert decide(line, "git").yes


def test_git_folder_is_protected_behind_links(tmp_path: Path) -> None:
    (tmp_path / ".git" / "hooks").mkdir(parents=True)
    (tmp_path / "link").symlink_to(".git")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "up").symlink_to("../.git/config")
    lines = [
        "cat a > .git",
        "cat a > link/hooks/x",
        "cd link && cat a > b",
        "cat a > .GIT/config",
        "cat a > src/up",
        "cat a > Git~1/x",
    ]
    lines += ["cd src && cat a > up", "cat a > .git", "cat a > '.git ./x'", "cat a > .g\u200cit/x"]
    assert [line for line in lines if decide(line, "cat", root=str(tmp_path)).yes is not None] == []
    assert decide("cd src && cat a > gitx", "cat", root=str(tmp_path)).yes


def test_only_missing_rules_are_offered() -> None:
    assert [rule.pattern for rule in decide("ls; git log", "ls").always] == ["git log"]


WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(WORD, min_size=1, max_size=4))
def test_offered_rule_survives_formatting_and_parsing(words: list[str]) -> None:
    rule = offered_rule((*words, "ls"))
    assert rule.covers((*words, "ls"))
    assert parse_rule(str(rule)) == rule


# Paths, hosts, branches


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("src/*.py", ["src/a.py"], ["src/a/b.py", "a.py", "xsrc/a.py"]),
        ("src/**", ["src/a", "src/a/b"], ["src", "srcx/a", "src/../x"]),
        ("**/*.md", ["a.md", "a/b.md"], ["a.mdx"]),
        ("**", ["a", "a/b", ""], ["../a"]),
        ("?.py", ["a.py"], ["ab.py", "/.py"]),
        ("a+[b]", ["a+[b]"], ["ab"]),
    ],
)
def test_globs_match_paths(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [name for name in (*yes, *no) if decide(name, pattern, kind="apply").yes] == yes


def test_every_name_must_be_allowed_and_none_denied() -> None:
    assert decide("a.py\nb.py", "*.py", kind="apply").yes
    assert decide("a.py\nb.md", "*.py", kind="apply").yes is None
    assert decide("a.py\nb.md", "**", deny=("*.md",), kind="apply").yes is False
    assert decide("pypi.org", "*.org", kind="network").yes
    assert decide("pypi.org", "**", kind="branch").yes
    assert judge(Approval("network", "?", "a"), [], [StoredRule(Rule("branch", "**"), "config")]).yes is None


@pytest.mark.parametrize("text", ["", "ls", "command", "command ''x'", "shell ls", "apply "])
def test_invalid_rule_is_rejected(text: str) -> None:
    assert isinstance(parse_rule(text), str)


def test_rule_is_parsed() -> None:
    assert parse_rule(" command: git  status ") == Rule("command", "git  status")
    assert parse_rule("apply src/**") == Rule("apply", "src/**")
