"""Inefficient code as people write it, one pattern per function."""

# ruff: noqa

import re
from collections import defaultdict
from itertools import combinations


class Shop:
    def __init__(self, items, tax):
        self.items = items
        self.tax = tax
        self.log = []

    def _norm(self, s):
        return s.strip().lower()

    def missing(self, names):
        out = []
        for n in names:
            if self._norm(n) not in [self._norm(i) for i in self.items]:
                out.append(n)
        return out

    def total(self, orders):
        result = 0
        for o in orders:
            if o in list(self.items):
                result += len(sorted(self.items)) * self.tax
        return result


def unique(items):
    result = []
    for item in items:
        if item not in result:
            result.append(item)
    return result


def unique2(items):
    result = []
    for item in items:
        found = False
        for other in result:
            if other == item:
                found = True
                break
        if not found:
            result.append(item)
    return result


def common(a, b):
    return [x for x in a if x in b]


def common2(a, b):
    out = []
    for x in a:
        for y in b:
            if x == y and x not in out:
                out.append(x)
    return out


def has_dup(xs):
    for i in range(len(xs)):
        for j in range(len(xs)):
            if i != j and xs[i] == xs[j]:
                return True
    return False


def dups(xs):
    found = []
    for i, a in enumerate(xs):
        if a in xs[i + 1 :] and a not in found:
            found.append(a)
    return found


def dups2(xs):
    return [x for x in set(xs) if xs.count(x) > 1]


def mostcommon(words):
    best = None
    best_count = 0
    for w in words:
        c = words.count(w)
        if c > best_count:
            best, best_count = w, c
    return best


def freq(text):
    out = {}
    for w in text.split():
        out[w] = text.split().count(w)
    return out


def twosum(xs, target):
    for i in range(len(xs)):
        for j in range(i + 1, len(xs)):
            if xs[i] + xs[j] == target:
                return (i, j)
    return None


def build(rows):
    s = ""
    for r in rows:
        s = s + str(r) + ","
    return s


def rev(s):
    out = ""
    for c in s:
        out = c + out
    return out


def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


def ways(coins, amount, at=0):
    """Ways."""
    if amount == 0:
        return 1
    if amount < 0 or at >= len(coins):
        return 0
    return ways(coins, amount - coins[at], at) + ways(coins, amount, at + 1)


def lcs(a, b):
    def go(i, j):
        if i == len(a) or j == len(b):
            return 0
        if a[i] == b[j]:
            return 1 + go(i + 1, j + 1)
        return max(go(i + 1, j), go(i, j + 1))

    return go(0, 0)


def paths(grid, r, c):
    if r == 0 and c == 0:
        return 1
    total = 0
    if r > 0:
        total += paths(grid, r - 1, c)
    if c > 0:
        total += paths(grid, r, c - 1)
    return total


def josephus(n, k):
    q = list(range(n))
    out = []
    while q:
        for _ in range(k - 1):
            q.append(q.pop(0))
        out.append(q.pop(0))
    return out


def merge(a, b):
    a = list(a)
    b = list(b)
    out = []
    while a and b:
        if a[0] <= b[0]:
            out.append(a.pop(0))
        else:
            out.append(b.pop(0))
    return out + a + b


def digits(n):
    out = []
    while n:
        out.insert(0, n % 10)
        n //= 10
    return out


def parse(lines):
    out = []
    for line in lines:
        m = re.compile(r"(\w+)=(\d+)").match(line)
        if m:
            out.append((m.group(1), int(m.group(2))))
    return out


def anagrams(words):
    groups = []
    for w in words:
        for g in groups:
            if sorted(g[0]) == sorted(w):
                g.append(w)
                break
        else:
            groups.append([w])
    return groups


def group_totals(rows):
    summary = []
    for row in rows:
        for entry in summary:
            if entry["name"] == row["name"]:
                entry["total"] += row["amount"]
                break
        else:
            summary.append({"name": row["name"], "total": row["amount"]})
    return summary


def normalise(xs):
    return [(x - min(xs)) / (max(xs) - min(xs)) for x in xs]


def zscores(xs):
    out = []
    for x in xs:
        mean = sum(xs) / len(xs)
        var = sum((y - mean) ** 2 for y in xs) / len(xs)
        out.append((x - mean) / (var**0.5) if var else 0.0)
    return out


def index_sort(order, xs):
    return sorted(xs, key=lambda x: order.index(x))


def lookup(users, events):
    out = []
    for e in events:
        user = next((u for u in users if u["id"] == e["user"]), None)
        out.append(user["name"] if user else "?")
    return out


def lookup2(users, events):
    out = []
    for e in events:
        for u in users:
            if u["id"] == e["user"]:
                out.append((u["name"], e["what"]))
    return out


def lookup3(users, events):
    out = []
    for e in events:
        name = None
        for u in users:
            if u["id"] != e["user"]:
                continue
            name = u["name"]
            break
        out.append(name)
    return out


def flatten(lists):
    return sum(lists, [])


def flatten2(lists):
    out = []
    for l in lists:
        out = out + l
    return out


def remove_all(xs, bad):
    out = list(xs)
    for b in bad:
        while b in out:
            out.remove(b)
    return out


def hist(xs):
    out = []
    for x in sorted(set(xs)):
        out.append((x, len([y for y in xs if y == x])))
    return out


def counts_by(rows):
    out = {}
    for r in rows:
        out[r["k"]] = sum(q["v"] for q in rows if q["k"] == r["k"])
    return out


def visited_bfs(graph, start):
    queue = [start]
    visited = [start]
    while queue:
        node = queue.pop(0)
        for n in graph.get(node, []):
            if n not in visited:
                visited.append(n)
                queue.append(n)
    return visited


