"""Pairs of a function before and after a change: some differ, others are equal although they look different."""

from __future__ import annotations

from typing import NamedTuple

HEAD = """\
import collections, functools, itertools, math, os, random, re, sys, threading, time, warnings
from dataclasses import dataclass, field

@dataclass
class Point:
    x: int
    y: list = field(default_factory=list)

class Slotted:
    __slots__ = ("a", "b")
    def __init__(self, a, b):
        self.a, self.b = a, b

class Node:
    def __init__(self, value):
        self.value, self.next = value, self

"""


class Pair(NamedTuple):
    """`expected` is a part of the description of the difference in the call `f(*args)`."""

    name: str
    before: str
    after: str
    args: tuple[object, ...]
    expected: str = ""


DIFFERENT = [
    Pair(
        "type of a sequence",
        "def f(x): return sorted(x)",
        "def f(x): return tuple(sorted(x))",
        ([3, 1],),
        "f(0, [3, 1]): was [1, 3], is (1, 3)",
    ),
    Pair("bool for int", "def f(x): return 1", "def f(x): return True", (0,), "was 1, is True"),
    Pair("float for int", "def f(x): return x", "def f(x): return x / 1", (2,), "was 2, is 2.0"),
    Pair("sign of zero", "def f(x): return 0.0", "def f(x): return -0.0", (0,), "was 0.0, is -0.0"),
    Pair("last digit", "def f(x): return .1 + .2", "def f(x): return math.fsum([.1, .2, -1e-17])", (0,), "is 0.3"),
    Pair(
        "order of a dict",
        "def f(x): return {k: 1 for k in x}",
        "def f(x): return {k: 1 for k in sorted(x)}",
        ([2, 1],),
        "was 2, is 1",
    ),
    Pair(
        "kind of a dict",
        "def f(x): return collections.Counter(x)",
        "def f(x): return dict(collections.Counter(x))",
        ("ab",),
        "Counter",
    ),
    Pair(
        "order of an OrderedDict",
        """
def f(x):
 d = collections.OrderedDict(a=1, b=2)
 return d
""",
        """
def f(x):
 d = collections.OrderedDict(a=1, b=2)
 d.move_to_end('a')
 return d
""",
        (1,),
        "'a', is 'b'",
    ),
    Pair(
        "default of a defaultdict",
        "def f(x): return collections.defaultdict(list)",
        "def f(x): return collections.defaultdict(set)",
        (1,),
        "list",
    ),
    Pair(
        "length of a deque",
        "def f(x): return collections.deque(x, 3)",
        "def f(x): return collections.deque(x, 4)",
        ([1],),
        "was 3, is 4",
    ),
    Pair(
        "a list for a generator",
        "def f(x): yield from x",
        "def f(x): return list(x)",
        ([1],),
        "<iterator of 1, end>, is [1]",
    ),
    Pair(
        "a late item",
        """
def f(x):
 for i in range(300): yield i
""",
        """
def f(x):
 for i in range(300): yield i + (i == 299)
""",
        (1,),
        "at [299] was 299, is 300",
    ),
    Pair(
        "exception of a generator",
        """
def f(x):
 yield 1
 raise ValueError(x)
""",
        """
def f(x):
 yield 1
 raise KeyError(x)
""",
        (1,),
        "ValueError",
    ),
    Pair(
        "a copy of the argument",
        """
def f(x):
 x.sort()
 return x
""",
        """
def f(x):
 x.sort()
 return list(x)
""",
        ([2, 1],),
        "same",
    ),
    Pair(
        "an unchanged argument",
        """
def f(x):
 x.sort()
 return 0
""",
        "def f(x): return 0",
        ([2, 1],),
        "afterwards argument 2[0] was 1, is 2",
    ),
    Pair(
        "an argument consumed later",
        "def f(x): return map(x.pop, [0, 0])",
        "def f(x): return map([1, 2].pop, [0, 0])",
        ([1, 2],),
        "after lazy results were consumed",
    ),
    Pair(
        "an iterator consumed further",
        "def f(x): return next(x)",
        "def f(x): return list(x)[0]",
        (iter([1, 2, 3]),),
        "argument 2 was <iterator of 2, 3, end>",
    ),
    Pair(
        "an alias inside",
        """
def f(x):
 a = []
 return [a, a]
""",
        "def f(x): return [[], []]",
        (1,),
        "same",
    ),
    Pair(
        "exception",
        "def f(x): return x[5]",
        "def f(x): return x[5] if len(x) > 5 else None",
        ([1],),
        "was IndexError('list index out of range'), is None",
    ),
    Pair(
        "text of an exception",
        "def f(x): raise ValueError('no %s' % x)",
        "def f(x): raise ValueError('no')",
        (1,),
        "ValueError('no 1'), is ValueError('no')",
    ),
    Pair("subclass of an exception", "def f(x): raise KeyError(x)", "def f(x): raise LookupError(x)", (1,), "KeyError"),
    Pair(
        "cause of an exception",
        """
def f(x):
 try: 1 / 0
 except Exception as e: raise ValueError(1) from e
""",
        "def f(x): raise ValueError(1)",
        (1,),
        "was",
    ),
    Pair(
        "argument changed before it raises",
        """
def f(x):
 x.append(1)
 raise ValueError
""",
        "def f(x): raise ValueError",
        ([],),
        "afterwards argument 2",
    ),
    Pair("exit", "def f(x): sys.exit(3)", "def f(x): sys.exit(4)", (1,), "SystemExit"),
    Pair("print", "def f(x): print('hi', x)", "def f(x): pass", (1,), "printed 'hi 1\\n', prints ''"),
    Pair(
        "print of a child process",
        "def f(x): return os.system('echo hi')",
        "def f(x): return 0",
        (1,),
        "printed 'hi\\n', prints ''",
    ),
    Pair("to stderr", "def f(x): return sys.stderr.write('a')", "def f(x): return 1", (1,), "printed 'a', prints ''"),
    Pair(
        "warning",
        "def f(x): warnings.warn('old')",
        "def f(x): pass",
        (1,),
        "warned of UserWarning 'old', warns of nothing",
    ),
    Pair(
        "attribute of an object",
        "def f(x): return Point(x, [1])",
        "def f(x): return Point(x, [2])",
        (1,),
        "at .y[0] was 1, is 2",
    ),
    Pair(
        "slot of an object",
        "def f(x): return Slotted(x, 1)",
        "def f(x): return Slotted(x, 2)",
        (1,),
        "at .b was 1, is 2",
    ),
    Pair(
        "a reference cycle",
        "def f(x): return Node(x)",
        """
def f(x):
 n = Node(x)
 n.next = Node(x)
 return n
""",
        (1,),
        "same",
    ),
    Pair(
        "deep inside",
        """
def f(x):
 for _ in range(90): x = [x]
 return x
""",
        """
def f(x):
 x += 1
 for _ in range(90): x = [x]
 return x
""",
        (1,),
        "was 1, is 2",
    ),
    Pair(
        "content of C types",
        "def f(x): return re.compile('a')",
        "def f(x): return re.compile('b')",
        (1,),
        "'a', is 'b'",
    ),
    Pair(
        "member of a set", "def f(x): return {1, 'a', (2, 3)}", "def f(x): return {1, 'a', (2, 4)}", (1,), "was 3, is 4"
    ),
    Pair("frozen", "def f(x): return {1}", "def f(x): return frozenset({1})", (1,), "frozenset"),
    Pair(
        "big ints",
        "def f(x): return 10 ** 40",
        "def f(x): return 10 ** 40 + 1",
        (1,),
        "was 10000000000000000000000000000000000000000",
    ),
    Pair("large lists", "def f(x): return list(range(400000))", "def f(x): return list(range(400001))", (1,), "digest"),
    Pair("larger texts", "def f(x): return 'a' * 3000000", "def f(x): return 'a' * 2999999 + 'b'", (1,), "digest"),
    Pair(
        "too slow now",
        "def f(x): return 1",
        """
def f(x):
 while True: pass
""",
        (1,),
        "was 1, is too slow",
    ),
    Pair(
        "too slow, and ignores exceptions",
        "def f(x): return 1",
        """
def f(x):
 while True:
  try:
   while True: pass
  except BaseException: pass
""",
        (1,),
        "is too slow",
    ),
    Pair(
        "process exit",
        "def f(x): return 1",
        "def f(x): os._exit(3)",
        (1,),
        "was 1, is the end of the process ('exited with code 3')",
    ),
    Pair("a crash", "def f(x): return 1", "def f(x): os.kill(os.getpid(), 11)", (1,), "signal 11"),
    Pair("coroutine", "async def f(x): return x", "async def f(x): return x + 1", (1,), "was 1, is 2"),
]

