"""A Python interpreter that stays: each block runs in the names that the blocks before have left.

    python interpreter.py FOLDER BLOCK     run the code in the file BLOCK, which may be of the repository in the
                                           current folder; ends with 1 where it raises

The first call starts the interpreter, which serves a socket in FOLDER, in its own process. A block writes to the
caller's output, and is interrupted when the caller ends. What of the repository was imported and has changed since is
forgotten, so that it is imported anew. Standard library only, for the target's own Python (3.6 and later).
"""

import ast
import contextlib
import io
import linecache
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import types

SOCKET, ANEW_PLEASE = "socket", b"\2"
CLOCK = 50000000
"""Nanoseconds by which the clock of files may be late."""
STARTS, GRACE = 20.0, 5.0
"""Seconds in which the interpreter has to be there, and in which an interrupted block has to end."""
LOOKING, ALONE = 20.0, 300.0
"""Seconds after which it looks whether its shell is there, and that it waits for another one."""
CHANGED = "[files have changed: what is imported from the repository is read anew, names from before are old]"
ANEW = "[a new interpreter: what blocks before have defined is gone]"


def main(folder, block):
    """Have a block run, and return the exit code."""
    os.makedirs(folder, exist_ok=True)
    talk = _connected(folder)
    if talk is None:
        told = os.path.exists(os.path.join(folder, "began"))
        talk = _started(folder)
        if told:
            sys.stdout.write(ANEW + "\n")
    with open(os.path.join(folder, "began"), "w"):
        pass
    sys.stdout.flush()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, _packed([1, 2]))]
    said = ["\0".join([os.getcwd(), block, str(os.getppid())]).encode("utf-8", "surrogateescape")]
    talk.sendmsg(said, rights)
    answer = _answer(talk)
    if answer == ANEW_PLEASE:
        sys.stdout.write(ANEW + "\n")
        sys.stdout.flush()
        talk = _started(folder)
        talk.sendmsg(said, rights)
        answer = _answer(talk)
    if not answer:
        sys.stdout.write("[the interpreter has ended]\n")
        return 1
    return answer[0]


def _answer(talk):
    try:
        return talk.recv(1)
    except OSError:
        return b""


def _packed(numbers):
    import array

    return array.array("i", numbers)


def _connected(folder):
    talk = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _there(folder, lambda: talk.connect(SOCKET))
    except OSError:
        talk.close()
        return None
    return talk


def _there(folder, act):
    """Done in the folder: the path of a socket may not be long."""
    here = os.getcwd()
    os.chdir(folder)
    try:
        return act()
    finally:
        os.chdir(here)


def _started(folder):
    with open(os.devnull, "r+b") as nothing:
        subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), folder],
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            start_new_session=True,
        )
    end = time.time() + STARTS
    while time.time() < end:
        talk = _connected(folder)
        if talk is not None:
            return talk
        time.sleep(0.02)
    raise SystemExit("[the interpreter could not be started]")


class Interpreter:
    """The names that blocks leave: those of the module `__main__`, where unittest, pickle and others look."""

    def __init__(self):
        module = types.ModuleType("__main__")
        module.__builtins__ = __builtins__
        sys.modules["__main__"] = module
        self.names = module.__dict__
        self.count = 0
        self.seen = {}

    def run(self, code, root):
        """Run a block, and return whether it ended well. What its last expression gives is shown."""
        self.count += 1
        name = "<block {}>".format(self.count)
        linecache.cache[name] = (len(code), None, code.splitlines(True), name)
        os.chdir(root)
        if not isinstance(sys.path, list):
            sys.path = []
        if root not in sys.path:
            sys.path.insert(0, root)
        self._forget(root)
        began = time.time_ns() if hasattr(time, "time_ns") else int(time.time() * 1e9)
        try:
            tree = ast.parse(code, name)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, name, "exec"), self.names)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), name, "eval"), self.names)
                if value is not None:
                    sys.stdout.write(repr(value) + "\n")
            return True
        except SystemExit as end:
            if isinstance(end.code, str):
                sys.stdout.write(end.code + "\n")
            return end.code in (None, 0)
        except BaseException:  # noqa: BLE001 - what a block raises is shown
            kind, error, trace = sys.exc_info()
            while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
                trace = trace.tb_next
            traceback.print_exception(kind, error, trace)
            return False
        finally:
            self._look(root, began)

    def _look(self, root, began):
        """Remember which of the repository's files are imported, as they are now; of one that was written while the
        block ran nobody knows which text was imported."""
        for name, path in _files(root):
            stamp = _stamp(path)
            is_sure = stamp is not None and stamp[0] < began - CLOCK
            self.seen.setdefault(name, stamp if is_sure else None)

    def is_old(self, root):
        """Whether one of these has changed since."""
        return any(name in self.seen and self.seen[name] != _stamp(path) for name, path in _files(root))

    def _forget(self, root):
        """Where one of these has changed, all of them: they hold each other's names."""
        if self.is_old(root):
            for name, _ in _files(root):
                del sys.modules[name]
            self.seen.clear()
            sys.stdout.write(CHANGED + "\n")


