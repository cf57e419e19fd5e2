"""A repository of functions whose cost is known, and calls of them."""

import os
import pickle
import shutil
from dataclasses import dataclass

import pytest

from aci.runtime.target_function import Target
from extensions.optimize.measurement.instruction_count import fork_for_counting

FILE = "shop/work.py"
SOURCE = """\
import ctypes
import functools
import mmap
import os
import subprocess
import sys
import threading

PAGE = mmap.mmap(-1, 4096, prot=7)
PAGE.write(bytes.fromhex("89f9" "ffc9" "75fc" "c3"))  # mov ecx, edi; dec ecx; jnz back; ret
SPIN = ctypes.PYFUNCTYPE(None, ctypes.c_uint)(ctypes.addressof(ctypes.c_char.from_buffer(PAGE)))


def spin(n):
    SPIN(n)


@functools.lru_cache(None)
def remembered(n):
    SPIN(n)


def in_thread(n):
    thread = threading.Thread(target=SPIN, args=(n,))
    thread.start()


def in_fork(n):
    if not os.fork():
        SPIN(n)
        os._exit(0)


def in_child(n):
    subprocess.run([sys.executable, "-S", "-E", "-c", "sum(range(%d))" % n])


def empty_it(items):
    while items:
        items.pop()


def lazy(n):
    for _ in range(3):
        SPIN(n)
        yield n


async def later(n):
    SPIN(n)


def refuse(n):
    SPIN(n)
    raise ValueError(n)


def forever():
    while True:
        pass


def words(n):
    return len({"w%d" % i for i in range(n)} & {"w%d" % (3 * i) for i in range(n)})


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def in_order(items):
    return sorted(items)


def by_hand(items):
    items = list(items)
    for i in range(len(items)):
        for j in range(i, 0, -1):
            if items[j - 1] <= items[j]:
                break
            items[j - 1], items[j] = items[j], items[j - 1]
    return items

"""


@dataclass(frozen=True)
class Call:
    data: bytes


def call(*args):
    return Call(pickle.dumps((args, {})))


def target(name):
    return Target(FILE, name)


@pytest.fixture
def valgrind():
    if not shutil.which("valgrind") and os.environ.get("CI") != "true":
        pytest.skip("valgrind is not installed")


@pytest.fixture
def fork(make_repo, open_ws, kind):
    """A fork of a workspace with the repository, in which instructions are counted."""
    repo = make_repo({"shop/__init__.py": "", FILE: SOURCE})
    workspace = open_ws(kind, repo)
    with fork_for_counting(workspace, workspace.options.base.tree) as forked:
        yield forked
