"""Runner that counts the instructions of a command, or of calls of the target function (by `metered_calls`).

Run with the path of a job file. It starts the counted program, under valgrind if that is the meter, and writes the
answer for the host to job["answer"]. Standard library only, for the target's own Python (3.7 and later).
"""

import ctypes
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig

NO_RANDOMIZE = 0x0040000


def fix_addresses():
    """Disable address randomisation for child processes; return "off", or "on" with the error."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        before = libc.personality(ctypes.c_ulong(0xFFFFFFFF))
        if before >= 0 and libc.personality(ctypes.c_ulong(before | NO_RANDOMIZE)) >= 0:
            return "off"
        return "on (%s)" % os.strerror(ctypes.get_errno())
    except (OSError, AttributeError) as error:
        return "on (%s)" % error


def environment(job):
    """Return the environment variables in a fixed order, without those that the shell sets."""
    variables = {name: value for name, value in os.environ.items() if name not in ("_", "OLDPWD", "SHLVL")}
    variables.update(job["environment"])
    return dict(sorted(variables.items()))


def conditions(job, randomisation):
    made = sysconfig.get_config_var("CONFIG_ARGS") or ""
    build = "%s %s, %s, %s" % (
        sys.implementation.name,
        ".".join(map(str, sys.version_info[:3])),
        "optimised with a profile" if "--enable-optimizations" in made else "without a profile",
        sysconfig.get_platform(),
    )
    return {"python": build, "address randomisation": randomisation, "gc": "collected, then off, around each call"}


class Dump:
    """A callgrind dump; `label` is the region's label for a dump at its end, "-" for one at its start, else ""."""

    def __init__(self, file):
        name = os.path.basename(file)
        self.pid, _, number = name.partition(".")
        self.order, self.at = int(number or 0) or float("inf"), os.stat(file).st_mtime_ns
        dump = text(file)
        found = re.findall(r"^totals: (\d+)", dump, re.M)
        self.cost = int(found[-1]) if found else 0
        label = re.search(r"^desc: Trigger: Client Request: (.*)", dump, re.M)
        self.label = label.group(1) if label else ""
        command = re.search(r"^cmd: (.*)", dump, re.M)
        self.command = command.group(1) if command else ""


def dumps(out):
    """Return the dumps by process and order; they include one before each fork, as the child inherits the count."""
    found = [Dump(file) for file in glob.glob(os.path.join(out, "[0-9]*"))]
    return sorted(found, key=lambda each: (each.pid, each.order))


def by_label(out):
    """Return instruction counts by label: each region's own plus those of the child processes that it waited for."""
    found = dumps(out)
    values, callers = {}, {each.pid for each in found if each.label}
    others = [each for each in found if each.pid not in callers]
    cost = begin = 0
    for dump in found:
        cost += dump.cost
        if not dump.label:
            continue
        if dump.label == "-":
            begin = dump.at
        else:
            values[dump.label] = values.get(dump.label, 0) + cost
            settled = os.path.join(out, "settled." + dump.label)
            if begin and os.path.exists(settled):
                until = os.stat(settled).st_mtime_ns
                values[dump.label] += sum(each.cost for each in others if begin <= each.at <= until)
                begin = 0
        cost = 0
    return values


def read_counts(out):
    labelled, in_c = {}, {}
    for label, cost, inside in map(json.loads, text(os.path.join(out, "counts")).splitlines()):
        labelled[label] = labelled.get(label, 0) + cost
        in_c[label] = in_c.get(label, "") or inside
    return labelled, in_c


def text(file):
    if not os.path.exists(file):
        return ""
    with open(file, errors="replace") as stream:
        return stream.read()


def interpreter():
    """Return the command line of a Python that finds the same modules as this one.

    Under a counting tool, the start-up code of installed packages (`.pth` files) can take longer than the calls. It is
    left out unless it added import hooks, which the target may need.
    """
    own = ("_frozen_importlib", "_frozen_importlib_external", "_distutils_hack")
    hooks = {getattr(each, "__module__", "") for each in sys.meta_path}
    return [sys.executable, "-B"] if hooks - set(own) else [sys.executable, "-B", "-S"]


def launch_calls(job, file, randomisation):
    """Count calls, at first without the start of the program, which takes longer under callgrind than most calls.

    The option holds for programs that a call starts, too; if there are any, all is counted again without it.
    """
    if job["tool"]:
        answer = _calls(job, file, ["--instr-atstart=no"])
        found = dumps(job["out"])
        if len({each.command for each in found}) < 2 and all(each.cost or each.label for each in found):
            return answer
        shutil.rmtree(job["out"])
        os.makedirs(job["out"])
    return _calls(job, file, [])


def _calls(job, file, options):
    words = [
        *job["tool"],
        *options,
        *interpreter(),
        os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "__main__.py"),
        "optimize.metered_calls",
        file,
        json.dumps(sys.path),
    ]
    with open(os.path.join(job["out"], "said"), "wb") as said:
        code = subprocess.call(words, env=environment(job), stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    labelled = by_label(job["out"])
    values, in_c = read_counts(job["out"])
    if job["meter"] != "valgrind":  # a program under valgrind cannot read its own count
        labelled.update(values)
    end = text(os.path.join(job["out"], "said"))[-2000:]
    died = [each.rpartition(".")[2] for each in glob.glob(os.path.join(job["out"], "died.*"))]
    return {"values": labelled, "in_c": in_c, "code": abs(code), "said": end, "died": died}


def launch_command(job, file, randomisation):
    """Count the instructions of a command and its children; stdin and stdout are inherited."""
    env = environment(job)
    if job["meter"] == "hardware":
        code, cost = under_hardware(job["command"], env)
        return {"values": {"whole": cost}, "code": code}
    code = subprocess.call(job["tool"] + job["command"], env=env)
    code = code if code >= 0 else 128 - code  # use the exit status that a shell reports for a signal
    cost = sum(each.cost for each in dumps(job["out"]))
    cost += sum(int(text(each) or 0) for each in glob.glob(os.path.join(job["out"], "cost.*")))
    return {"values": {"whole": cost}, "code": code}


def under_hardware(command, env):
    """Return the command's exit status and count; the child execs the command once its counter is open."""
    ready, go = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.read(ready, 1)
            os.execvpe(command[0], command, env)
        finally:
            os._exit(127)
    from .counter_meters import DISABLED, ENABLE_ON_EXEC, INHERIT, perf_open, perf_read

    flags = DISABLED | INHERIT | ENABLE_ON_EXEC
    counter = perf_open(child, flags)
    os.write(go, b"!")
    status = os.waitpid(child, 0)[1]
    return (os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)), perf_read(counter)


def main(file):
    with open(file) as stream:
        job = json.load(stream)
    os.makedirs(job["out"])
    randomisation = fix_addresses()
    try:
        launch = launch_command if job.get("command") else launch_calls
        answer = launch(job, file, randomisation)
    except OSError as error:
        answer = {"error": "%s: %s" % (type(error).__name__, error)}
    answer["conditions"] = conditions(job, randomisation)
    with open(job["answer"], "w") as stream:
        json.dump(answer, stream)