def bfs_path(graph, start, goal):
    queue = [[start]]
    seen = []
    while queue:
        path = queue.pop(0)
        node = path[-1]
        if node == goal:
            return path
        if node in seen:
            continue
        seen.append(node)
        for n in graph.get(node, ()):
            queue.append(path + [n])
    return None


def rank(xs):
    return [sorted(xs).index(x) for x in xs]


def filter_stop(text, stop):
    return " ".join(w for w in text.split() if w.lower() not in [s.lower() for s in stop])


def lis(xs):
    def best(i):
        r = 1
        for j in range(i):
            if xs[j] < xs[i]:
                r = max(r, best(j) + 1)
        return r

    return max((best(i) for i in range(len(xs))), default=0)


def pairs_comb(rows):
    out = []
    for a, b in combinations(rows, 2):
        if a[0] == b[0]:
            out.append((a, b))
    return out


def symmetric(edges):
    out = []
    for a, b in edges:
        if (b, a) in edges:
            out.append((a, b))
    return out


def toposort(graph):
    order = []
    nodes = list(graph)
    while nodes:
        for n in list(nodes):
            if all(d in order for d in graph[n]):
                order.append(n)
                nodes.remove(n)
                break
        else:
            return None
    return order


def pairs_seen(points):
    seen = []
    for x, y in points:
        if (x, y) not in seen:
            seen.append((x, y))
    return len(seen)


def hops(graph, start, goal):
    queue = [(start, 0)]
    done = [start]
    while len(queue) > 0:
        node, d = queue.pop(0)
        if node == goal:
            return d
        for n in graph[node]:
            if n not in done:
                done += [n]
                queue += [(n, d + 1)]
    return -1


def modes(d):
    return [k for k in d if d[k] == max(d.values())]


def kth(d, ks):
    return [list(d.keys())[k] for k in ks]


def common3(a, b):
    res = []
    for x in a:
        for y in b:
            if x == y:
                res.append(x)
                break
    return res


def tup(xs):
    t = ()
    for x in xs:
        t = t + (x,)
    return t


def best_price2(orders, offers):
    out = {}
    for o in orders:
        mine = [f for f in offers if f["sku"] == o]
        if mine:
            out[o] = sorted(mine, key=lambda f: f["price"])[0]["vendor"]
    return out


def isub(xs, ys):
    for x in xs:
        if x not in ys:
            return False
    return True


def change(amount, coins):
    if amount == 0:
        return 0
    best = None
    for c in coins:
        if c <= amount:
            sub = change(amount - c, coins)
            if sub is not None and (best is None or sub + 1 < best):
                best = sub + 1
    return best


def can_split(s, words):
    if not s:
        return True
    for w in words:
        if s.startswith(w) and can_split(s[len(w) :], words):
            return True
    return False


def knap(items, cap):
    if not items:
        return 0
    w, v = items[0]
    skip = knap(items[1:], cap)
    if w > cap:
        return skip
    return max(skip, v + knap(items[1:], cap - w))


def wordidx(words):
    idx = {}
    for w in words:
        idx[w] = [i for i in range(len(words)) if words[i] == w]
    return idx


def overlap(events):
    n = 0
    for i in range(0, len(events)):
        for j in range(i + 1, len(events)):
            if events[i]["room"] == events[j]["room"]:
                if events[i]["s"] < events[j]["e"]:
                    n += 1
    return n


def strip_seen(log):
    out = []
    for rec in log:
        if not any(rec["id"] == o["id"] for o in out):
            out.append(rec)
    return out


def csv(rows):
    text = ""
    for row in rows:
        line = ""
        for cell in row:
            line = line + str(cell) + ";"
        text = text + line + "\n"
    return text


def recent(hist, n):
    buf = []
    for h in hist:
        buf.insert(0, h)
        if len(buf) > n:
            buf.pop()
    return buf


def cnt(words):
    counts = []
    for w in words:
        n = 0
        for v in words:
            if v == w:
                n += 1
        counts.append((w, n))
    return counts


def steps(tasks):
    tasks = sorted(tasks)
    res = []
    while tasks:
        t = tasks[0]
        tasks = tasks[1:]
        res.append(t)
    return res


def same_letters(a, b):
    rest = list(b)
    for x in a:
        if x not in rest:
            return False
        rest.remove(x)
    return True


def common_lines(a, b):
    left, out = None, []
    rest = b[:]
    for x in a:
        if x in rest:
            rest.remove(x)
            out.append(x)
    return out


def is_member(x, xs):
    for y in xs:
        if y == x:
            return True
    return False


def allowed(xs, ys):
    return [x for x in xs if not is_member(x, ys)]


def first_price(wanted, offers):
    out = []
    for w in wanted:
        for o in offers:
            if o["sku"] == w:
                out.append(o["price"])
                break
        else:
            out.append(None)
    return out


def first_user(users, events):
    out = []
    for e in events:
        user = next((u for u in users if u["id"] == e["user"]), None)
        out.append(user["name"] if user else None)
    return out


def find_price(offers, wanted):
    for w in wanted:
        for o in offers:
            if o["sku"] == w:
                return o["price"]
    return None


def by_keys(rows):
    seen, out = [], []
    known = []
    for row in rows:
        key = [row["k"], row["v"]]
        if key not in known:
            known.append(key)
            out.append(row)
    return out


def positions(names, ranking):
    return [ranking.index(n) if n in ranking else -1 for n in names]


def later(xs, ys):
    return [x for i, x in enumerate(xs) if x not in ys[: i + 1]]


def checked_ways(n, coins):
    if n < 0 and not coins:
        raise ValueError("no coins")
    if n == 0:
        return 1
    if n < 0 or not coins:
        return 0
    return checked_ways(n - coins[0], coins) + checked_ways(n, coins[1:])
