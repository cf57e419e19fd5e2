"""Condensing of progress, library frames and encoded data; lines that report errors are never removed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.observation.line_condensing import condense, reports_error

PIP = [
    "Collecting requests",
    "  Downloading requests-2.31.0-py3-none-any.whl (62 kB)",
    "     ━━━━━━━━━━ 62.6/62.6 kB 1.2 MB/s eta 0:00:00",
    "Requirement already satisfied: idna in ./lib",
    "Installing collected packages: requests",
]
TQDM = [f" {n}%|{'█' * (n // 10)}      | {n}/100 [00:0{n // 20}<00:09, 9.5it/s]" for n in range(0, 101, 10)]
DOCKER = [f"{n:012x}: {word}" for n in range(3) for word in ("Pulling fs layer", "Waiting", "Download complete")]
MAKE = [f"[ {n}%] Building CXX object src/CMakeFiles/a.dir/file_{n}.cpp.o" for n in range(0, 100, 7)]
GCC = [f"gcc -DNDEBUG -O2 -Iinclude -c src/m{n}.c -o build/m{n}.o" for n in range(8)]
NPM = [f"npm http fetch GET 200 https://registry/p{n} 12ms" for n in range(8)]
BASE64 = ["QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAx"] * 9
PYTHON = """\
Traceback (most recent call last):
  File "/repo/app/main.py", line 3, in run
    handle(request)
  File "/usr/lib/python3.11/site-packages/django/core/base.py", line 55, in inner
    response = get_response(request)
  File "/usr/lib/python3.11/site-packages/django/core/handlers.py", line 197, in _get_response
    response = wrapped_callback(request, *args)
               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/repo/app/views.py", line 9, in view
    return json.loads(body)
  File "/usr/lib/python3.11/json/__init__.py", line 346, in loads
    return _default_decoder.decode(s)
  File "/usr/lib/python3.11/json/decoder.py", line 337, in decode
    obj, end = self.raw_decode(s)
json.decoder.JSONDecodeError: Expecting value"""
NODE = """\
TypeError: x is not a function
    at parse (/repo/src/parse.js:10:5)
    at Module._compile (node:internal/modules/cjs/loader:1105:14)
    at Object.run (/repo/node_modules/jest-runner/build/run.js:44:12)
    at async jestAdapter (/repo/node_modules/jest-circus/build/adapter.js:79:19)
    at main (/repo/src/main.js:3:1)
    at node:internal/main/run_main_module:17:47"""
JAVA = """\
java.lang.NullPointerException: name
	at com.acme.Invoice.total(Invoice.java:40)
	at java.base/jdk.internal.reflect.NativeMethodAccessorImpl.invoke0(Native Method)
	at org.junit.platform.commons.util.ReflectionUtils.invokeMethod(ReflectionUtils.java:727)
	at org.junit.jupiter.engine.execution.MethodInvocation.proceed(MethodInvocation.java:60)
	at com.acme.InvoiceTest.sums(InvoiceTest.java:12)
	at java.base/java.lang.Thread.run(Thread.java:840)"""
GO = """\
panic: runtime error: index out of range
goroutine 1 [running]:
main.first(...)
\t/repo/main.go:7 +0x1d
net/http.HandlerFunc.ServeHTTP(0xc000102000, {0x1, 0x2})
\t/usr/local/go/src/net/http/server.go:2136 +0x29
net/http.serverHandler.ServeHTTP({0xc000112000}, {0x1, 0x2})
\t/usr/local/go/src/net/http/server.go:2938 +0x8e
main.main()
\t/repo/main.go:12 +0x1d"""
LINES = st.lists(
    st.sampled_from(
        [*PIP, *TQDM, *MAKE, *PYTHON.split("\n"), *NODE.split("\n"), *GO.split("\n"), *BASE64, "", "plain", "e: error"]
    ),
    max_size=60,
)


@pytest.mark.parametrize("lines", [PIP, TQDM, DOCKER, MAKE, GCC, NPM])
def test_progress_lines_are_condensed_to_first_and_last(lines: list[str]) -> None:
    shown = condense("\n".join(["before", *lines, "after"])).split("\n")
    assert shown == ["before", lines[0], f"… {len(lines) - 2} lines of progress", lines[-1], "after"]


def test_error_between_progress_lines_remains() -> None:
    text = "\n".join([*MAKE[:6], "src/a.cpp:9:1: error: 'x' was not declared", *MAKE[6:]])
    assert "error: 'x' was not declared" in condense(text)
    assert condense(text).count("lines of progress") == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PYTHON, ["main.py", "views.py", "decoder.py", "JSONDecodeError"]),
        (NODE, ["parse.js", "main.js", "run_main_module"]),
        (JAVA, ["Invoice.java:40", "InvoiceTest.java:12", "Thread.run"]),
        (GO, ["main.go:7", "main.go:12", "main.main()"]),
    ],
)
def test_library_frames_are_condensed_to_first_and_last(text: str, expected: list[str]) -> None:
    shown = condense(text)
    assert "lines of library frames" in shown
    assert all(part in shown for part in expected)
    assert len(shown) < len(text)


def test_stack_of_two_library_frames_is_unchanged() -> None:
    text = "\n".join([*PYTHON.split("\n")[:5], "ValueError"])
    assert condense(text) == text


def test_encoded_data_is_condensed() -> None:
    assert condense("\n".join(BASE64)).split("\n")[1] == "… 7 lines of encoded data"
    shown = condense('{"image": "' + "iVBORw0KGgo" * 400 + '", "name": "logo"}')
    assert len(shown) < 200
    assert shown.endswith('", "name": "logo"}')


@given(LINES)
def test_condensing_is_idempotent_and_never_lengthens(lines: list[str]) -> None:
    text = "\n".join(lines)
    shown = condense(text)
    assert condense(shown) == shown
    assert len(shown) <= len(text)
    shown_lines = shown.split("\n")
    assert all(
        line in shown_lines for line in lines if reports_error(line) and "File " not in line and " at " not in line
    )