def _files(root):
    """The modules that lie in the repository."""
    found = [(name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items())]
    inside = root.rstrip("/") + "/"
    own = [(name, path) for name, path in found if isinstance(path, str) and path.startswith(inside)]
    return [(name, path) for name, path in own if "site-packages" not in path]


def _is_compiled(root):
    """Whether some cannot be imported twice by one process."""
    return any(not path.endswith((".py", ".pyc")) for _, path in _files(root))


def _stamp(path):
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def serve(folder):
    """Run blocks, one at a time, for as long as this process lives."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    own, nothing = os.getpid(), os.open(os.devnull, os.O_RDWR)
    while nothing < 3:
        nothing = os.dup(nothing)
    held = [listening]
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: [one.close() for one in held])

    def bind():
        if os.path.exists(SOCKET):
            os.remove(SOCKET)
        listening.bind(SOCKET)

    _there(folder, bind)
    listening.listen(1)
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != os.path.dirname(os.path.abspath(__file__))]
    interpreter = Interpreter()
    shell = ""
    while True:
        talk = _accepted(listening, shell)
        held.append(talk)
        shell = _serve(interpreter, talk, nothing)
        if os.getpid() != own:  # a child that a block has forked, and not ended
            os._exit(0)
        held.remove(talk)
        talk.close()


def _accepted(listening, shell):
    """The next caller. Once the shell of the last one is gone for a while, nobody will come: this process ends."""
    last = time.time()
    listening.settimeout(LOOKING)
    while True:
        with contextlib.suppress(socket.timeout):
            talk, _ = listening.accept()
            talk.settimeout(None)
            return talk
        if os.path.exists("/proc/self") and not os.path.exists("/proc/" + shell) and time.time() - last > ALONE:
            os._exit(0)


def _serve(interpreter, talk, nothing):
    """Run what a caller sends; the number of its shell."""
    said, rights, _, _ = talk.recvmsg(65536, socket.CMSG_SPACE(8))
    outputs = _packed([])
    for _, _, data in rights:
        outputs.frombytes(data[: len(data) - len(data) % outputs.itemsize])
    if len(outputs) != 2:
        return ""
    own = os.getpid()
    root, block, shell = said.decode("utf-8", "surrogateescape").split("\0")
    if interpreter.is_old(root) and _is_compiled(root):
        talk.send(ANEW_PLEASE)
        os._exit(0)
    for number, output in zip((1, 2), outputs):
        os.dup2(output, number)
    for output in outputs:
        os.close(output)
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    ended = threading.Event()
    threading.Thread(target=_interrupt, args=(talk, ended), daemon=True).start()
    good = False
    try:
        with open(block, encoding="utf-8") as file:
            code = file.read()
        good = interpreter.run(code, root)
    except KeyboardInterrupt:
        pass
    finally:
        ended.set()
        with contextlib.suppress(OSError, ValueError, AttributeError):  # the caller has gone
            sys.stdout.flush()
            sys.stderr.flush()
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
    with contextlib.suppress(OSError):
        if os.getpid() == own:
            talk.send(b"\0" if good else b"\1")
    return shell


def _stream(number):
    return io.TextIOWrapper(os.fdopen(number, "wb", 0, closefd=False), "utf-8", "replace", write_through=True)


def _interrupt(talk, ended):
    """Interrupt the block once nobody waits for it, and end with it where that is no use."""
    try:
        if talk.recv(1) or ended.is_set():
            return
    except OSError:
        return
    os.kill(os.getpid(), signal.SIGINT)
    if not ended.wait(GRACE):
        os._exit(1)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve(sys.argv[1])
    else:
        sys.exit(main(sys.argv[1], sys.argv[2]))
