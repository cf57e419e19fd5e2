"""Commands that must not break a shell, run in each shell of this machine and in each workspace."""

from __future__ import annotations

import threading
import time

import pytest

from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.shell_session import Shell
from aci.runtime.workspace import CommandResult
from tests.aci.workspaces.conformance.conftest import check_output

AnyShell = Shell | PosixWorkspace


def test_directory_variables_and_functions_persist(shell: AnyShell) -> None:
    shell.run("mkdir -p 'a b'; cd 'a b'; export A=1; B=2; f() { echo f; }")
    assert check_output(shell, 'echo "$A$B"; f').split() == ["12", "f"]
    assert shell.run("pwd").cwd.endswith("/a b")


def test_alias_umask_and_option_persist(shell: AnyShell) -> None:
    shell.run("alias ll='echo listed'; umask 077; set -f")
    assert check_output(shell, "umask; echo *; set +f").split() == ["0077", "*"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("true", 0),
        ("false", 1),
        ("(exit 3)", 3),
        ("sh -c 'exit 200'", 200),
        ("sh -c 'kill -9 $$'", 137),
        ("sh -c 'kill -TERM $$'", 143),
        ("no-such-program-anywhere", 127),
        ("/", 126),
        ("! true", 1),
        ("false | true", 0),
        ("true && false", 1),
        ("cd /no/such/folder 2>/dev/null || (exit 9)", 9),
    ],
)
def test_exit_status_is_reported(shell: AnyShell, command: str, code: int) -> None:
    result = shell.run(command)
    assert (result.code, result.restarted) == (code, False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("exit 3", 3),
        ("exit", 0),
        ("exec true", 0),
        ("exec sh -c 'exit 5'", 5),
        ("kill -9 $$", 137),
        ("kill -HUP $$; sleep 5", 129),
        ("set -e; false; echo not here", 1),
        ("set -u; unset PWD; exit 6", 6),
        ("trap 'echo trapped' EXIT; exit 4", 4),
        ("sleep 30 & exit 4", 4),
        ("ulimit -t 1; while :; do :; done", (137, 152)),
    ],
)
def test_shell_that_died_is_replaced(shell: AnyShell, command: str, code: int | tuple[int, ...]) -> None:
    shell.run("mkdir d; cd d; export A='x\n'\"'y\"; B=gone")
    result = shell.run(f"echo before; {command}", timeout=20)
    assert result.code in (code if isinstance(code, tuple) else (code,))
    assert result.text.startswith("before\n")
    assert result.restarted
    assert check_output(shell, 'echo "$A|$B"; basename "$PWD"') == "x\n'y|\nd"
    assert shell.run("true").restarted is False


@pytest.mark.parametrize(
    "command",
    [
        "echo 'open",
        'echo "open',
        "echo )",
        "if",
        "{ echo",
        "f() {",
        "echo $((",
        "echo `",
        "echo $(",
        "echo ${",
        "case x in",
        "(",
        "<<'E",
        "cat <<",
        ";;",
        "& &",
        "| cat",
        "done",
        "for x in a b; do echo",
        "while true; do",
        "echo > ",
    ],
)
def test_syntax_error_is_reported_and_shell_continues(shell: AnyShell, command: str) -> None:
    result = shell.run(command)
    assert result.code != 0
    assert check_output(shell, "echo alive") == "alive"


