"""Choice of a counting backend, comparability of counts, and permissions of the counting container."""

import pytest

from aci.runtime.guest_programs import install_programs
from extensions.optimize.counters import Tool
from extensions.optimize.measurement.count_job import (
    CountJob,
    LocalHost,
    choose_backend,
    relative_spread,
    validate_answer,
)
from extensions.optimize.measurement.instruction_count import Count, Counts, fork_for_counting, incomparable_reason
from trajectories.errors import UsageError

PERSONALITY = "import ctypes; print(ctypes.CDLL(None).personality({}))"
NO_RANDOMIZE, READ_IMPLIES_EXEC = 0x0040000, 0x0400000


def counts(backend="valgrind", in_c=(), **conditions):
    all_conditions = {"python": "3.11", "hash seed": "0", **conditions}
    return Counts(backend, (Count(2, 1),), all_conditions, tuple(in_c))


def test_only_counts_of_same_backend_and_python_are_comparable():
    assert incomparable_reason(counts(), counts(tool="another")) == ""
    assert incomparable_reason(counts(), counts("opcodes")) == (
        "not comparable: counted by valgrind before and by opcodes after"
    )
    assert incomparable_reason(counts(), counts(python="3.12")) == "not comparable: different python"
    assert "C (none before, sorted:1 after)" in incomparable_reason(
        counts("opcodes", [""]), counts("opcodes", ["sorted:1"])
    )
    assert incomparable_reason(counts("opcodes", ["len:2"]), counts("opcodes", ["len:2"])) == ""


def test_backend_is_chosen_and_unavailable_ones_give_reason(tmp_path):
    host = LocalHost(str(tmp_path))
    install_programs(host.write, str(tmp_path), "optimize.meters")
    name, tool = choose_backend(host)
    assert name in ("hardware", "valgrind", "opcodes")
    assert ("not hardware" in tool.conditions) == (name != "hardware")
    assert choose_backend(host, "opcodes")[0] == "opcodes"
    with pytest.raises(UsageError, match="Unknown counting backend 'abacus'"):
        choose_backend(host, "abacus")


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
        b'{"values": {}, "code": "0"}',
        b'{"values": {}, "died": 3}',
        b'{"values": {}, "said": 3}',
        b'{"values": {}, "in_c": {"0000 warm": []}}',
        b'{"values": {}, "conditions": []}',
    ],
)
def test_malformed_answer_is_refused(tmp_path, answer):
    """The answer comes from a process that runs untrusted code."""

    def run(line, timeout):
        next(tmp_path.glob("*.job")).with_suffix(".answer").write_bytes(answer)
        return 0, "said"

    with pytest.raises(UsageError, match="Counting failed"):
        CountJob(LocalHost(str(tmp_path)), "opcodes", Tool(), str).ask(1.0, run=run, command=["true"])


def test_missing_fields_of_answer_have_defaults():
    validated = validate_answer({"values": {"whole": 3}, "code": 1})
    assert (validated["values"], validated["code"], validated["died"]) == ({"whole": 3}, 1, [])


def test_command_that_takes_too_long_is_reported(tmp_path):
    host = LocalHost(str(tmp_path))
    assert host.run("echo one; sleep 60", 0.2)[0] == 124
    with pytest.raises(UsageError, match="it took too long"):
        CountJob(host, "opcodes", Tool(), lambda job: "sleep 60").ask(0.2, command=["true"])


def test_spread_is_relative_to_smallest_value():
    assert relative_spread([100, 101, 103]) == pytest.approx(0.03)
    assert relative_spread([7]) == 0.0


@pytest.mark.slow
@pytest.mark.docker
def test_counting_container_gets_only_required_permissions(make_repo, open_ws):
    workspace = open_ws("docker", make_repo({"a.py": ""}))

    def personality(container, wanted):
        return container.run(f"python3 -c '{PERSONALITY.format(wanted)}'").text.strip()

    with fork_for_counting(workspace, workspace.options.base.tree) as container:
        assert personality(container, NO_RANDOMIZE) == "0"
        assert personality(container, READ_IMPLIES_EXEC) == "-1"
        assert container.run("unshare --user true 2>&1").code
        assert container.run("mount -t tmpfs none /mnt 2>&1").code
        assert "NoNewPrivs:\t1" in container.run("grep NoNewPrivs /proc/self/status").text
        assert "Seccomp:\t2" in container.run("grep Seccomp: /proc/self/status").text
        assert "CapEff:\t0000000000000000" in container.run("grep CapEff /proc/self/status").text
    with workspace.fork(workspace.options.base.tree) as other:
        assert personality(other, NO_RANDOMIZE) == "-1", "only the counting container may fix addresses"
