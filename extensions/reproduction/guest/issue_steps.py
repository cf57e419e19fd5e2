"""Runner of an issue's example, one statement after the other, that reports what each of them did.

Called with the path of a JSON job {"root", "steps", "expected", "reduce", "raises", "seconds", "out"}. `steps` are the
source texts of statements; `expected` maps the number of a step, as text, to expressions whose values are compared with
the step's value. Of an assertion, the values of its operands are reported. Writes one JSON object to `out`:
{"steps": [..], "names": [..], "stars": {number: [..]}, "kept": [..], "cpu": seconds}.
With `reduce`, the last step is the failing one. `reduce` holds the numbers of the steps that may be left out, and
`kept` those of the steps that remain because the last one fails in another way without them.

Every try runs in a forked child, so that the imports are executed only once. `seconds` limits the CPU time of all tries
together. Standard library only, for the target's own Python (3.6 and later).
"""

import ast
import builtins
import contextlib
import io
import json
import os
import re
import resource
import select
import signal
import sys
import time
import traceback
import types

FOREIGN = (os.sep + "site-packages" + os.sep, os.sep + ".venv" + os.sep, os.sep + ".tox" + os.sep)
FILE = "<example>"
LONGEST = 4000
SHARE = 6
"""A statement may take one part of the remaining CPU time in so many."""

OPERAND = "__swe_agent_operand__"
"""Name of the function that records the operands of an assertion while it runs."""

WAIT = 3
"""Maximum wall-clock time of a try, as a multiple of the remaining CPU time."""


def inside(root, filename):
    """Return the path relative to the root, or None if it is not below the root."""
    path = os.path.realpath(filename)
    is_own = filename[:1] != "<" and path.startswith(root) and not any(part in path for part in FOREIGN)
    return path[len(root) :].replace(os.sep, "/") if is_own else None


def cut(make, value):
    try:
        return str(make(value))[:LONGEST]
    except Exception:  # noqa: BLE001 - a repr may raise anything
        return ""


def give_up(signum, frame):
    raise TimeoutError("The statement took too long.")