CASES = [
    ("standard input is empty", "cat", ""),
    ("read gets the end of input", "read x; echo $?", "1\n"),
    ("a here-document", "cat <<E\nfoo $((1+1))\nE", "foo 2\n"),
    ("a quoted here-document", "cat <<'E'\n$x\nE\n", "$x\n"),
    ("a here-document with tabs", "cat <<-E\n\tx\n\tE\n", "x\n"),
    ("two here-documents", "cat <<A; cat <<B\n1\nA\n2\nB\n", "1\n2\n"),
    ("a here-document like a frame", "cat <<E\nend 1 0 /\nE", "end 1 0 /\n"),
    ("a trailing comment", "echo x # comment", "x\n"),
    ("only a comment", "# only this", ""),
    ("nothing", "", ""),
    ("blanks", "   ", ""),
    ("a backslash at the end", "echo x\\", "x\\\n"),
    ("several lines", "echo a\necho b\n\n\necho c", "a\nb\nc\n"),
    ("a line continued", "echo a \\\nb", "a b\n"),
    ("Windows line ends in a string", "printf 'a\\r\\nb\\r\\n'", "a\r\nb\r\n"),
    ("a lone carriage return", "printf '10%%\\r20%%\\r'", "10%\r20%\r"),
    ("no newline at the end", "printf 'no newline'", "no newline"),
    ("NUL and 255", "printf '\\000\\377\\r\\n'", "\0\ufffd\r\n"),
    ("half a character", "printf '\\303'", "\ufffd"),
    ("half a character, then the other half", "printf '\\303'; printf '\\251\\n'", "é\n"),
    ("both channels in turn", "echo out; echo err >&2; echo out", "out\nerr\nout\n"),
    ("standard output to /dev/null", "exec >/dev/null; echo lost", ""),
    ("standard output closed", "exec 1>&-; echo lost 2>/dev/null", ""),
    ("standard error closed", "exec 2>&-; echo kept", "kept\n"),
    ("all closed", "exec 0<&- 1>&- 2>&-", ""),
    ("control descriptors closed", "exec 8>&- 9<&-; echo output", "output\n"),
    ("control descriptors redirected", "exec 8>/dev/null 1>&8; echo lost", ""),
    ("extra descriptors", "exec 7>x; echo y >&7; exec 7>&-; cat x", "y\n"),
    ("arguments set", "set -- a b; echo $#", "2\n"),
    ("another field separator", "IFS=x; echo ok", "ok\n"),
    ("many options", "set -f; set -C; set -a; set -u; echo ok", "ok\n"),
    ("verbose", "set -v; echo v", "v\n"),
    ("a missing variable is an error", "set -u; unset PWD; echo u", "u\n"),
    ("a trap of a signal", "trap 'echo trapped' TERM; kill -TERM $$", "trapped\n"),
    ("ignored signals", "trap '' INT HUP TERM PIPE; kill -INT $$; echo on", "on\n"),
    ("PWD and PATH unset", "unset PWD PATH; echo ok", "ok\n"),
    ("PATH without programs", "PATH=/nowhere; export PATH; ls 2>/dev/null; echo $?", "127\n"),
    ("HOME unset", "unset HOME; cd 2>/dev/null; echo on", "on\n"),
    ("every variable unset", "unset $(env | sed -n 's/^\\([A-Z_]*\\)=.*/\\1/p') 2>/dev/null; echo on", "on\n"),
    ("a variable of many lines", "X='end 1 0 /\n'; export X; echo \"$X\"", "end 1 0 /\n\n"),
    ("a missing locale", "{ LC_ALL=xx_XX.nothing; export LC_ALL; } 2>/dev/null; echo ok", "ok\n"),
    ("non-ASCII bytes in the C locale", "LC_ALL=C; export LC_ALL; printf '\\351\\n'", "\ufffd\n"),
    ("output like a frame", "echo end 1 0 /; echo 'bye 0'", "end 1 0 /\nbye 0\n"),
    ("aliases over builtins", "alias printf=false eval=false export=false cd=false; echo a", "a\n"),
    ("a function named command", "command() { :; }; echo c", "c\n"),
    ("functions over builtins", "printf() { :; }; cd() { :; }; kill() { :; }; echo f", "f\n"),
    ("a function named test", "test() { return 1; }; echo t", "t\n"),
    ("half a surrogate", "echo \udce9", "?\n"),
    ("a NUL from printf", "printf 'a\\0b' | wc -c | tr -d ' '", "3\n"),
    ("escape sequences", "printf '\\033[2J\\033]0;title\\007'", "\033[2J\033]0;title\007"),
    ("a subshell that exits", "(exit 0); echo on", "on\n"),
    ("a pipe whose reader ends", "yes 2>/dev/null | head -n 1", "y\n"),
    ("the current folder deleted", "mkdir g; cd g; rmdir ../g; echo on", "on\n"),
    ("a command with many words", "echo " + "x " * 5_000 + "| wc -w | tr -d ' '", "5000\n"),
]


