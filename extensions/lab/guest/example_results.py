"""Results of examples: runs each in a child process and prints one JSON line with all results.

The target's Python (3.6 and later) runs it as `python -c` in the repository's root, with the examples as a JSON list of
source texts. A result has "value" (the text of the last expression, null if the last statement is none), "error" (the
name of the exception that ended the example, or "") and "message"; it is null if the example did not end in time.
"""

import os  # loaded when Python starts, as sys is
import sys

FOLDERS = list(sys.path)
ROOT = os.path.realpath(os.getcwd())
sys.path[:] = [folder for folder in sys.path if os.path.realpath(folder) != ROOT]  # its modules must not shadow these

import ast  # noqa: E402
import json  # noqa: E402
import signal  # noqa: E402

sys.path[:] = FOLDERS
SECONDS = 20


def result(code):
    """Run an example and return its result."""
    space = {"__name__": "__main__"}
    body = ast.parse(code).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    rest = ast.parse("")
    rest.body = body
    try:
        exec(compile(rest, "<example>", "exec"), space)
        if last is None:
            return {"value": None, "error": "", "message": ""}
        value = eval(compile(ast.Expression(last.value), "<example>", "eval"), space)
        return {"value": repr(value), "error": "", "message": ""}
    except Exception as error:  # noqa: BLE001 the example's code may raise anything
        return {"value": None, "error": type(error).__name__, "message": str(error)}


def run(code):
    """Return the result of an example in a child process as JSON, b"null" if there is none."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reader)
            signal.alarm(SECONDS)
            nothing = os.open(os.devnull, os.O_RDWR)
            for number in range(3):
                os.dup2(nothing, number)
            text = json.dumps(result(code)).encode("ascii")
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(text)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text or b"null"


sys.stdout.write("\n[%s]\n" % ",".join(run(code).decode("ascii") for code in json.loads(sys.argv[1])))
