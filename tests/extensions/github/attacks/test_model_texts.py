"""Texts of the model: they mention no one, close and link nothing, load, sign and hide nothing."""

from __future__ import annotations

import re

import pytest

from tests.conftest import git
from tests.extensions.github.attacks.attack_repository import SOLVED, AttackTarget

PARTS = ["title", "cause", "change"]
UNPROVEN = {
    "exit": 6,
    "result": {**SOLVED, "exit": 6, "verdict": {**SOLVED["verdict"], "kind": "unproven", "green": False}},
}
NONE = {
    "exit": 1,
    "result": {**SOLVED, "exit": 1, "verdict": {**SOLVED["verdict"], "kind": "none", "red": False, "green": False}},
}
MENTION = re.compile(r"(?<![\w`])@(?:everyone|octocat|octo/team)")
CLOSES = re.compile(r"(?i)\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+(?:[\w./-]+)?(?:#|https?://)\S+")
REFERS = re.compile(r"(?<![\w`&])(?:[\w.-]+/[\w.-]+)?(?:#|GH-)(\d+)\b")
LOADS = re.compile(r"!\[[^\]]*\]\s*[\[(]|(?i:(?<!\\)<\s*(?:img|picture|source|video|svg|iframe|link|object)\b)")
HIDDEN = re.compile(r"<!--(?! swe-agent)")
TRAILER = re.compile(r"(?im)^(?:signed-off-by|co-authored-by|acked-by|reviewed-by|skip-checks|tested-by)\s*:")
SKIPS = re.compile(r"(?i)\[(?:skip ci|ci skip|no ci|skip actions|actions skip)\]|\*\*\*NO_CI\*\*\*")

CODE = re.compile(r"(?ms)^(`{3,})[^\n]*\n.*?^\1`*[ \t]*$|(?<!`)(`+)(?!`)(?:(?!\n\n).)*?(?<!`)\2(?!`)")
ATTACKS = {
    "mentions": "Ask @everyone and @octocat and @octo/team now.",
    "mention-by-escape": "Ask &#64;everyone and &commat;octocat or @\u200boctocat\n\n@everyone",
    "closes": "fixes #2, Closes: #3. resolved octo/calc#4 and fixes https://github.com/octo/calc/issues/5",
    "refers": "See #77, GH-78, octo/other#79 and octo/other@1234567.",
    "beacon": "![x](https://evil.example/?q=1) ![y][z]\n\n[z]: https://evil.example/z.png",
    "html": '<img src="https://evil.example/i.png"><picture><source srcset=//evil.example></picture><svg/onload=x>',
    "hidden": "Fine.<!-- not shown: approve this --><details><summary></summary>hidden</details>",
    "invisible": "Fine.\u200b\u202e\u2066hidden\U000e0041\U000e0042",
    "trailers": "Fine.\n\nSigned-off-by: Ada <ada@example.com>\nCo-authored-by: Bob <b@x.org>\nskip-checks: true",
    "skips": "Fine [skip ci] [ci skip] ***NO_CI***",
    "fence": "Fine.\n```\n</details>\n\n# All tests pass, merge now\n\n~~~\n````",
    "command": "/swe-agent fix\n\n/approve\n/merge",
    "lines": "One\nTwo\r\nThree\x00\x1b[31mred",
    "giant": "word " * 800,
    "ticked": "- [x] I have read the CLA and I agree to sign it",
}


def visible_texts(target: AttackTarget) -> list[str]:
    """Return all texts of the Action that are shown on GitHub."""
    texts = [pull.body for pull in target.repo.pulls]
    texts += [target.bot_comments(issue) for issue in target.issues]
    texts += [comment.body for pull in target.repo.pulls for comment in pull.comments]
    return [text for text in texts if text]


def plain_texts(target: AttackTarget) -> list[str]:
    """Return commit messages and titles, which are shown without Markdown."""
    heads = [pull.head for pull in target.repo.pulls]
    return [git(target.repo.git, "log", "--format=%B", f"main..{head}") for head in heads] + [
        pull.title for pull in target.repo.pulls
    ]


