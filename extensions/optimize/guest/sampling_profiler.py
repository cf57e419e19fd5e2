"""Sampling profiler of the CPU time of a workload, in each Python process that the workload starts.

It is installed as `sitecustomize.py` in the first folder of PYTHONPATH, and runs the `sitecustomize` module that it
shadows. The variable SWE_AGENT_PROFILE holds a JSON job {"root", "out": folder, "every": seconds, "calls": bool}. Each
process periodically writes a file `<pid>-<number>.json` to the folder, so that little is lost if it is killed:
{"command": [..], "frames": [[path under the root or "", file, first line, name], ..], "calls": [[frame, number], ..],
"stacks": [[[frame, .. outermost first], seconds], ..]}.

A thread of the profiler samples all stacks. A stack is credited with the processor time that its thread used since the
last sample, so that a long call into C has its full weight. With "calls", the profiler counts calls instead (with
cProfile, in C), and measures no time. Standard library only, for the target's own Python (3.7 and later).
"""

import _thread
import atexit
import json
import os
import sys
import time
from importlib.machinery import PathFinder

VARIABLE = "SWE_AGENT_PROFILE"
FOREIGN = ("site-packages/", ".venv/", ".tox/", "node_modules/")
KEEP_EVERY, KEEP_SHARE = 1.0, 20
"""Minimum interval between two writes, in seconds and as a multiple of the time that a write takes."""
DEEPEST, MOST_STACKS = 150, 5000
SWITCH = 0.001


class ResultWriter:
    """Writer that saves the results returned by `report` to this process's own file."""

    def __init__(self, folder, report):
        self.folder, self.report = folder, report
        self.renew()

    def renew(self):
        self.lock = _thread.allocate_lock()
        self.file = os.path.join(self.folder, "%d-%d.json" % (os.getpid(), time.time() * 1e6))

    def keep(self):
        with self.lock:
            try:
                with open(self.file + ".part", "w") as stream:
                    json.dump(self.report(), stream)
                os.replace(self.file + ".part", self.file)
            except OSError:
                pass  # the folder is gone: the results are no longer needed


class Frames:
    """Numbers for code objects, which are kept alive so that their ids stay unique."""

    def __init__(self, root):
        self.root = os.path.join(os.path.realpath(root), "")
        self.numbers, self.held, self.rows = {}, [], []

    def __call__(self, code):
        number = self.numbers.get(id(code))
        if number is None:
            number = self.numbers[id(code)] = len(self.rows)
            self.held.append(code)
            name = getattr(code, "co_qualname", code.co_name)
            self.rows.append([self.inside(code.co_filename), code.co_filename, code.co_firstlineno, name])
        return number

    def inside(self, file):
        path = os.path.realpath(file)
        if file[:1] == "<" or not path.startswith(self.root):
            return ""
        path = path[len(self.root) :].replace(os.sep, "/")
        return "" if any(part in path for part in FOREIGN) else path


class Sampler:
    """Sampler of the stacks of all other threads."""

    def __init__(self, root, every):
        self.root, self.every = root, every
        self.renew()

    def renew(self):
        """Discard all results, for example after a fork."""
        self.frames, self.stacks, self.used = Frames(self.root), {}, {}
        self.main, self.own, self.over = _thread.get_ident(), None, False
        self.look()

    def start(self, keep):
        _thread.start_new_thread(self.work, (keep,))  # hidden from `threading`, and so from the workload

    def work(self, keep):
        self.own, next_keep = _thread.get_ident(), time.monotonic() + KEEP_EVERY
        while not self.over:
            time.sleep(self.every)
            self.look()
            begun = time.monotonic()
            if begun > next_keep:
                keep()
                ended = time.monotonic()
                next_keep = ended + max(KEEP_EVERY, KEEP_SHARE * (ended - begun))

    def look(self):
        used = {}
        for thread, frame in sys._current_frames().items():
            if thread == self.own:
                continue
            used[thread] = now = processor_time(thread, thread == self.main)
            spent = now - self.used.get(thread, 0 if self.used else now)
            if spent > 0:
                self.add(frame, spent)
        self.used = used

    def add(self, frame, spent):
        stack = []
        while frame is not None and len(stack) < DEEPEST:
            stack.append(self.frames(frame.f_code))
            frame = frame.f_back
        stack = tuple(reversed(stack))
        if stack not in self.stacks and len(self.stacks) >= MOST_STACKS:
            stack = stack[:1]
        self.stacks[stack] = self.stacks.get(stack, 0.0) + spent

    def report(self):
        stacks = [[list(stack), spent] for stack, spent in list(self.stacks.items())]
        return {"command": command(), "frames": list(self.frames.rows), "stacks": stacks, "calls": []}

    def end(self):
        self.over = True


class Counter:
    """Counter of calls, with one cProfile for each thread (from Python 3.12 on, one for all threads)."""

    def __init__(self, root):
        self.root, self.profiles = root, []

    def renew(self):
        self.end()
        self.profiles = []

    def start(self, keep):
        import threading
        from cProfile import Profile

        def begin(*_):
            sys.setprofile(None)
            mine = Profile()
            self.profiles.append(mine)
            try:
                mine.enable(builtins=False)
            except ValueError:  # another profiler is active
                self.profiles.remove(mine)

        if sys.version_info < (3, 12):
            threading.setprofile(begin)
        begin()

    def report(self):
        frames, calls = Frames(self.root), {}
        for profile in list(self.profiles):
            for entry in profile.getstats():
                if not isinstance(entry.code, str):
                    number = frames(entry.code)
                    calls[number] = calls.get(number, 0) + entry.callcount
        return {
            "command": command(),
            "frames": frames.rows,
            "stacks": [],
            "calls": [list(row) for row in calls.items()],
        }

    def end(self):
        for profile in self.profiles:
            profile.disable()


def processor_time(thread, main):
    """Return the CPU seconds of a live thread; if unavailable, those of the process for the main thread, else 0."""
    try:
        return time.clock_gettime(time.pthread_getcpuclockid(thread))
    except (AttributeError, OSError):
        return time.process_time() if main else 0.0


def command():
    return [str(word)[:200] for word in getattr(sys, "argv", [])[:20]]


def watch(job):
    work = Counter(job["root"]) if job["calls"] else Sampler(job["root"], job["every"])
    keeper = ResultWriter(job["out"], work.report)

    def end():
        work.end()
        keeper.keep()

    def restart_after_fork():
        keeper.renew()
        work.renew()
        work.start(keeper.keep)

    leave = os._exit

    def leave_with_record(code):
        end()
        leave(code)

    os._exit = leave_with_record  # child processes of multiprocessing exit through `os._exit`
    atexit.register(end)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=restart_after_fork)
    if not job["calls"] and sys.getswitchinterval() > SWITCH:
        sys.setswitchinterval(SWITCH)
    work.start(keeper.keep)


def run_hidden_sitecustomize():
    """Run the `sitecustomize` module that this one shadows."""
    folder = os.path.dirname(os.path.abspath(__file__))
    spec = PathFinder.find_spec("sitecustomize", [path for path in sys.path if os.path.abspath(path) != folder])
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if __name__ == "sitecustomize" and VARIABLE in os.environ:
    watch(json.loads(os.environ[VARIABLE]))
    run_hidden_sitecustomize()
