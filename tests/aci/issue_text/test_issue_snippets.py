from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.issue_text.issue_snippets import MOST, CalledFunction, find_snippets, trace_snippets
from tests.conftest import MakeRepo, OpenWorkspace

FILES = {
    "shop/__init__.py": "from shop.cart import total\n\n\ndef on_import():\n    pass\n\n\non_import()\n",
    "shop/cart.py": """\
class Cart:
    def __init__(self):
        self.items = []

    @property
    def first(self):
        return self.items[0]


def total(cart):
    return price(cart.first)


def price(item):
    return item.price
""",
}
ISSUE = """The total of an empty cart fails:

```python
from shop import total
from shop.cart import Cart
total(Cart())
```

```
IndexError: list index out of range
```
"""


@pytest.mark.slow
def test_trace_lists_called_functions_and_raising_frames(
    kind: str, make_repo: MakeRepo, open_ws: OpenWorkspace
) -> None:
    workspace = open_ws(kind, make_repo(FILES))
    trace = trace_snippets(workspace, ISSUE)
    assert trace is not None
    assert set(trace.functions) == {
        CalledFunction("shop/cart.py", 2, "__init__", 1),
        CalledFunction("shop/cart.py", 5, "first", 1),
        CalledFunction("shop/cart.py", 10, "total", 1),
    }
    assert [(path, name) for path, _, name in trace.raised] == [("shop/cart.py", "total"), ("shop/cart.py", "first")]
    assert trace.error == "IndexError: list index out of range"


@pytest.mark.slow
def test_test_function_in_issue_is_run(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    text = "```py\nimport shop.cart\ndef test_it():\n    shop.cart.price(None)\n```"
    trace = trace_snippets(open_ws("local", make_repo(FILES)), text)
    assert trace is not None
    assert [one.name for one in trace.functions] == ["price"]
    assert "NoneType" in trace.error


@pytest.mark.slow
def test_imported_test_function_is_not_called(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    files = {**FILES, "shop/runner.py": "def test():\n    open('ran', 'w').close()\n"}
    text = "```py\nfrom shop.runner import *\nfrom shop.cart import price\nprice(None)\n```"
    trace = trace_snippets(open_ws("local", make_repo(files)), text)
    assert trace is not None
    assert [one.name for one in trace.functions] == ["price"]


@pytest.mark.parametrize(
    "code",
    [
        "import os; os._exit(3)",
        "while True: pass",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "print('x' * 100); raise SystemExit(4)",
        "import builtins; builtins.open = None; len('')",
    ],
)
def test_snippet_that_exits_or_hangs_leaves_workspace_usable(
    code: str, make_repo: MakeRepo, open_ws: OpenWorkspace
) -> None:
    workspace = open_ws("local", make_repo(FILES))
    trace = trace_snippets(workspace, f"```\n{code}\n```", seconds=1)
    assert trace is None or trace.functions == ()
    assert workspace.run("echo alive").text == "alive\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "last",
    [
        "import time\nwhile True:\n    try:\n        time.sleep(100)\n    except BaseException: pass",
        "import os; os._exit(3)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    ],
)
def test_earlier_results_remain_if_later_snippet_exits_or_hangs(
    last: str, make_repo: MakeRepo, open_ws: OpenWorkspace
) -> None:
    text = f"{ISSUE}\n```\nfrom shop.cart import price\ntry:\n    price(None)\nexcept Exception: pass\n{last}\n```"
    trace = trace_snippets(open_ws("local", make_repo(FILES)), text, seconds=1)
    assert trace is not None
    assert {one.name for one in trace.functions} >= {"__init__", "first", "total"}
    assert trace.error == "IndexError: list index out of range"


@pytest.mark.slow
def test_calls_before_timeout_are_recorded(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    called = "import shop.cart\ntry: shop.cart.price(None)\nexcept AttributeError: pass"
    text = f"```\n{called}\nwhile True: pass\n```\n```\nx()\n```"
    trace = trace_snippets(open_ws("local", make_repo(FILES)), text, seconds=1)
    assert trace is not None
    assert [one.name for one in trace.functions] == ["price"]
    assert trace.error == "TimeoutError: The example took longer than 1 seconds."


def test_issue_without_code_has_no_trace(make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    assert trace_snippets(open_ws("local", make_repo(FILES)), "It does not work.\n```\nIndexError: oops\n```") is None


def test_interactive_sessions_are_converted_to_code() -> None:
    assert find_snippets("Do this:\n\n    >>> import a\n    >>> if a:\n    ...     a.b()\n    3\n") == (
        "import a\nif a:\n    a.b()\n",
    )
    assert find_snippets("```\nIn [1]: import a\n\nIn [2]: for x in a():\n   ...:     f(x)\nOut[2]: 4\n```") == (
        "import a\nfor x in a():\n    f(x)\n",
    )


def test_unmarked_code_starts_at_import() -> None:
    text = "This fails for me:\n\n  from a import b\n\n  b.c(\n      1)\nwith an error, see below.\n"
    assert find_snippets(text) == ("from a import b\n\nb.c(\n    1)\n",)
    assert find_snippets("import is slow (I think).\nimport this is not code either") == ()


def test_other_languages_and_output_are_skipped() -> None:
    assert find_snippets("```js\nfoo()\n```\n```\n{'a': 1}\n```\n```python\nfoo(\n```\n```py\nfoo()\n```") == (
        "foo()\n",
    )


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        "```a\n" * 16_000,
        "```\n" * 20_001,
        "```\nf()\n```\n" * 7_000,
        ">>> " * 15_000,
        ">>> x\n... y\n" * 5_000,
        "In [1]: " * 8_000,
        "import a\n" + ("x = (1," * 300 + "\n") * 60,
        "import a,\n" * 9_000,
    ],
)
def test_pathological_text_is_parsed_quickly(text: str) -> None:
    assert len(find_snippets(text)) <= MOST


@given(st.text(alphabet=st.sampled_from("`>.In [1]:\n\tab()='\"\\\x00é"), max_size=200))
def test_snippets_of_any_text_compile(text: str) -> None:
    for code in find_snippets(text):
        compile(code, "issue", "exec")