@pytest.mark.parametrize(("command", "output"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_command_does_not_break_framing(shell: AnyShell, command: str, output: str) -> None:
    assert shell.run(command, timeout=20).text == output
    assert shell.run("echo next", timeout=20).text.endswith("next\n")


@pytest.mark.parametrize(
    "command", ["set -u; echo $NOT_SET; echo on", ". /no/such/file; echo on", "unset() { :; }; echo on", "return 5"]
)
def test_shell_answers_after_command_that_may_end_it(shell: AnyShell, command: str) -> None:
    shell.run("export A=1")
    shell.run(command)
    assert check_output(shell, "echo next $A").endswith("next 1")


@pytest.mark.parametrize("file", ["cmdline", "environ"])
def test_frame_marks_are_not_visible_in_proc(shell: AnyShell, file: str) -> None:
    shell.run(":")
    marks = (shell if isinstance(shell, Shell) else shell._sessions["main"])._marks
    output = check_output(shell, f"cat /proc/$PPID/{file} /proc/$$/{file} | tr -d '\\0'")
    assert output
    assert not any(mark in output for mark in marks)


def test_function_named_command_does_not_hide_exit_status(shell: AnyShell) -> None:
    assert shell.run("command() { return 0; }; (exit 3)").code == 3


def test_tracing_does_not_show_control_commands(shell: AnyShell) -> None:
    assert "printf" not in shell.run("set -x; echo t").text
    assert "printf" not in shell.run("echo u").text


def test_nul_bytes_are_refused(shell: AnyShell) -> None:
    assert shell.run("echo a\0b").code == 2


def test_command_of_half_megabyte_is_run(shell: AnyShell) -> None:
    assert check_output(shell, "x='" + "é" * 250_000 + '\'; printf %s "$x" | wc -c').strip() == "500000"


def test_middle_of_long_output_is_dropped(shell: AnyShell) -> None:
    size = 20_000_000
    result = shell.run(f"printf head; head -c {size} /dev/zero; printf tail")
    assert len(result.output) <= 16_000_000
    assert len(result.output) + result.cut == size + 8
    assert result.output.startswith(b"head\0")
    assert result.output.endswith(b"\0tail")


def test_background_job_does_not_hold_shell(shell: AnyShell) -> None:
    assert not shell.run("sleep 90 &", timeout=60).timed_out
    assert shell.run("sleep 90 & exit 1", timeout=60).code == 1


def test_output_of_background_job_comes_later(shell: AnyShell) -> None:
    shell.run("(sleep 0.2; echo late) &")
    assert shell.run("sleep 0.5").text == "late\n"


def test_background_job_can_be_waited_for(shell: AnyShell) -> None:
    shell.run("(sleep 0.2; exit 6) & job=$!")
    assert shell.run("wait $job").code == 6


def test_time_out_returns_output_so_far(shell: AnyShell) -> None:
    shell.run("export A=1")
    result = shell.run("cd /; printf output; sleep 60", timeout=0.4)
    assert (result.code, result.text, result.timed_out, result.restarted) == (124, "output", True, True)
    assert result.cwd != "/", "the directory is the one before the command that timed out"
    assert check_output(shell, "echo alive $A") == "alive 1"


@pytest.mark.parametrize(
    "endless",
    [
        "while :; do echo yyyyyyyyyyyyyyyyyyyy; done",
        "while :; do :; done",
        "kill -STOP $$",
        "trap '' TERM INT HUP; while :; do sleep 60; done",
        "sleep 60 | cat",
        "exec 1>&- 2>&-; sleep 60",
        "set -n",
        "wait; sh -c 'sleep 60 & wait'",
    ],
)
def test_endless_command_is_ended(shell: AnyShell, endless: str) -> None:
    result = shell.run(endless, timeout=0.25)
    assert (result.code, result.timed_out) == (124, True)
    assert check_output(shell, "echo alive") == "alive"


def test_shell_killed_between_commands_is_replaced(shell: AnyShell) -> None:
    shell.run("cd /; export A=kept; (sleep 0.2; kill -9 $$) &")
    time.sleep(0.6)
    result = shell.run('echo "$PWD $A"')
    assert (result.text, result.restarted) == ("/ kept\n", True)


def test_restart_in_removed_directory_starts_in_first_one(shell: AnyShell) -> None:
    first = check_output(shell, "pwd")
    shell.run('mkdir gone; cd gone; rmdir "$PWD"')
    assert shell.run("exit").restarted
    assert check_output(shell, "pwd") == first


def test_commands_of_threads_run_one_at_a_time(shell: AnyShell) -> None:
    results: list[CommandResult] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(shell.run(f"printf {n}; sleep 0.05; printf {n}")))
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.text for result in results) == ["00", "11", "22", "33", "44", "55"]