class Steps:
    """The execution of steps in one namespace."""

    def __init__(self, root, expected, raises):
        self.root, self.expected, self.raises = root, expected, raises
        self.names = {"__name__": "__main__", "__file__": FILE, "__builtins__": builtins}
        self.stars = {}

    def run(self, number, source, seconds):
        """Return what a step does within a limit of CPU seconds."""
        found = {"kind": "done", "out": "", "path": ""}
        printed, sys.stdout = sys.stdout, io.StringIO()
        before = set(self.names)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            tree = ast.parse(source)
            shown = expression_of(tree)
            if len(tree.body) == 1 and isinstance(tree.body[0], ast.Assert):
                found["operands"] = []
                self.names[OPERAND] = lambda value: (found["operands"].append(cut(repr, value)), value)[1]
                tree.body[0].test = ast.fix_missing_locations(recorded_operands(tree.body[0].test))
            if shown is None:
                exec(compile(tree, FILE, "exec"), self.names)
            else:
                value = eval(compile(ast.Expression(shown), FILE, "eval"), self.names)
                found.update(self.describe(value))
        except BaseException as error:  # noqa: BLE001 - untrusted code may raise anything or exit
            found.update(self.describe_error(error))
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self.names.pop(OPERAND, None)
            found["out"] = cut(str, sys.stdout.getvalue()) if isinstance(sys.stdout, io.StringIO) else ""
            sys.stdout = printed
        if re.match(r"from [\w.]+ import \*", source):
            self.stars[str(number)] = sorted(set(self.names) - before)
        found["path"] = self.place(source)
        if found["kind"] == "value":
            found["expected"] = [self.compare(value, text) for text in self.expected.get(str(number), ())]
        return found

    def describe(self, value):
        return {
            "kind": "value",
            "repr": cut(repr, value),
            "str": cut(str, value),
            "is_text": type(value) is str,
        }

    def describe_error(self, error):
        places = [
            (inside(self.root, frame.f_code.co_filename), line, frame.f_code.co_name)
            for frame, line in traceback.walk_tb(error.__traceback__)
        ]
        # Skip unittest's own frames (`__unittest`), so that a failed assertion counts as raised by the test.
        tested = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if "__unittest" not in frame.f_globals]
        own = [list(place) for place in places if place[0] is not None]
        return {
            "kind": "raised",
            "type": type(error).__name__,
            "bases": [one.__name__ for one in type(error).__mro__],
            "message": cut(str, error),
            "frames": own[-50:],
            "in_example": bool(tested and tested[-1].f_code.co_filename == FILE),
            "as_wanted": [name for name in self.raises if self.is_instance(error, name)],
        }

    def is_instance(self, error, name):
        wanted = self.names.get(name, getattr(builtins, name, None))
        return isinstance(wanted, type) and isinstance(error, wanted)

    def place(self, source):
        """Return the file in the repository that defines what the step uses or imports: the first called name that has
        one."""
        for node in sorted(nodes_of(source), key=lambda node: not isinstance(node, ast.Call)):
            for value in self.values(node)[::-1]:
                name = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
                name = name or type(value).__module__
                file = getattr(sys.modules.get(name), "__file__", None) if isinstance(name, str) else None
                if file and inside(self.root, file):
                    return inside(self.root, file)
        return ""

    def values(self, node):
        """Return the modules that a statement imports, or the values of a dotted name from the outermost one on."""
        if isinstance(node, ast.Import):
            return [sys.modules.get(one.name) for one in node.names]
        if isinstance(node, ast.ImportFrom):
            return [sys.modules.get(node.module)]
        node = node.func if isinstance(node, ast.Call) else node
        chain = []
        while isinstance(node, ast.Attribute):
            chain.append(node.attr)
            node = node.value
        found = [self.names.get(node.id) if isinstance(node, ast.Name) else None]
        for name in reversed(chain):
            if not isinstance(found[-1], (types.ModuleType, type)) and len(found) > 1:
                break  # an attribute of an object may be a property that runs code
            found.append(getattr(found[-1], name, None))
        return found

    def compare(self, value, text):
        """Return how the value of an expected expression relates to the value of the step."""
        try:
            wanted = eval(compile(text, FILE, "eval"), dict(self.names))
        except BaseException as error:  # noqa: BLE001
            missing = re.match(r"name '(\w+)'", str(error)) if isinstance(error, NameError) else None
            return {"fits": False, "missing": missing.group(1) if missing else ""}
        try:
            equal = bool(value == wanted)
        except BaseException:  # noqa: BLE001
            return {"fits": False, "missing": ""}
        is_stable = equal or not (value != value or wanted != wanted)
        return {"fits": bool(is_stable and self.are_alike(value, wanted)), "equal": equal, "repr": cut(repr, wanted)}

    def are_alike(self, one, other):
        """Return whether two values are of one kind: the same type, numbers, truth values, or of the repository."""
        plain = (bool, type(None))
        if type(one) is type(other) or (isinstance(one, plain) and isinstance(other, plain)):
            return True
        if isinstance(one, plain) or isinstance(other, plain):
            return False
        if isinstance(one, (int, float, complex)) and isinstance(other, (int, float, complex)):
            return True
        return any(self.is_own_type(each) for each in set(type(one).__mro__) & set(type(other).__mro__))

    def is_own_type(self, kind):
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
        return bool(file and inside(self.root, file))


