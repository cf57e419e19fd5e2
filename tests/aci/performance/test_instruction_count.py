"""The choice of a way to count, what may be set side by side, and what a room for it is allowed."""

import pytest

from aci.counters import Tool
from aci.performance.count_job import CountJob, LocalHost, choose_backend, relative_spread, validate_answer
from aci.performance.instruction_count import Count, Counts, fork_for_counting, incomparable_reason
from aci.runtime.guest_programs import install_programs
from trajectories.errors import UsageError

PERSONALITY = "import ctypes; print(ctypes.CDLL(None).personality({}))"
NO_RANDOMIZE, READ_IMPLIES_EXEC = 0x0040000, 0x0400000


def counts(backend="valgrind", in_c=(), **conditions):
    told = {"python": "3.11", "hash seed": "0", **conditions}
    return Counts(backend, (Count(2, 1),), told, tuple(in_c))


def test_only_counts_of_one_way_and_one_python_are_set_side_by_side():
    assert incomparable_reason(counts(), counts(tool="another")) == ""
    assert incomparable_reason(counts(), counts("opcodes")) == (
        "not comparable: counted by valgrind before and by opcodes after"
    )
    assert incomparable_reason(counts(), counts(python="3.12")) == "not comparable: another python"
    assert "C (none before, sorted:1 after)" in incomparable_reason(
        counts("opcodes", [""]), counts("opcodes", ["sorted:1"])
    )
    assert incomparable_reason(counts("opcodes", ["len:2"]), counts("opcodes", ["len:2"])) == ""


def test_way_is_chosen_and_others_say_why_not(tmp_path):
    desk = LocalHost(str(tmp_path))
    install_programs(desk.write, str(tmp_path), "performance.meters")
    name, tool = choose_backend(desk)
    assert name in ("hardware", "valgrind", "opcodes")
    assert ("not hardware" in tool.conditions) == (name != "hardware")
    assert choose_backend(desk, "opcodes")[0] == "opcodes"
    with pytest.raises(UsageError, match="no way to count named 'abacus'"):
        choose_backend(desk, "abacus")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff",
        b"[]",
        b"[1]",
        b"7",
        b"[" * 200_000,
        b'{"error": ["none"]}',
        b'{"values": [1]}',
        b'{"values": {"whole": 1.5}}',
        b'{"values": {"whole": NaN}}',
        b'{"values": {"whole": 1e999}}',
        b'{"values": {"whole": true}}',
        b'{"values": {"whole": -1}}',
        b'{"values": {"whole": "1"}}',
        b'{"values": {"whole": %s}}' % (b"9" * 30),
        b'{"values": {"whole": %s}}' % (b"9" * 9000),
        b'{"values": {}, "entries": null}',
        b'{"values": {}, "code": "0"}',
        b'{"values": {}, "died": 3}',
        b'{"values": {}, "said": 3}',
        b'{"values": {}, "in_c": {"0000 warm": []}}',
        b'{"values": {}, "conditions": []}',
    ],
)
def test_answer_that_is_none_of_ours_is_refused(tmp_path, answer):
    """It comes from where a stranger's code runs."""

    def run(line, timeout):
        next(tmp_path.glob("*.job")).with_suffix(".answer").write_bytes(answer)
        return 0, "said"

    with pytest.raises(UsageError, match="Nothing could be counted"):
        CountJob(LocalHost(str(tmp_path)), "opcodes", Tool(), str).ask(1.0, run=run, command=["true"])


def test_answer_has_all_its_parts():
    found = validate_answer({"values": {"whole": 3}, "code": 1})
    assert (found["values"], found["code"], found["entries"], found["died"]) == ({"whole": 3}, 1, 0, [])


def test_place_that_takes_too_long_is_told_of(tmp_path):
    desk = LocalHost(str(tmp_path))
    assert desk.run("echo one; sleep 60", 0.2)[0] == 124
    with pytest.raises(UsageError, match="it took too long"):
        CountJob(desk, "opcodes", Tool(), lambda job: "sleep 60").ask(0.2, command=["true"])


def test_spread_is_relative_to_least():
    assert relative_spread([100, 101, 103]) == pytest.approx(0.03)
    assert relative_spread([7]) == 0.0


@pytest.mark.slow
@pytest.mark.docker
def test_room_allows_what_counting_needs_and_nothing_else(make_repo, open_ws):
    workspace = open_ws("docker", make_repo({"a.py": ""}))

    def personality(room, wanted):
        return room.run(f"python3 -c '{PERSONALITY.format(wanted)}'").text.strip()

    with fork_for_counting(workspace, workspace.options.base.tree) as room:
        assert personality(room, NO_RANDOMIZE) == "0"
        assert personality(room, READ_IMPLIES_EXEC) == "-1"
        assert room.run("unshare --user true 2>&1").code
        assert room.run("mount -t tmpfs none /mnt 2>&1").code
        assert "NoNewPrivs:\t1" in room.run("grep NoNewPrivs /proc/self/status").text
        assert "Seccomp:\t2" in room.run("grep Seccomp: /proc/self/status").text
        assert "CapEff:\t0000000000000000" in room.run("grep CapEff /proc/self/status").text
    with workspace.fork(workspace.options.base.tree) as other:
        assert personality(other, NO_RANDOMIZE) == "-1", "only a container that counts may fix addresses"
