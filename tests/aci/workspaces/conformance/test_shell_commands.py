"""What no command can do to a shell, asked of each shell of this machine and of each workspace."""

from __future__ import annotations

import threading
import time

import pytest

from aci.runtime.posix_workspace import PosixWorkspace
from aci.runtime.shell_session import Shell
from aci.runtime.workspace import CommandResult
from tests.aci.workspaces.conformance.conftest import out

Asked = Shell | PosixWorkspace


def test_directory_variables_and_functions_last(shell: Asked) -> None:
    shell.run("mkdir -p 'a b'; cd 'a b'; export A=1; B=2; f() { echo f; }")
    assert out(shell, 'echo "$A$B"; f').split() == ["12", "f"]
    assert shell.run("pwd").cwd.endswith("/a b")


def test_alias_umask_and_option_last(shell: Asked) -> None:
    shell.run("alias ll='echo listed'; umask 077; set -f")
    assert out(shell, "umask; echo *; set +f").split() == ["0077", "*"]


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
def test_exit_status_is_told(shell: Asked, command: str, code: int) -> None:
    ran = shell.run(command)
    assert (ran.code, ran.restarted) == (code, False)


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
def test_shell_that_died_is_replaced(shell: Asked, command: str, code: int | tuple[int, ...]) -> None:
    shell.run("mkdir d; cd d; export A='x\n'\"'y\"; B=gone")
    ran = shell.run(f"echo before; {command}", timeout=20)
    assert ran.code in (code if isinstance(code, tuple) else (code,))
    assert ran.text.startswith("before\n")
    assert ran.restarted
    assert out(shell, 'echo "$A|$B"; basename "$PWD"') == "x\n'y|\nd"
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
def test_syntax_error_is_answer(shell: Asked, command: str) -> None:
    ran = shell.run(command)
    assert ran.code != 0
    assert out(shell, "echo alive") == "alive"


QUIET = [
    ("standard input is empty", "cat", ""),
    ("read finds the end", "read x; echo $?", "1\n"),
    ("a here-document", "cat <<E\nfoo $((1+1))\nE", "foo 2\n"),
    ("a quoted here-document", "cat <<'E'\n$x\nE\n", "$x\n"),
    ("a here-document with tabs", "cat <<-E\n\tx\n\tE\n", "x\n"),
    ("two here-documents", "cat <<A; cat <<B\n1\nA\n2\nB\n", "1\n2\n"),
    ("a here-document that holds the words of a frame", "cat <<E\nend 1 0 /\nE", "end 1 0 /\n"),
    ("a comment behind", "echo x # comment", "x\n"),
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
    ("half a character, the other half later", "printf '\\303'; printf '\\251\\n'", "é\n"),
    ("both channels in turn", "echo out; echo err >&2; echo out", "out\nerr\nout\n"),
    ("standard output thrown away", "exec >/dev/null; echo lost", ""),
    ("standard output closed", "exec 1>&-; echo lost 2>/dev/null", ""),
    ("standard error closed", "exec 2>&-; echo kept", "kept\n"),
    ("all closed", "exec 0<&- 1>&- 2>&-", ""),
    ("our descriptors closed", "exec 8>&- 9<&-; echo said", "said\n"),
    ("our descriptors turned away", "exec 8>/dev/null 1>&8; echo lost", ""),
    ("descriptors of its own", "exec 7>x; echo y >&7; exec 7>&-; cat x", "y\n"),
    ("arguments set", "set -- a b; echo $#", "2\n"),
    ("the field separator", "IFS=x; echo ok", "ok\n"),
    ("many options", "set -f; set -C; set -a; set -u; echo ok", "ok\n"),
    ("verbose", "set -v; echo v", "v\n"),
    ("a missing variable is an error", "set -u; unset PWD; echo u", "u\n"),
    ("a trap of a signal", "trap 'echo trapped' TERM; kill -TERM $$", "trapped\n"),
    ("signals ignored", "trap '' INT HUP TERM PIPE; kill -INT $$; echo on", "on\n"),
    ("PWD and PATH unset", "unset PWD PATH; echo ok", "ok\n"),
    ("PATH destroyed", "PATH=/nowhere; export PATH; ls 2>/dev/null; echo $?", "127\n"),
    ("HOME unset", "unset HOME; cd 2>/dev/null; echo on", "on\n"),
    ("every variable unset", "unset $(env | sed -n 's/^\\([A-Z_]*\\)=.*/\\1/p') 2>/dev/null; echo on", "on\n"),
    ("a variable of many lines", "X='end 1 0 /\n'; export X; echo \"$X\"", "end 1 0 /\n\n"),
    ("a locale that is not there", "{ LC_ALL=xx_XX.nothing; export LC_ALL; } 2>/dev/null; echo ok", "ok\n"),
    ("bytes that are no text under C", "LC_ALL=C; export LC_ALL; printf '\\351\\n'", "\ufffd\n"),
    ("words like a frame's", "echo end 1 0 /; echo 'bye 0'", "end 1 0 /\nbye 0\n"),
    ("aliases over builtins", "alias printf=false eval=false export=false cd=false; echo a", "a\n"),
    ("a function named command", "command() { :; }; echo c", "c\n"),
    ("functions over builtins", "printf() { :; }; cd() { :; }; kill() { :; }; echo f", "f\n"),
    ("a function named test", "test() { return 1; }; echo t", "t\n"),
    ("half a surrogate", "echo \udce9", "?\n"),
    ("a NUL by way of printf", "printf 'a\\0b' | wc -c | tr -d ' '", "3\n"),
    ("escape sequences", "printf '\\033[2J\\033]0;title\\007'", "\033[2J\033]0;title\007"),
    ("a subshell that exits", "(exit 0); echo on", "on\n"),
    ("a pipe whose reader is gone", "yes 2>/dev/null | head -n 1", "y\n"),
    ("a folder deleted from under it", "mkdir g; cd g; rmdir ../g; echo on", "on\n"),
    ("a command of many words", "echo " + "x " * 5_000 + "| wc -w | tr -d ' '", "5000\n"),
]