def nodes_of(source):
    kinds = (ast.Call, ast.Attribute, ast.Name, ast.Import, ast.ImportFrom)
    try:
        return [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    except (SyntaxError, ValueError):
        return []


def expression_of(tree):
    """Return the expression whose value a statement shows, if it is an expression; `print(x)` shows x."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return None
    shown = tree.body[0].value
    is_print = isinstance(shown, ast.Call) and isinstance(shown.func, ast.Name) and shown.func.id in ("print", "pprint")
    if is_print and len(shown.args) == 1 and not shown.keywords and not isinstance(shown.args[0], ast.Starred):
        return shown.args[0] if shown.func.id == "print" else shown
    return shown


def recorded_operands(node):
    """Return the condition of an assertion with each operand, and each argument of a called function, recorded once it
    is evaluated."""
    if isinstance(node, ast.BoolOp):
        node.values = [recorded_operands(one) for one in node.values]
        return node
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node.operand = recorded_operands(node.operand)
        return node
    if isinstance(node, ast.Compare):
        node.left = recorded_operands(node.left)
        node.comparators = [recorded_operands(one) for one in node.comparators]
        return node
    if isinstance(node, ast.Starred):
        return node
    if isinstance(node, ast.Call):
        node.args = [recorded_operands(one) for one in node.args]
    return ast.copy_location(ast.Call(ast.Name(OPERAND, ast.Load()), [node], []), node)


class Tries:
    """Tries in forked children, with a limit of CPU seconds for all of them."""

    def __init__(self, job):
        self.job, self.root = job, os.path.join(os.path.realpath(job["root"]), "")
        self.began = self.cpu()

    def cpu(self):
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)

    def left(self):
        return self.job["seconds"] - (self.cpu() - self.began)

    def run(self, steps):
        """Run (number, source) steps in a child; return its answer, whose `steps` end early if it did not finish. None
        if there is no time left."""
        left = int(self.left())
        if left < 1:
            return None
        read, write = os.pipe()
        child = os.fork()
        if not child:
            try:
                os.close(read)
                os.setsid()
                signal.alarm(WAIT * left)
                resource.setrlimit(resource.RLIMIT_CPU, (left, left + 1))
                signal.signal(signal.SIGPROF, give_up)
                work = Steps(self.root, self.job["expected"], self.job["raises"])
                for number, source in steps:
                    send(write, json.dumps(work.run(number, source, left / SHARE)).encode() + b"\n")
                send(write, json.dumps({"names": sorted(work.names), "stars": work.stars}).encode() + b"\n")
            finally:
                os._exit(0)
        os.close(write)
        data = receive(read, WAIT * left)
        with contextlib.suppress(OSError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        answers = [json.loads(line) for line in data.decode().split("\n")[:-1]]
        done = answers.pop() if answers and "names" in answers[-1] else {"names": [], "stars": {}}
        return dict(done, steps=answers)

    def reduce(self, steps, wanted):
        """Return the steps that the failure of the last one needs: each step that may be left out is left out in turn,
        from the last one to the first."""
        kept = list(steps)
        for step in [one for one in steps[-2::-1] if one[0] in self.job["reduce"]]:
            shorter = [one for one in kept if one is not step]
            answer = self.run(shorter)
            finished = answer is not None and len(answer["steps"]) == len(shorter)
            if finished and signature(answer["steps"][-1]) == wanted and not broken(answer["steps"][:-1]):
                kept = shorter
        return kept


def signature(step):
    keys = ("kind", "type", "message", "repr", "operands", "expected", "in_example")
    frames = [place[2] for place in step.get("frames", ())][-1:]
    return [re.sub(r"0x[0-9a-f]+", "", json.dumps(step.get(key))) for key in keys] + frames


def broken(steps):
    return any(step["kind"] == "raised" for step in steps)


def send(number, data):
    while data:
        data = data[os.write(number, data) :]


def receive(number, seconds):
    found, end = [], time.time() + seconds
    while time.time() < end and select.select([number], [], [], max(0.0, end - time.time()))[0]:
        data = os.read(number, 65536)
        if not data:
            break
        found.append(data)
    os.close(number)
    return b"".join(found)


def load_imports(steps):
    """Import what the steps import, so that the children need not; a failing import fails again in the child."""
    names = {"__name__": "__main__"}
    for source in steps:
        if re.match(r"(?:from [\w.]+ )?import ", source):
            with contextlib.suppress(BaseException):
                exec(source, names)


def main(path):
    with open(path) as opened:
        job = json.load(opened)
    out = os.open(job["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    tries, steps = Tries(job), list(enumerate(job["steps"]))
    signal.alarm(WAIT * int(job["seconds"]) + WAIT)
    load_imports(job["steps"])
    answer = tries.run(steps) or {"steps": [], "names": [], "stars": {}}
    answer["kept"] = [number for number, _ in steps]
    if job["reduce"] and answer["steps"]:
        answer["kept"] = [number for number, _ in tries.reduce(steps, signature(answer["steps"][-1]))]
    answer["cpu"] = tries.cpu() - tries.began
    send(out, json.dumps(answer).encode())
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