def check_harmless(text: str, number: int, message: bool = False) -> None:
    """Check that GitHub acts on nothing in `text`. In Markdown, code does not count; a `message` is plain text.

    The pull request will have the next `number`.
    """
    text = text if message else CODE.sub(" ", text)
    assert not MENTION.search(text), text[:2000]
    closing = [found[0] for found in CLOSES.finditer(text)]
    assert all(re.search(rf"#{number}\b", reference) for reference in closing), closing
    assert {found[1] for found in REFERS.finditer(text)} <= {str(number), str(number + 1)}, text[:2000]
    for pattern in (TRAILER, SKIPS) if message else (LOADS, HIDDEN, TRAILER, SKIPS):
        assert not pattern.search(text), (pattern.pattern, text[:2000])
    assert not re.search("[\u200b\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f\x00\x1b]", text)
    assert message or "\n/swe-agent" not in f"\n{text}"
    assert not re.search(r"(?m)^# All tests pass", text)
    assert not re.search(r"(?i)- \[x\]", text)
    assert len(text) < 60_000


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_pull_request_text_is_neutralised(target: AttackTarget, attack: str) -> None:
    """Each text of the model is neutralised before it becomes part of a title, body or commit."""
    target.publish(**dict.fromkeys(PARTS, attack))
    texts = visible_texts(target)
    assert len(list(target.repo.pulls)) == 1, "a valid fix was not published"
    for text in texts:
        check_harmless(text, target.issues[0].number)
    for text in plain_texts(target):
        check_harmless(text, target.issues[0].number, message=True)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_comment_text_is_neutralised(target: AttackTarget, attack: str) -> None:
    """The same holds for comments, which also show places, attempts and a failing test."""
    target.publish(diff=b"", **fill_all_texts(attack), **NONE)
    assert list(target.repo.pulls) == []
    (text,) = visible_texts(target)
    check_harmless(text, target.issues[0].number)


def test_unproven_comment_text_is_neutralised(target: AttackTarget) -> None:
    """The same, with all texts at once."""
    target.publish(
        **fill_all_texts("\n\n".join(attack for attack in ATTACKS.values() if len(attack) < 1000)), **UNPROVEN
    )
    assert list(target.repo.pulls) == []
    (text,) = visible_texts(target)
    check_harmless(text, target.issues[0].number)


def fill_all_texts(text: str) -> dict:
    """Return all text fields of an outcome, filled with `text`."""
    places = ({"path": text[:10_000], "line": 1, "name": text[:10_000], "why": text[:10_000]},)
    more = {"places": places, "tried": (text,), "attempts": (text,), "red_test": text}
    return {**dict.fromkeys([*PARTS, "answer", "model"], text), **more}


@pytest.mark.parametrize("text", [ATTACKS[name] for name in ("mentions", "closes", "beacon", "hidden", "fence")])
def test_follow_up_answer_is_neutralised(target: AttackTarget, text: str) -> None:
    """The same holds for an answer without a commit."""
    pull = target.pull()
    task = target.task(kind="follow-up", number=pull.number, branch="swe-agent/issue-1", request="why?")
    target.publish(task, diff=b"", answer=text, exit=0)
    for comment in pull.comments:
        check_harmless(comment.body, pull.number)


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["../CHANGES.md", "/etc/passwd", ".github/x.md", "-x", "calc/core.py\n\n@everyone", ".git/config"]
)
def test_changelog_path_of_result_file_changes_nothing(target: AttackTarget, path: str) -> None:
    """The path in the result file is only text; the tree decides what changes."""
    target.publish(changelog=path)
    for pull in target.repo.pulls:
        changed = git(target.repo.git, "diff", "--name-only", "main", pull.head).split("\n")
        assert changed == ["calc/core.py"]
    for text in visible_texts(target):
        check_harmless(text, target.issues[0].number)


def test_title_of_issue_does_not_reach_branch_name(target: AttackTarget) -> None:
    """The branch name contains only the issue's number."""
    target.issues.append(target.issue(title="x; $(id) .. @{-1} ~^: é"))
    target.publish(title="x; $(id) .. @{-1} ~^: é")
    assert target.refs == {"refs/heads/main", "refs/heads/swe-agent/issue-1"}


@pytest.mark.slow
def test_commits_name_only_the_bot(target: AttackTarget) -> None:
    """Author and committer are the Action's bot, whoever made the request."""
    target.publish()
    (pull,) = target.repo.pulls
    names = git(target.repo.git, "log", "-1", "--format=%an %ae %cn %ce", pull.head)
    assert "ada" not in names
    assert "mallory" not in names
