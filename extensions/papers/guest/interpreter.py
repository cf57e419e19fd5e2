"""A persistent Python interpreter: each block of code sees the names that earlier blocks defined.

    python interpreter.py FOLDER BLOCK     run the code in the file BLOCK with the repository in the current folder;
                                           exit with 1 if it raises

The first call starts the interpreter as a process of its own, which serves a socket in FOLDER. A block writes to the
caller's output and is interrupted when the caller ends. If imported modules of the repository have changed, they are
removed from `sys.modules` so that they are imported again. Standard library only, for the target's own Python (3.6 and
later).
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

SOCKET, RESTART = "socket", b"\2"
CLOCK = 50000000
"""Maximum number of nanoseconds by which file timestamps may lag behind the clock."""
STARTS, GRACE = 20.0, 5.0
"""Maximum number of seconds for the interpreter to start, and for an interrupted block to end."""
CHECK_INTERVAL, IDLE_TIMEOUT = 20.0, 300.0
"""Seconds between checks that the caller's shell still exists, and seconds since the last call after which the
interpreter exits if the shell is gone."""
CHANGED = "[files have changed: the repository's modules will be imported again, existing names refer to old code]"
RESTARTED = "[a new interpreter was started: names defined by earlier blocks are lost]"


def main(folder, block):
    """Run a block in the interpreter and return the exit code."""
    os.makedirs(folder, exist_ok=True)
    connection = _connect(folder)
    if connection is None:
        is_restart = os.path.exists(os.path.join(folder, "began"))
        connection = _start(folder)
        if is_restart:
            sys.stdout.write(RESTARTED + "\n")
    with open(os.path.join(folder, "began"), "w"):
        pass
    sys.stdout.flush()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, _pack([1, 2]))]
    request = ["\0".join([os.getcwd(), block, str(os.getppid())]).encode("utf-8", "surrogateescape")]
    connection.sendmsg(request, rights)
    answer = _answer(connection)
    if answer == RESTART:
        sys.stdout.write(RESTARTED + "\n")
        sys.stdout.flush()
        connection = _start(folder)
        connection.sendmsg(request, rights)
        answer = _answer(connection)
    if not answer:
        sys.stdout.write("[the interpreter has ended]\n")
        return 1
    return answer[0]


def _answer(connection):
    try:
        return connection.recv(1)
    except OSError:
        return b""


def _pack(numbers):
    import array

    return array.array("i", numbers)


def _connect(folder):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _in_folder(folder, lambda: connection.connect(SOCKET))
    except OSError:
        connection.close()
        return None
    return connection


def _in_folder(folder, act):
    """Call `act` with the folder as working directory, since the path of a socket must be short."""
    here = os.getcwd()
    os.chdir(folder)
    try:
        return act()
    finally:
        os.chdir(here)


def _start(folder):
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
        connection = _connect(folder)
        if connection is not None:
            return connection
        time.sleep(0.02)
    raise SystemExit("[the interpreter could not be started]")


class Interpreter:
    """The namespace in which blocks run: it is that of the module `__main__`, where unittest and pickle look up
    names."""

    def __init__(self):
        module = types.ModuleType("__main__")
        module.__builtins__ = __builtins__
        sys.modules["__main__"] = module
        self.names = module.__dict__
        self.count = 0
        self.stamps = {}

    def run(self, code, root):
        """Run a block, print the value of its last expression, and return whether it succeeded."""
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
        except BaseException:  # noqa: BLE001 - any error of a block is printed
            kind, error, trace = sys.exc_info()
            while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
                trace = trace.tb_next
            traceback.print_exception(kind, error, trace)
            return False
        finally:
            self._record_imports(root, began)

    def _record_imports(self, root, began):
        """Record the timestamps of the repository's imported files.

        If a file was written while the block ran, it is unknown which version was imported.
        """
        for name, path in _files(root):
            stamp = _stamp(path)
            is_sure = stamp is not None and stamp[0] < began - CLOCK
            self.stamps.setdefault(name, stamp if is_sure else None)

    def is_old(self, root):
        """Return whether an imported file of the repository has changed since it was recorded."""
        return any(name in self.stamps and self.stamps[name] != _stamp(path) for name, path in _files(root))

    def _forget(self, root):
        """Unload all modules of the repository if one has changed, since they refer to each other's objects."""
        if self.is_old(root):
            for name, _ in _files(root):
                del sys.modules[name]
            self.stamps.clear()
            sys.stdout.write(CHANGED + "\n")


def _files(root):
    """Return (name, path) of the loaded modules of the repository."""
    found = [(name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items())]
    inside = root.rstrip("/") + "/"
    own = [(name, path) for name, path in found if isinstance(path, str) and path.startswith(inside)]
    return [(name, path) for name, path in own if "site-packages" not in path]


def _is_compiled(root):
    """Return whether a loaded module is a compiled extension, which a process cannot import twice."""
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

    _in_folder(folder, bind)
    listening.listen(1)
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != os.path.dirname(os.path.abspath(__file__))]
    interpreter = Interpreter()
    shell = ""
    while True:
        connection = _accept(listening, shell)
        held.append(connection)
        shell = _serve(interpreter, connection, nothing)
        if os.getpid() != own:  # this is a child that a block forked and that did not exit
            os._exit(0)
        held.remove(connection)
        connection.close()


def _accept(listening, shell):
    """Return the next caller's connection; exit some time after the last caller's shell has gone."""
    last = time.time()
    listening.settimeout(CHECK_INTERVAL)
    while True:
        with contextlib.suppress(socket.timeout):
            connection, _ = listening.accept()
            connection.settimeout(None)
            return connection
        if os.path.exists("/proc/self") and not os.path.exists("/proc/" + shell) and time.time() - last > IDLE_TIMEOUT:
            os._exit(0)


def _serve(interpreter, connection, nothing):
    """Run the block that a caller sends; return the process id of the caller's shell."""
    request, rights, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(8))
    outputs = _pack([])
    for _, _, data in rights:
        outputs.frombytes(data[: len(data) - len(data) % outputs.itemsize])
    if len(outputs) != 2:
        return ""
    own = os.getpid()
    root, block, shell = request.decode("utf-8", "surrogateescape").split("\0")
    if interpreter.is_old(root) and _is_compiled(root):
        connection.send(RESTART)
        os._exit(0)
    for number, output in zip((1, 2), outputs):
        os.dup2(output, number)
    for output in outputs:
        os.close(output)
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    ended = threading.Event()
    threading.Thread(target=_interrupt, args=(connection, ended), daemon=True).start()
    succeeded = False
    try:
        with open(block, encoding="utf-8") as file:
            code = file.read()
        succeeded = interpreter.run(code, root)
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
            connection.send(b"\0" if succeeded else b"\1")
    return shell


def _stream(number):
    return io.TextIOWrapper(os.fdopen(number, "wb", 0, closefd=False), "utf-8", "replace", write_through=True)


def _interrupt(connection, ended):
    """Interrupt the block once its caller has gone, and exit if it does not end in time."""
    try:
        if connection.recv(1) or ended.is_set():
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
