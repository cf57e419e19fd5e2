"""What the commands of the guides need to run here, and what they lead to if that is not exit code 0.

Each page is a story: its commands run in its order, in one folder, with the same state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.guides.command_lines import CommandLine
from tests.guides.example_shop import ExampleShop


@dataclass(frozen=True)
class Expected:
    """What precedes a command, and what it leads to.

    `before` is a shell command, `model` the script of the configured model, or "" if there is none, `input` what the
    user types, `output` a pattern in stdout or stderr, and `seconds` the limit of a search without a model.
    """

    codes: tuple[int, ...] = (0,)
    before: str = ""
    input: str = ""
    output: str = ""
    model: str = "model.jsonl"
    docker: bool = False
    seconds: int = 0


FIX = "swe-agent fix --text 'total() ignores the discount' --test 'python3 -m pytest'"
INITIALIZE = (
    '{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": %s, '
    '"capabilities": {}, "clientInfo": {"name": "guides", "version": "1"}}}\n'
)
FIRST = {
    "docs/exports.md": f"{FIX} --model scripted:$HOME/talk.jsonl; {FIX}",
    "docs/experience.md": FIX,
    "docs/reports.md": f"{FIX} && {FIX}",
}
"""A command before those of a page, which would have been run before."""
EDITED = "printf '\\n\\ndef half(number):\\n    return number // 2\\n' >> shop/orders.py"
RESET = "git checkout -q main -- . && git clean -fdq tests && git reset -q"
STAGED = f"{RESET} && git apply --index fix.diff"
WEAK = "sed -i '6,$d' tests/test_cart.py"
"""Leave one assertion, so that several edits pass."""
TEMPLATES = Expected((0, 6), f"{RESET} && {WEAK}", model="")
NO_HUB = Expected((75,), output="the hub does not answer")
"""What a data set by its name leads to: nothing here reaches the hub."""
TALK = Expected(model="talk.jsonl")
PROOF = Expected((0, 6), RESET, docker=True)
EXPECTED: Mapping[str, Expected] = {
    "printf": TALK,
    "swe-agent -c": Expected(input="/quit\n", model="talk.jsonl"),
    "swe-agent -p": TALK,
    "swe-agent --resume": Expected(input="1\n/quit\n", model="talk.jsonl"),
    'swe-agent "add a test"': TALK,
    "pytest": Expected((0, 1)),
    "swe-agent batch --instances tasks.jsonl --out OUT": Expected(before="rm -rf OUT && cp verified.jsonl tasks.jsonl"),
    "swe-agent batch --instances lite": NO_HUB,
    "swe-agent bench": NO_HUB,
    "swe-agent bench --model M --set ./own.jsonl": Expected(before="cp verified.jsonl own.jsonl"),
    "swe-agent locate --issue-file bug.md --run": Expected(docker=True),
    "swe-agent locate --log ci.log --good v1.2 --reproduce": Expected(docker=True),
    "swe-agent mcp --http": Expected((0, 130, 143)),
    "swe-agent reproduce": Expected(docker=True),
    "swe-agent acp": Expected(input=INITIALIZE % 1, output='"protocolVersion"'),
    "swe-agent config key": Expected(input="sk-ant-not-a-key\n", output="keyring"),
    "swe-agent fix  ": TEMPLATES,
    "swe-agent fix --issue-file bug.md --budget": Expected(before=RESET),
    "swe-agent fix --issue-file bug.md --reproduce": TEMPLATES,
    "swe-agent fix --text": TEMPLATES,
    "swe-agent fork": Expected(before="rm -r $SWE_AGENT_STATE/runs/$(ls $SWE_AGENT_STATE/runs | tail -1)"),
    "swe-agent mcp": Expected(input=INITIALIZE % '"2025-06-18"', output='"protocolVersion"'),
    "swe-agent memory forget 2": Expected(before="swe-agent memory add 'A second fact.'"),
    "swe-agent optimize": Expected((0, 1, 6), RESET, model="", seconds=90),
    "swe-agent prove": PROOF,
    "swe-agent prove --staged": Expected((0, 6), STAGED, docker=True),
    "swe-agent prove --check": Expected(
        (0, 6), f"{RESET} && swe-agent prove --patch fix.diff --issue-file bug.md --bundle proof.tar", docker=True
    ),
    "swe-agent resume RUN --choose": Expected((0, 6), model=""),
    "swe-agent review": Expected(before=RESET, docker=True),
    "swe-agent synth": Expected(before=f"{RESET} && rm -rf tasks.*"),
    "swe-agent synth ../shop --out tasks.jsonl --kinds rewrite": Expected((0, 1), "rm -rf tasks.*"),
    "swe-agent test": Expected((0, 1), RESET, model="", seconds=90),
    "swe-agent test --changed": Expected((0, 1), f"{RESET} && {EDITED}", model="", seconds=90),
}
"""By the beginning of a command; the longest one counts."""
NOT_RUN: Mapping[str, str] = {
    "cd ~/code/calc && swe-agent fix --issue https://gitlab.com": "tests/extensions/gitlab runs it with a stand-in",
    "swe-agent synth ../shop --out tasks.jsonl --count 500": "needs a cluster with Ray, an extra that is not installed",
    "swe-agent synth pathspec": "needs Ray and another person's repository",
    "swe-agent synth $1": "is in a shell function, and the repositories are another person's",
}
"""Commands that cannot run here, by their beginning, with the reason."""


STOPPED = (
    "--http 8765 2> $HOME/said & until grep 8765 $HOME/said; do kill -0 $! || break; sleep 0.2; done; kill $!; wait $!"
)
"""Ends a server once it says where it is."""


def is_run(command: CommandLine) -> bool:
    return not any(command.text.startswith(beginning) for beginning in NOT_RUN)


def expected(command: CommandLine) -> Expected:
    """Return what a command needs and leads to."""
    matching = [beginning for beginning in EXPECTED if command.text.startswith(beginning)]
    return EXPECTED[max(matching, key=len)] if matching else Expected()


def with_values(text: str, shop: ExampleShop) -> str:
    """Return a command with values in place of the words in capitals, and the stand-in for GitHub."""
    run, earlier = shop.last_run(), shop.last_run(2)
    if "--choose" in text:
        run = shop.last_run(strategy="templates")
    values = {
        "https://github.com/you/shop/pull/15": f"{shop.hub.url}/octo/shop/pull/7",
        "https://github.com": shop.hub.url,
        r"--model M\b": f"--model {shop.model}",
        r"--pr URL\b": f"--pr {shop.hub.url}/octo/shop/pull/7",
        r"--issue URL\b": f"--issue {shop.hub.url}/you/shop/issues/12",
        r"RUN1\b": earlier,
        r"RUN2\b": run,
        r"RUN@3\b": f"{run}@1",
        r"RUN@7\b": f"{run}@2",
        r"RUN\.\.\. (?!--format F)": f"{earlier} {run} ",
        r"RUN(?:\.\.\.|…)?(?=[@ \n]|$)": run,
        r"\[STEP\]": "2",
        r"--format F\b": "--format markdown",
        r"/actions/runs/\d+": "/actions/runs/123",
        "/tmp/events.jsonl": "$HOME/events.jsonl",
        r"--http 8765": STOPPED,
        r"--count \d+": "--count 1",
        "--kinds plant,mutate": "--kinds plant,mutate --count 1",
        r"--choose B\b": "--choose A",
        r"get NAME\b": "get budget",
        r"set NAME VALUE\b": "set budget 0.5",
        r"key PROVIDER\b": "key anthropic",
        r"20261121-1337\b": run,
    }
    for pattern, value in values.items():
        text = re.sub(pattern, lambda match, value=value: value, text)
    return text
