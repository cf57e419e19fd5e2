"""Profiles of functions and lines for real workloads, with margins larger than the noise of any machine."""

from __future__ import annotations

import json
import pickle
import shlex
from dataclasses import dataclass
from typing import Any

import pytest

from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.target_function import Target
from extensions.optimize.measurement.profiling import (
    MODULE,
    Frame,
    FunctionTime,
    Profile,
    format_flame_graph,
    hottest_functions,
    profile_command,
    profile_lines,
    to_speedscope,
)
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.errors import Cancelled, UsageError

SHOP = """\
import json
import sys


def once(function):
    return function


class Cart:
    def total(self, n):
        return sum(each.price(n) for each in [self] * 30)

    @once
    def price(self, n):
        def inner(m):
            total = 0
            for i in range(m):
                total += i * i
            return total

        return inner(n)


def in_c(n):
    return len(sorted(range(n), key=lambda i: -i)) + len(sorted(str(i) for i in range(n)))


def light():
    return 1


def work(n):
    light()
    light()
    return Cart().total(n), in_c(20)


if __name__ == "__main__":

    def at_the_end(n):
        return work(n)

    at_the_end(int(sys.argv[1]))
"""
FILES = {
    "shop.py": SHOP,
    "tests/test_shop.py": "import shop\n\n\ndef busy():\n    return sum(i * i for i in range(2_000_000))\n\n\n"
    "def test_it():\n    assert busy()\n    assert shop.in_c(150_000)\n",
    "children.py": """\
import multiprocessing, os, subprocess, sys, threading
import shop

def child(n):
    shop.in_c(n)

def threaded(n):
    return shop.Cart().price(n)

if __name__ == "__main__":
    made = multiprocessing.get_context("fork").Process(target=child, args=(150_000,))
    made.start()
    made.join()
    thread = threading.Thread(target=threaded, args=(2_000_000,))
    thread.start()
    thread.join()
    subprocess.run([sys.executable, "-c", "import shop; shop.work(30_000)"], check=True)
""",
}


@pytest.fixture
def workspace(make_repo: MakeRepo, open_ws: OpenWorkspace) -> PosixWorkspace:
    return open_ws("local", make_repo(FILES))


def by_name(profile: Profile) -> dict[str, FunctionTime]:
    return {one.target.name: one for one in profile.spent}


@pytest.mark.slow
def test_profile_has_own_and_total_times_calls_and_candidates(
    kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace
) -> None:
    profile = profile_command(open_ws(kind, make_repo(FILES)), "python3 shop.py 100000")
    spent = by_name(profile)
    price, total, work = spent["Cart.price"], spent["Cart.total"], spent["work"]
    assert price.own > 5 * total.own
    assert price.share > 0.5
    assert total.total >= price.total
    assert work.total >= total.total
    assert work.total_share <= 1.0
    assert (price.calls, total.calls, work.calls) == (30, 1, 1)
    assert [one.target for one in hottest_functions(profile, 1)] == [Target("shop.py", "Cart.price")]
    assert all("at_the_end" not in one.target.name for one in hottest_functions(profile, 99, 0))
    assert spent[MODULE].total >= work.total, "code in a `__main__` block belongs to the module"
    assert profile.processes == 1


def test_time_in_c_and_libraries_belongs_to_caller(workspace: PosixWorkspace) -> None:
    spent = by_name(profile_command(workspace, 'python -c "import shop; shop.in_c(300_000)"', calls=False))
    assert spent["in_c"].share > 0.5
    assert spent["in_c"].calls == 0, "calls were not counted"


@pytest.mark.slow
def test_functions_in_tests_are_not_candidates(workspace: PosixWorkspace) -> None:
    profile = profile_command(workspace, "python -m pytest -q -p no:cacheprovider tests")
    assert Target("tests/test_shop.py", "busy") in {one.target for one in profile.spent}
    assert hottest_functions(profile)[0].target == Target("shop.py", "in_c")
    assert all(one.target.path == "shop.py" for one in hottest_functions(profile, 99, 0))


@pytest.mark.slow
def test_child_processes_and_threads_are_profiled(workspace: PosixWorkspace) -> None:
    profile = profile_command(workspace, "python children.py")
    spent = by_name(profile)
    assert spent["child"].total > 0
    assert spent["threaded"].total > 0
    assert spent["work"].total > 0
    assert spent["in_c"].calls == 2
    assert spent["Cart.price"].calls == 31
    assert profile.processes == 3


@pytest.mark.slow
def test_process_that_exits_abruptly_is_profiled(workspace: PosixWorkspace) -> None:
    profile = profile_command(workspace, "python -c 'import os, shop; shop.in_c(300_000); os._exit(0)'")
    assert by_name(profile)["in_c"].share > 0.5