SAME = [
    Pair("an iterator for a generator", "def f(x): yield from x", "def f(x): return iter(list(x))", ([1],)),
    Pair("order of a set", "def f(x): return set(x)", "def f(x): return set(reversed(x))", (["a", "b", "c"],)),
    Pair(
        "sets of sets",
        "def f(x): return {frozenset(x), frozenset('q')}",
        "def f(x): return {frozenset('q'), frozenset(x[::-1])}",
        ("abc",),
    ),
    Pair(
        "NaN and infinity",
        "def f(x): return [float('nan'), math.inf]",
        "def f(x): return [math.inf - math.inf, math.inf]",
        (1,),
    ),
    Pair(
        "equal immutables",
        "def f(x): return [(1, 2), (1, 2)]",
        """
def f(x):
 t = (1, 2)
 return [t, t]
""",
        (1,),
    ),
    Pair(
        "order of attributes",
        "def f(x): return Slotted(1, 2)",
        """
def f(x):
 s = Slotted(0, 2)
 s.a = 1
 return s
""",
        (1,),
    ),
    Pair(
        "random",
        "def f(x): return random.random()",
        """
def f(x):
 return random.random()
""",
        (1,),
    ),
    Pair(
        "addresses in texts",
        "def f(x): raise ValueError(object())",
        """
def f(x):
 y = object()
 raise ValueError(y)
""",
        (1,),
    ),
    Pair(
        "endless",
        "def f(x): return itertools.count(x)",
        """
def f(x):
 return itertools.count(x)
""",
        (1,),
    ),
    Pair("a loop for recursion", "def f(x): return f(x - 1) if x else 0", "def f(x): return 0", (100000,)),
    Pair(
        "a reference cycle",
        "def f(x): return Node(x)",
        """
def f(x):
 n = Node(x)
 n.next = n
 return n
""",
        (1,),
    ),
    Pair(
        "was too slow",
        """
def f(x):
 while True: pass
""",
        "def f(x): return 1",
        (1,),
    ),
    Pair(
        "the argument itself",
        """
def f(x):
 x.append(1)
 return x
""",
        """
def f(x):
 x += [1]
 return x
""",
        ([],),
    ),
    Pair(
        "text on stderr",
        "def f(x): print(x, file=sys.stderr)",
        """
def f(x): sys.stderr.write('%s\\n' % x)

""",
        (1,),
    ),
]
