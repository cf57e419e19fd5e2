"""What models say is text: it calls nobody, closes nothing else, loads nothing, signs nothing and hides nothing."""

from __future__ import annotations

import re

import pytest

from tests.agent.github.attacks.attack_repository import SOLVED, Place
from tests.conftest import git

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
TRIES = {
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


def shown(place: Place) -> list[str]:
    """All that people read on GitHub of what the Action wrote, and what git keeps of it."""
    texts = [pull.body for pull in place.repo.pulls]
    texts += [place.said_by_bot(issue) for issue in place.issues]
    texts += [comment.body for pull in place.repo.pulls for comment in pull.comments]
    return [text for text in texts if text]


def messages(place: Place) -> list[str]:
    """What is read without Markdown."""
    heads = [pull.head for pull in place.repo.pulls]
    return [git(place.repo.git, "log", "--format=%B", f"main..{head}") for head in heads] + [
        pull.title for pull in place.repo.pulls
    ]


def harmless(text: str, number: int, message: bool = False) -> None:
    """Where GitHub acts on it: not in code, which a title or a `message` knows nothing of. The pull request has the
    next `number`."""
    text = text if message else CODE.sub(" ", text)
    assert not MENTION.search(text), text[:2000]
    closed = [found[0] for found in CLOSES.finditer(text)]
    assert all(re.search(rf"#{number}\b", one) for one in closed), closed
    assert {found[1] for found in REFERS.finditer(text)} <= {str(number), str(number + 1)}, text[:2000]
    for pattern in (TRAILER, SKIPS) if message else (LOADS, HIDDEN, TRAILER, SKIPS):
        assert not pattern.search(text), (pattern.pattern, text[:2000])
    assert not re.search("[\u200b\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f\x00\x1b]", text)
    assert message or "\n/swe-agent" not in f"\n{text}"
    assert not re.search(r"(?m)^# All tests pass", text)
    assert not re.search(r"(?i)- \[x\]", text)
    assert len(text) < 60_000


@pytest.mark.parametrize("said", TRIES.values(), ids=TRIES)
def test_in_text_of_pull_request(place: Place, said: str) -> None:
    """Stopped by neutralising each text of a model before it stands in title, body or commit."""
    place.publish(**dict.fromkeys(PARTS, said))
    texts = shown(place)
    assert len(list(place.repo.pulls)) == 1, "the fix is fine, only its words are not"
    for text in texts:
        harmless(text, place.issues[0].number)
    for text in messages(place):
        harmless(text, place.issues[0].number, message=True)


@pytest.mark.parametrize("said", TRIES.values(), ids=TRIES)
def test_in_comment(place: Place, said: str) -> None:
    """Stopped by the same in comments, of which places, tried ways and a red test are parts."""
    place.publish(diff=b"", **everywhere(said), **NONE)
    assert list(place.repo.pulls) == []
    (text,) = shown(place)
    harmless(text, place.issues[0].number)


def test_in_comment_on_what_is_not_proven(place: Place) -> None:
    """Stopped by the same, all at once."""
    place.publish(**everywhere("\n\n".join(said for said in TRIES.values() if len(said) < 1000)), **UNPROVEN)
    assert list(place.repo.pulls) == []
    (text,) = shown(place)
    harmless(text, place.issues[0].number)


def everywhere(said: str) -> dict:
    """In all that an outcome tells."""
    places = ({"path": said[:10_000], "line": 1, "name": said[:10_000], "why": said[:10_000]},)
    more = {"places": places, "tried": (said,), "attempts": (said,), "red_test": said}
    return {**dict.fromkeys([*PARTS, "answer", "model"], said), **more}


@pytest.mark.parametrize("said", [TRIES[name] for name in ("mentions", "closes", "beacon", "hidden", "fence")])
def test_in_answer_to_follow_up(place: Place, said: str) -> None:
    """Stopped by the same in what is answered in words only."""

    pull = place.pull()
    errand = place.errand(kind="follow-up", number=pull.number, branch="swe-agent/issue-1", request="why?")
    place.publish(errand, diff=b"", answer=said, exit=0)
    for comment in pull.comments:
        harmless(comment.body, pull.number)


@pytest.mark.parametrize(
    "path", ["../CHANGES.md", "/etc/passwd", ".github/x.md", "-x", "calc/core.py\n\n@everyone", ".git/config"]
)
def test_changelog_entry_elsewhere(place: Place, path: str) -> None:
    """Stopped by the tree: the path that the handover names is text, and changes nothing by itself."""
    place.publish(changelog=path)
    for pull in place.repo.pulls:
        changed = git(place.repo.git, "diff", "--name-only", "main", pull.head).split("\n")
        assert changed == ["calc/core.py"]
    for text in shown(place):
        harmless(text, place.issues[0].number)


def test_title_of_issue_in_branch(place: Place) -> None:
    """Stopped by the branch's name being made of the issue's number alone."""
    place.issues.append(place.approved(title="x; $(id) .. @{-1} ~^: é"))
    place.publish(title="x; $(id) .. @{-1} ~^: é")
    assert place.refs == {"refs/heads/main", "refs/heads/swe-agent/issue-1"}


def test_only_bot_signs(place: Place) -> None:
    """Stopped by author and committer being the Action's own, whoever asked."""
    place.publish()
    (pull,) = place.repo.pulls
    who = git(place.repo.git, "log", "-1", "--format=%an %ae %cn %ce", pull.head)
    assert "ada" not in who
    assert "mallory" not in who