@pytest.mark.slow
def test_profiler_hides_its_thread_and_keeps_sitecustomize(make_repo: MakeRepo, open_ws: Any) -> None:
    code = (
        "import builtins, shop, threading; assert builtins.mine and threading.active_count() == 1; shop.in_c(1_000_000)"
    )
    workspace = open_ws("local", make_repo({**FILES, "sitecustomize.py": "import builtins\nbuiltins.mine = True\n"}))
    assert by_name(profile_command(workspace, f"python -c {shlex.quote(code)}"))["in_c"].total > 0


@pytest.mark.parametrize(
    ("command", "message"), [("true", r"No Python code .* was sampled\."), ("exit 3", "No Python code.*status 3")]
)
def test_command_without_samples_is_refused(workspace: PosixWorkspace, command: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        profile_command(workspace, command)


@pytest.mark.slow
def test_failing_workload_is_profiled_until_failure(workspace: PosixWorkspace) -> None:
    profile = profile_command(workspace, 'python -c "import shop; shop.in_c(200_000); raise SystemExit(3)"; exit 4')
    assert (profile.code, by_name(profile)["in_c"].calls) == (4, 1)
    assert profile_command(workspace, "python -c 'import shop; shop.in_c(200_000)'", calls=False).code == 0


def test_interrupted_profile_raises_cancelled(workspace: PosixWorkspace) -> None:
    with pytest.raises(Cancelled):
        profile_command(workspace, "exit 130")


@pytest.mark.slow
def test_workload_that_exceeds_timeout_is_refused(workspace: PosixWorkspace) -> None:
    with pytest.raises(UsageError, match="within 1 s"):
        profile_command(workspace, "sleep 60", timeout=1)


@pytest.mark.slow
def test_long_workload_is_profiled_until_the_time_limit(workspace: PosixWorkspace) -> None:
    command = "python -c 'import shop, time; [shop.in_c(200_000) for _ in range(4)]; time.sleep(600)'"
    profile = profile_command(workspace, command, timeout=15, calls=False, may_cut=True)
    assert profile.is_cut
    assert by_name(profile)["in_c"].total > 0


@pytest.mark.slow
def test_time_in_python_code_of_libraries_is_not_inside(workspace: PosixWorkspace) -> None:
    workspace.write("copying.py", b"import copy\ndef copied(n):\n    return copy.deepcopy(list(range(n)))\n")
    code = "import shop, copying; copying.copied(600_000); shop.in_c(300_000)"
    spent = by_name(profile_command(workspace, f"python -c {shlex.quote(code)}", calls=False))
    assert spent["copied"].inside < 0.2 * spent["copied"].own
    assert spent["in_c"].inside > 0.8 * spent["in_c"].own


def test_invalid_profile_data_is_ignored(workspace: PosixWorkspace) -> None:
    code = """
import json, os, shop
out = json.loads(os.environ["SWE_AGENT_PROFILE"])["out"]
rows = [["../../etc/passwd", "x", 1, "evil"], ["shop.py", "shop.py", 10, "Cart.total"]]
good = {"command": [], "frames": rows, "stacks": [[[0, 1], 1e6], [[7], 1], [[1], -4], [[1], 1e30]], "calls": [[9, 1]]}
for name, text in [("a", json.dumps(good)), ("b", "[" * 100000), ("c", "{}"), ("d", '{"frames": 3}')]:
    open(os.path.join(out, name + ".json"), "w").write(text)
"""
    profile = profile_command(workspace, f"python -c {shlex.quote(code)}")
    assert by_name(profile)["Cart.total"].own == pytest.approx(1e6)
    assert profile.seconds < 1e6 + 60


# Views


def make_profile(
    *stacks: tuple[tuple[int, ...], float], names: tuple[str, ...] = ("main", "helper", "deep")
) -> Profile:
    frames = [Frame(name, "shop.py", n + 1, Target("shop.py", name)) for n, name in enumerate(names)]
    return Profile("python shop.py", (*frames, Frame("sort", "<built-in>", 0)), stacks, (), 1)


def test_speedscope_follows_published_schema(workspace: PosixWorkspace) -> None:
    for profile in (
        profile_command(workspace, "python shop.py 30000", calls=False),
        make_profile(((0, 1, 3), 1.5), ((0, 2), 0.5)),
    ):
        check_speedscope(json.loads(to_speedscope(profile)))


def check_speedscope(file: dict[str, Any]) -> None:
    """Check a file with a sampled profile against https://www.speedscope.app/file-format-schema.json."""
    assert file["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert set(file) <= {"$schema", "shared", "profiles", "name", "activeProfileIndex", "exporter"}
    assert {"$schema", "shared", "profiles"} <= set(file)
    frames = file["shared"]["frames"]
    for frame in frames:
        assert set(frame) <= {"name", "file", "line", "col"}
        assert isinstance(frame["name"], str)
        assert isinstance(frame.get("file", ""), str)
        assert isinstance(frame.get("line", 1), int)
    (profile,) = file["profiles"]
    assert set(profile) == {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}
    assert profile["type"] == "sampled"
    assert profile["unit"] in {"bytes", "microseconds", "milliseconds", "nanoseconds", "none", "seconds"}
    assert len(profile["samples"]) == len(profile["weights"]) > 0
    assert all(0 <= number < len(frames) for sample in profile["samples"] for number in sample)
    assert sum(profile["weights"]) == pytest.approx(profile["endValue"] - profile["startValue"])


def test_speedscope_contains_stacks_as_sampled() -> None:
    file = json.loads(to_speedscope(make_profile(((0, 1, 3), 1.5), ((0, 2), 0.5)), "a name"))
    assert file["profiles"][0]["samples"] == [[0, 1, 3], [0, 2]]
    assert file["profiles"][0]["weights"] == [1.5, 0.5]
    assert file["profiles"][0]["endValue"] == 2.0
    assert file["shared"]["frames"][3] == {"name": "sort"}
    assert file["name"] == "a name"


def test_flame_graph_shows_callees_below_their_callers() -> None:
    text = format_flame_graph(make_profile(((0, 1, 3), 6.0), ((0, 1, 2), 2.0), ((0,), 2.0), ((3,), 10.0)), 60)
    assert [line.split("█")[0].rstrip() for line in text.splitlines()] == [
        " 50.0% shop.py:main",
        " 40.0%  shop.py:helper",
        " 10.0%   shop.py:deep",
    ]
    assert [line.count("█") for line in text.splitlines()] == [8, 6, 2]
    assert len({line.index("█") for line in text.splitlines()}) == 1


def test_flame_graph_respects_its_size_and_escapes_names() -> None:
    names = tuple(f"{'f' * 90}\x1b[31m\n{n}" for n in range(40))
    text = format_flame_graph(make_profile((tuple(range(40)), 1.0), names=names), 50, 7)
    assert len(text.splitlines()) == 7
    assert all(len(line) <= 50 for line in text.splitlines())
    assert "\x1b" not in text


def test_flame_graph_shows_recursive_function_once() -> None:
    text = format_flame_graph(make_profile(((0, 1, 2, 1, 2, 1), 1.0), ((0, 1, 2), 1.0)))
    assert [line.split()[1] for line in text.splitlines()] == ["shop.py:main", "shop.py:helper", "shop.py:deep"]


# Lines


@dataclass
class Call:
    data: bytes


def call(*arguments: object, **named: object) -> Call:
    return Call(pickle.dumps((arguments, named), 4))


LINES = """\
def slow(values):
    found = []
    for value in values:
        twice = value * 2
        if twice in found:
            continue
        found.append(twice)
    return sorted(found)


def helper(n):
    return sum(range(100 * n))


def through(n):
    first = 1
    return helper(n) + first


def lazy(n):
    for i in range(n):
        yield i


async def later(n):
    return len([i * i for i in range(n)])


def fails(n):
    x = n + 1
    raise ValueError(x)
"""


@pytest.fixture
def lines_workspace(make_repo: MakeRepo, open_ws: OpenWorkspace) -> PosixWorkspace:
    return open_ws("local", make_repo({"work.py": LINES}))


@pytest.mark.slow
def test_most_expensive_line_is_first(kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    workspace = open_ws(kind, make_repo({"work.py": LINES}))
    profile = profile_lines(workspace, Target("work.py", "slow"), [call(list(range(3000))), call([1, 1])])
    assert profile[0].line == 5
    assert profile[0].share > 0.5
    assert sum(one.share for one in profile) == pytest.approx(1.0)
    assert {one.line: one.runs for one in profile} == {2: 2, 3: 3004, 4: 3002, 5: 3002, 6: 1, 7: 3001, 8: 2}


@pytest.mark.slow
def test_time_of_called_functions_belongs_to_line(lines_workspace: PosixWorkspace) -> None:
    first, second = profile_lines(lines_workspace, Target("work.py", "through"), [call(200_000)])
    assert (first.line, second.line) == (17, 16)
    assert first.share > 0.9


@pytest.mark.parametrize(("name", "line", "runs"), [("lazy", 22, 500), ("later", 26, None), ("fails", 31, 1)])
def test_generators_coroutines_and_exceptions_are_profiled(
    lines_workspace: PosixWorkspace, name: str, line: int, runs: int | None
) -> None:
    profile = {one.line: one for one in profile_lines(lines_workspace, Target("work.py", name), [call(500)])}
    assert line in profile
    assert runs is None or profile[line].runs == runs


def test_unknown_function_is_refused(lines_workspace: PosixWorkspace) -> None:
    with pytest.raises(UsageError, match="line by line"):
        profile_lines(lines_workspace, Target("work.py", "absent"), [call(1)])