@pytest.mark.parametrize(("command", "output"), [case[1:] for case in QUIET], ids=[case[0] for case in QUIET])
def test_commands_cannot_disturb_frame(shell: Asked, command: str, output: str) -> None:
    assert shell.run(command, timeout=20).text == output
    assert shell.run("echo next", timeout=20).text.endswith("next\n")


@pytest.mark.parametrize(
    "command", ["set -u; echo $NOT_SET; echo on", ". /no/such/file; echo on", "unset() { :; }; echo on", "return 5"]
)
def test_what_ends_some_shells_leaves_one_that_answers(shell: Asked, command: str) -> None:
    shell.run("export A=1")
    shell.run(command)
    assert out(shell, "echo next $A").endswith("next 1")


@pytest.mark.parametrize("of", ["cmdline", "environ"])
def test_no_process_shows_what_frames_are_made_of(shell: Asked, of: str) -> None:
    shell.run(":")
    marks = (shell if isinstance(shell, Shell) else shell._sessions["main"])._marks
    shown = out(shell, f"cat /proc/$PPID/{of} /proc/$$/{of} | tr -d '\\0'")
    assert shown
    assert not any(mark in shown for mark in marks)


def test_function_named_command_does_not_hide_exit_status(shell: Asked) -> None:
    assert shell.run("command() { return 0; }; (exit 3)").code == 3


def test_tracing_shows_command_and_nothing_of_ours(shell: Asked) -> None:
    assert "printf" not in shell.run("set -x; echo t").text
    assert "printf" not in shell.run("echo u").text


def test_nul_bytes_are_refused(shell: Asked) -> None:
    assert shell.run("echo a\0b").code == 2


def test_command_of_half_megabyte(shell: Asked) -> None:
    assert out(shell, "x='" + "é" * 250_000 + '\'; printf %s "$x" | wc -c').strip() == "500000"


def test_middle_of_long_output_is_dropped(shell: Asked) -> None:
    size = 20_000_000
    ran = shell.run(f"printf head; head -c {size} /dev/zero; printf tail")
    assert len(ran.output) <= 16_000_000
    assert len(ran.output) + ran.cut == size + 8
    assert ran.output.startswith(b"head\0")
    assert ran.output.endswith(b"\0tail")


def test_background_job_does_not_hold_shell(shell: Asked) -> None:
    assert not shell.run("sleep 90 &", timeout=60).timed_out
    assert shell.run("sleep 90 & exit 1", timeout=60).code == 1


def test_output_of_background_job_comes_later(shell: Asked) -> None:
    shell.run("(sleep 0.2; echo late) &")
    assert shell.run("sleep 0.5").text == "late\n"


def test_background_job_can_be_waited_for(shell: Asked) -> None:
    shell.run("(sleep 0.2; exit 6) & job=$!")
    assert shell.run("wait $job").code == 6


def test_time_out_gives_what_was_said(shell: Asked) -> None:
    shell.run("export A=1")
    ran = shell.run("cd /; printf said; sleep 60", timeout=0.4)
    assert (ran.code, ran.text, ran.timed_out, ran.restarted) == (124, "said", True, True)
    assert ran.cwd != "/", "the directory is the one before the command that never ended"
    assert out(shell, "echo alive $A") == "alive 1"


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
def test_what_never_ends_is_ended(shell: Asked, endless: str) -> None:
    ran = shell.run(endless, timeout=0.25)
    assert (ran.code, ran.timed_out) == (124, True)
    assert out(shell, "echo alive") == "alive"


def test_shell_killed_between_commands_is_replaced(shell: Asked) -> None:
    shell.run("cd /; export A=kept; (sleep 0.2; kill -9 $$) &")
    time.sleep(0.6)
    ran = shell.run('echo "$PWD $A"')
    assert (ran.text, ran.restarted) == ("/ kept\n", True)


def test_directory_that_is_gone(shell: Asked) -> None:
    first = out(shell, "pwd")
    shell.run('mkdir gone; cd gone; rmdir "$PWD"')
    assert shell.run("exit").restarted
    assert out(shell, "pwd") == first


def test_threads_take_turns(shell: Asked) -> None:
    ran: list[CommandResult] = []
    threads = [
        threading.Thread(target=lambda n=n: ran.append(shell.run(f"printf {n}; sleep 0.05; printf {n}")))
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.text for one in ran) == ["00", "11", "22", "33", "44", "55"]
