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

SOCKET = "socket"
STARTS, GRACE = 20.0, 5.0
"""Seconds in which the interpreter has to be there, and in which an interrupted block has to end."""
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
    talk.sendmsg(["\0".join([os.getcwd(), block]).encode()], rights)
    answer = talk.recv(1)
    if not answer:
        sys.stdout.write("[the interpreter has ended]\n")
        return 1
    return answer[0]


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
    """The names that blocks leave."""

    def __init__(self):
        self.names = {"__name__": "__main__", "__builtins__": __builtins__}
        self.count = 0
        self.seen = {}

    def run(self, code, root):
        """Run a block, and return whether it ended well. What its last expression gives is shown."""
        self.count += 1
        name = "<block {}>".format(self.count)
        linecache.cache[name] = (len(code), None, code.splitlines(True), name)
        if root not in sys.path:
            sys.path.insert(0, root)
        self._forget(root)
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
            return end.code in (None, 0)
        except BaseException:  # noqa: BLE001 - what a block raises is shown
            kind, error, trace = sys.exc_info()
            while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
                trace = trace.tb_next
            traceback.print_exception(kind, error, trace)
            return False
        finally:
            self._look(root)

    def _look(self, root):
        """Remember which of the repository's files are imported, as they are now."""
        for name, path in _files(root):
            self.seen.setdefault(name, _stamp(path))

    def _forget(self, root):
        """Where one of these has changed, all of them: they hold each other's names."""
        loaded = _files(root)
        if any(name in self.seen and self.seen[name] != _stamp(path) for name, path in loaded):
            for name, _ in loaded:
                del sys.modules[name]
            self.seen.clear()
            sys.stdout.write(CHANGED + "\n")


def _files(root):
    """The modules that lie in the repository."""
    found = [(name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items())]
    inside = root.rstrip("/") + "/"
    return [(name, path) for name, path in found if path and path.startswith(inside) and "site-packages" not in path]


def _stamp(path):
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def serve(folder):
    """Run blocks, one at a time, for as long as this process lives."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def bind():
        if os.path.exists(SOCKET):
            os.remove(SOCKET)
        listening.bind(SOCKET)

    _there(folder, bind)
    listening.listen(1)
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != os.path.dirname(os.path.abspath(__file__))]
    interpreter = Interpreter()
    while True:
        talk, _ = listening.accept()
        with talk:
            _serve(interpreter, talk)


def _serve(interpreter, talk):
    said, rights, _, _ = talk.recvmsg(65536, socket.CMSG_SPACE(8))
    outputs = _packed([])
    for _, _, data in rights:
        outputs.frombytes(data[: len(data) - len(data) % outputs.itemsize])
    if len(outputs) != 2:
        return
    root, block = said.decode().split("\0")
    for number, output in zip((1, 2), outputs):
        os.dup2(output, number)
        os.close(output)
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    ended = threading.Event()
    threading.Thread(target=_interrupt, args=(talk, ended), daemon=True).start()
    try:
        with open(block, encoding="utf-8") as file:
            good = interpreter.run(file.read(), root)
    except KeyboardInterrupt:
        good = False
    finally:
        ended.set()
        with contextlib.suppress(OSError, ValueError):  # the caller has gone
            sys.stdout.flush()
            sys.stderr.flush()
        with open(os.devnull, "r+b") as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
    with contextlib.suppress(OSError):
        talk.send(b"\0" if good else b"\1")


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
