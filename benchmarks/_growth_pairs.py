"""Pairs of a slow and a fast solution of the same problem, with the known cost of each.

The file is copied into the measured process, so it uses the standard library only. Inputs are worst or typical cases
that depend on the size alone. A cost is the number of dominant steps: comparisons, additions or moves.
"""

# ruff: noqa: PERF401, SIM110, RUF005

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable
from itertools import accumulate
from typing import Any, NamedTuple

MODULUS = INFINITY = 1_000_003
Ints = list[int]
Cost = Callable[[int], float]
SIZES = (48, 66, 92, 128, 180, 250)
"""CPython caches integers up to 256; with larger inputs each step creates more and more of them."""
LARGE = (256, 400, 640, 1000, 1600, 2500)
"""For steps that run in C in a few instructions each: with smaller inputs the surrounding Python code dominates."""
LARGEST = (1000, 1500, 2200, 3300, 5000, 7500)
POWERS_OF_TWO = (16, 32, 64, 128, 256)
WIDE = (256, 1024, 4096, 16384, 65536)
"""For costs that hardly grow."""
CUBIC = (12, 18, 27, 40, 60, 90)
LIGHTER_CUBIC = (24, 36, 54, 80, 120)
"""For costs of a sixth of the cube or less."""


class Pair(NamedTuple):
    name: str
    slow: Callable[..., Any]
    fast: Callable[..., Any]
    make: Callable[[int], tuple[Any, ...]]
    slow_cost: Cost
    fast_cost: Cost
    sizes: tuple[int, ...] = SIZES


# Known costs


def constant(n: int) -> float:
    return 1.0


def logarithm(n: int) -> float:
    return math.log2(n)


def linear(n: int) -> float:
    return float(n)


def loglinear(n: int) -> float:
    return n * math.log2(n)


def levels(n: int) -> float:
    """Cost of sorting by levels: one step per value and level, and two more to enter the first and leave the last."""
    return n * (math.log2(n) + 2)


def binary_searches(n: int) -> float:
    """One binary search for each value, in a list as long as the longest rising subsequence, about twice the root."""
    return n * math.log2(2 * math.sqrt(n))


def karatsuba_steps(n: int) -> float:
    return float(n ** math.log2(3))


def triangle(n: int) -> float:
    return n * (n - 1) / 2


def square(n: int) -> float:
    return float(n * n)


def tetrahedron(n: int) -> float:
    return n * (n - 1) * (n - 2) / 6


def cube(n: int) -> float:
    return float(n**3)


def lengths_of_parts(n: int) -> float:
    """Sum of the lengths of all contiguous parts."""
    return n * (n + 1) * (n + 2) / 6


def letters_of_parts(n: int) -> float:
    """Pairs of letters compared from both ends of each contiguous part inwards."""
    return float(sum((n - length + 1) * (length // 2) for length in range(1, n + 1)))


def trial_divisions(n: int) -> float:
    return float(sum(next(d for d in range(2, m + 1) if m % d == 0) - 1 for m in range(2, n)))


def crossings_out(n: int) -> float:
    composite = [False] * n
    steps = n
    for m in range(2, n):
        if not composite[m]:
            for multiple in range(m * m, n, m):
                composite[multiple] = True
                steps += 1
    return float(steps)


def harmonic(n: int) -> float:
    return float(sum(n // d for d in range(1, n + 1)))


def steps_of_euclid(n: int) -> float:
    steps = 0
    for a in range(1, n + 1):
        for b in range(1, a + 1):
            x, y = a, b
            while y:
                x, y = y, x % y
                steps += 1
    return float(steps)


def merged_one_by_one(n: int) -> float:
    """Sum of the lengths of all merges of runs of 4, one after the other."""
    return float(sum(min(end, n) for end in range(8, n + 4, 4)))


def bits_up_to(n: int) -> float:
    return float(sum(m.bit_length() for m in range(n)))


# Inputs


def shuffled(n: int) -> tuple[Ints]:
    values = list(range(n))
    random.Random(n).shuffle(values)
    return (values,)


def signed(n: int) -> tuple[Ints]:
    rng = random.Random(n)
    return ([rng.randint(-1_000_000, 1_000_000) for _ in range(n)],)


def falling(n: int) -> tuple[Ints]:
    return (list(range(n, 0, -1)),)


def number(n: int) -> tuple[int]:
    return (n,)


def two_lists(n: int) -> tuple[Ints, Ints]:
    return list(range(0, 2 * n, 2)), list(range(1, 2 * n, 2))


def missing_sum(n: int) -> tuple[Ints, int]:
    return [2 * value for value in shuffled(n)[0]], 1


def same_letters(n: int) -> tuple[str]:
    return ("a" * n,)


def needle(n: int) -> tuple[str, str]:
    return "a" * n, "a" * (n // 4 - 1) + "b"


def words(n: int) -> tuple[list[str]]:
    rng = random.Random(n)
    return ([f"{m:05d}"[:: rng.choice((1, -1))] for m in range(10_000, 10_000 + n)],)


def path_graph(n: int) -> tuple[list[Ints]]:
    return ([[m for m in (v - 1, v + 1) if 0 <= m < n] for v in range(n)],)


def path_edges(n: int) -> tuple[int, list[tuple[int, int]]]:
    return n, [(v, v + 1) for v in reversed(range(n - 1))]


def links(n: int) -> tuple[int, list[tuple[int, int]]]:
    return n, [(v, v + 1) for v in range(n - 1)]


def two_polynomials(n: int) -> tuple[Ints, Ints]:
    rng = random.Random(n)
    return [rng.randint(1, 9) for _ in range(n)], [rng.randint(1, 9) for _ in range(n)]


def matrices(n: int) -> tuple[list[Ints], list[Ints], Ints]:
    rng = random.Random(n)

    def row() -> Ints:
        return [rng.randint(0, 9) for _ in range(n)]

    return [row() for _ in range(n)], [row() for _ in range(n)], row()


def intervals(n: int) -> tuple[Ints, list[tuple[int, int]]]:
    return shuffled(n)[0], [(m % 7, n - m % 5) for m in range(n)]


def short_runs(n: int) -> tuple[list[Ints]]:
    values = shuffled(n)[0]
    return ([sorted(values[at : at + 4]) for at in range(0, n, 4)],)


# Solutions


def distinct_slow(values: Ints) -> Ints:
    seen: Ints = []
    for value in values:
        if value not in seen:
            seen.append(value)
    return seen


def distinct_fast(values: Ints) -> Ints:
    seen, found = set(), []
    for value in values:
        if value not in seen:
            seen.add(value)
            found.append(value)
    return found


def two_sum_slow(values: Ints, wanted: int) -> bool:
    for i in range(len(values)):
        for j in range(i + 1, len(values)):
            if values[i] + values[j] == wanted:
                return True
    return False


def two_sum_fast(values: Ints, wanted: int) -> bool:
    seen = set()
    for value in values:
        if wanted - value in seen:
            return True
        seen.add(value)
    return False


def repeated_slow(values: Ints) -> bool:
    for i in range(len(values)):
        for j in range(i):
            if values[i] == values[j]:
                return True
    return False


def repeated_fast(values: Ints) -> bool:
    ordered = merge_sort(values)
    for i in range(1, len(ordered)):
        if ordered[i] == ordered[i - 1]:
            return True
    return False


def insertion_sort(values: Ints) -> Ints:
    values = list(values)
    for i in range(1, len(values)):
        value, j = values[i], i
        while j and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value
    return values


def merge_sort(values: Ints) -> Ints:
    if len(values) < 2:
        return values
    middle = len(values) // 2
    left, right = merge_sort(values[:middle]), merge_sort(values[middle:])
    found, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            found.append(left[i])
            i += 1
        else:
            found.append(right[j])
            j += 1
    return found + left[i:] + right[j:]


def bubble_sort(values: Ints) -> Ints:
    values = list(values)
    for end in range(len(values) - 1, 0, -1):
        for i in range(end):
            if values[i] > values[i + 1]:
                values[i], values[i + 1] = values[i + 1], values[i]
    return values


def heap_sort(values: Ints) -> Ints:
    heap: Ints = []
    for value in values:
        heapq.heappush(heap, value)
    return [heapq.heappop(heap) for _ in range(len(heap))]


def selection_sort(values: Ints) -> Ints:
    values = list(values)
    for i in range(len(values)):
        least = i
        for j in range(i + 1, len(values)):
            if values[j] < values[least]:
                least = j
        values[i], values[least] = values[least], values[i]
    return values


def bottom_up_merge_sort(values: Ints) -> Ints:
    """Merge sort from the bottom up: merges runs that double in length."""
    runs = [[value] for value in values]
    while len(runs) > 1:
        merged = [list(heapq.merge(*runs[i : i + 2])) for i in range(0, len(runs), 2)]
        runs = merged
    return runs[0]


def prefix_sums_slow(values: Ints) -> Ints:
    return [sum(values[: i + 1]) for i in range(len(values))]


def prefix_sums_fast(values: Ints) -> Ints:
    return list(accumulate(values))


def reversed_slow(values: Ints) -> Ints:
    found: Ints = []
    for value in values:
        found = [value] + found
    return found


def reversed_fast(values: Ints) -> Ints:
    found = deque[int]()
    for value in values:
        found.appendleft(value)
    return list(found)


def best_stretch_slow(values: Ints) -> int:
    best = values[0]
    for i in range(len(values)):
        total = 0
        for j in range(i, len(values)):
            total += values[j]
            if total > best:
                best = total
    return best


def best_stretch_fast(values: Ints) -> int:
    best = total = values[0]
    for i in range(1, len(values)):
        total = values[i] if total < 0 else total + values[i]
        if total > best:
            best = total
    return best


def best_stretch_slowest(values: Ints) -> int:
    best = values[0]
    for i in range(len(values)):
        for j in range(i, len(values)):
            total = 0
            for k in range(i, j + 1):
                total += values[k]
            if total > best:
                best = total
    return best


def three_sum_slow(values: Ints) -> int:
    found = 0
    for i in range(len(values)):
        for j in range(i + 1, len(values)):
            for k in range(j + 1, len(values)):
                if values[i] + values[j] + values[k] == 3 * len(values):
                    found += 1
    return found


def three_sum_fast(values: Ints) -> int:
    ordered, found = sorted(values), 0
    for i in range(len(ordered)):
        j, k = i + 1, len(ordered) - 1
        while j < k:
            total = ordered[i] + ordered[j] + ordered[k]
            if total == 3 * len(ordered):
                found += 1
                j += 1
            elif total < 3 * len(ordered):
                j += 1
            else:
                k -= 1
    return found


def rising_slow(values: Ints) -> int:
    longest = [1] * len(values)
    for i in range(len(values)):
        for j in range(i):
            if values[j] < values[i] and longest[j] >= longest[i]:
                longest[i] = longest[j] + 1
    return max(longest)


def rising_fast(values: Ints) -> int:
    ends: Ints = []
    for value in values:
        at = bisect_left(ends, value)
        if at == len(ends):
            ends.append(value)
        else:
            ends[at] = value
    return len(ends)


def inversions_slow(values: Ints) -> int:
    found = 0
    for i in range(len(values)):
        for j in range(i):
            if values[j] > values[i]:
                found += 1
    return found


def inversions_fast(values: Ints) -> int:
    """Count with a Fenwick tree of the values so far."""
    tree, found = [0] * (len(values) + 1), 0
    for count, value in enumerate(values):
        at = value + 1
        while at:
            found -= tree[at]
            at &= at - 1
        found += count
        at = value + 1
        while at < len(tree):
            tree[at] += 1
            at += at & -at
    return found


def nearest_slow(values: Ints) -> int:
    best = INFINITY
    for i in range(len(values)):
        for j in range(i):
            gap = abs(values[i] - values[j])
            if gap < best:
                best = gap
    return best


def nearest_fast(values: Ints) -> int:
    ordered = merge_sort(values)
    return min(ordered[i] - ordered[i - 1] for i in range(1, len(ordered)))


def mirrored_slow(texts: list[str]) -> int:
    found = 0
    for i in range(len(texts)):
        for j in range(i):
            if texts[i] == texts[j][::-1]:
                found += 1
    return found


def mirrored_fast(texts: list[str]) -> int:
    seen, found = Counter[str](), 0
    for text in texts:
        found += seen[text[::-1]]
        seen[text] += 1
    return found


def gaps_slow(values: Ints) -> int:
    found = 0
    for one in values:
        for other in values:
            if one - other == 3:
                found += 1
    return found


def gaps_fast(values: Ints) -> int:
    seen = set(values)
    return sum(value + 3 in seen for value in values)


def common_slow(left: Ints, right: Ints) -> Ints:
    return [value for value in left if value in right]


def common_fast(left: Ints, right: Ints) -> Ints:
    known = set(right)
    return [value for value in left if value in known]


def power_slow(exponent: int) -> int:
    found = 1
    for _ in range(exponent):
        found = found * 3 % MODULUS
    return found


def power_fast(exponent: int) -> int:
    found, factor = 1, 3
    while exponent:
        if exponent & 1:
            found = found * factor % MODULUS
        factor = factor * factor % MODULUS
        exponent >>= 1
    return found


def search_slow(values: Ints, wanted: int) -> int:
    for i in range(len(values)):
        if values[i] >= wanted:
            return i
    return len(values)


def search_fast(values: Ints, wanted: int) -> int:
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def last_of_sorted(n: int) -> tuple[Ints, int]:
    return list(range(n)), n


def primes_slow(n: int) -> Ints:
    found = []
    for m in range(2, n):
        d = 2
        while m % d:
            d += 1
        if d == m:
            found.append(m)
    return found


def primes_fast(n: int) -> Ints:
    composite, found = [False] * n, []
    for m in range(2, n):
        if not composite[m]:
            found.append(m)
            for multiple in range(m * m, n, m):
                composite[multiple] = True
    return found


def divisor_slow(a: int, b: int) -> int:
    while a != b:
        if a > b:
            a -= b
        else:
            b -= a
    return a


def divisor_fast(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


def with_one(n: int) -> tuple[int, int]:
    return n, 1


def windows_slow(values: Ints) -> Ints:
    width, found = len(values) // 4, []
    for i in range(len(values) - width + 1):
        total = 0
        for j in range(i, i + width):
            total += values[j]
        found.append(total)
    return found


def windows_fast(values: Ints) -> Ints:
    width, total = len(values) // 4, 0
    for j in range(width):
        total += values[j]
    found = [total]
    for j in range(width, len(values)):
        total += values[j] - values[j - width]
        found.append(total)
    return found


def maxima_slow(values: Ints) -> Ints:
    return [max(values[: i + 1]) for i in range(len(values))]


def maxima_fast(values: Ints) -> Ints:
    return list(accumulate(values, max))


def edit_distance_slow(left: Ints, right: Ints) -> int:
    """Compute the edit distance of two sequences with the whole table."""
    row = list(range(len(right) + 1))
    for i, one in enumerate(left, 1):
        above, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (one != other))
    return row[-1]


def edit_distance_fast(left: Ints, right: Ints) -> int:
    """Compute it within a band of four cells around the diagonal, which is enough for these similar sequences."""
    far, width = len(left) + len(right), 4
    row = {j: j for j in range(width + 1)}
    for i, one in enumerate(left, 1):
        new = {}
        for j in range(max(0, i - width), min(len(right), i + width) + 1):
            if j == 0:
                new[0] = i
                continue
            new[j] = min(row.get(j, far) + 1, new.get(j - 1, far) + 1, row.get(j - 1, far) + (one != right[j - 1]))
        row = new
    return row[len(right)]


def rotated_copies(n: int) -> tuple[Ints, Ints]:
    values = shuffled(n)[0]
    return values, values[1:] + values[:1]


def find_slow(text: str, wanted: str) -> int:
    for i in range(len(text) - len(wanted) + 1):
        j = 0
        while j < len(wanted) and text[i + j] == wanted[j]:
            j += 1
        if j == len(wanted):
            return i
    return -1


def find_fast(text: str, wanted: str) -> int:
    """Knuth-Morris-Pratt search."""
    back, k = [0] * len(wanted), 0
    for i in range(1, len(wanted)):
        while k and wanted[i] != wanted[k]:
            k = back[k - 1]
        if wanted[i] == wanted[k]:
            k += 1
        back[i] = k
    k = 0
    for i, letter in enumerate(text):
        while k and letter != wanted[k]:
            k = back[k - 1]
        if letter == wanted[k]:
            k += 1
        if k == len(wanted):
            return i - k + 1
    return -1


def palindrome_slow(text: str) -> int:
    best = 0
    for i in range(len(text)):
        for j in range(i, len(text)):
            low, high = i, j
            while low < high and text[low] == text[high]:
                low += 1
                high -= 1
            if low >= high and j - i + 1 > best:
                best = j - i + 1
    return best


def palindrome_fast(text: str) -> int:
    best = 0
    for centre in range(2 * len(text) - 1):
        low, high = centre // 2, (centre + 1) // 2
        while low >= 0 and high < len(text) and text[low] == text[high]:
            low -= 1
            high += 1
        if high - low - 1 > best:
            best = high - low - 1
    return best


def distances_slow(n: int, edges: list[tuple[int, int]]) -> Ints:
    """Bellman-Ford with the edges in the worst order."""
    far = [INFINITY] * n
    far[0] = 0
    changed = True
    while changed:
        changed = False
        for one, other in edges:
            if far[one] + 1 < far[other]:
                far[other] = far[one] + 1
                changed = True
    return far


def distances_fast(n: int, edges: list[tuple[int, int]]) -> Ints:
    after: list[Ints] = [[] for _ in range(n)]
    for one, other in edges:
        after[one].append(other)
    far = [INFINITY] * n
    far[0] = 0
    queue = deque([0])
    while queue:
        one = queue.popleft()
        for other in after[one]:
            if far[other] == INFINITY:
                far[other] = far[one] + 1
                queue.append(other)
    return far


def all_distances_slow(graph: list[Ints]) -> list[Ints]:
    n = len(graph)
    far = [[0 if i == j else 1 if j in graph[i] else INFINITY for j in range(n)] for i in range(n)]
    for k in range(n):
        for i in range(n):
            for j in range(n):
                if far[i][k] + far[k][j] < far[i][j]:
                    far[i][j] = far[i][k] + far[k][j]
    return far


def all_distances_fast(graph: list[Ints]) -> list[Ints]:
    found = []
    for start in range(len(graph)):
        far = [INFINITY] * len(graph)
        far[start] = 0
        queue = deque([start])
        while queue:
            one = queue.popleft()
            for other in graph[one]:
                if far[other] == INFINITY:
                    far[other] = far[one] + 1
                    queue.append(other)
        found.append(far)
    return found


def order_slow(n: int, edges: list[tuple[int, int]]) -> Ints:
    found: Ints = []
    left = list(edges)
    while len(found) < n:
        ends = {other for _, other in left}
        one = next(v for v in (found[-1:] and [found[-1] + 1]) + list(range(n)) if v not in ends and v not in found)
        found.append(one)
        left = [edge for edge in left if edge[0] != one]
    return found


def order_fast(n: int, edges: list[tuple[int, int]]) -> Ints:
    after: list[Ints] = [[] for _ in range(n)]
    indegree = [0] * n
    for one, other in edges:
        after[one].append(other)
        indegree[other] += 1
    ready = deque(v for v in range(n) if not indegree[v])
    found = []
    while ready:
        one = ready.popleft()
        found.append(one)
        for other in after[one]:
            indegree[other] -= 1
            if not indegree[other]:
                ready.append(other)
    return found


def groups_slow(n: int, pairs: list[tuple[int, int]]) -> int:
    group = list(range(n))
    for one, other in pairs:
        old, new = group[one], group[other]
        for v in range(n):
            if group[v] == old:
                group[v] = new
    return len(set(group))


def groups_fast(n: int, pairs: list[tuple[int, int]]) -> int:
    parent, found = list(range(n)), n
    for one, other in pairs:
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        while parent[other] != other:
            parent[other] = parent[parent[other]]
            other = parent[other]
        if one != other:
            parent[other] = one
            found -= 1
    return found


def josephus_slow(n: int) -> int:
    circle = list(range(n))
    while len(circle) > 1:
        circle = circle[2:] + circle[:1] if len(circle) > 1 else circle
    return circle[0]


def josephus_fast(n: int) -> int:
    found = 0
    for size in range(2, n + 1):
        found = (found + 2) % size
    return found


def polynomial_slow(values: Ints) -> int:
    total = 0
    for i in range(len(values)):
        power = 1
        for _ in range(i):
            power = power * 7 % MODULUS
        total += values[i] * power
    return total % MODULUS


def polynomial_fast(values: Ints) -> int:
    total = 0
    for value in reversed(values):
        total = (total * 7 + value) % MODULUS
    return total


def product_slow(left: Ints, right: Ints) -> Ints:
    found = [0] * (len(left) + len(right) - 1)
    for i in range(len(left)):
        for j in range(len(right)):
            found[i + j] += left[i] * right[j]
    return found


def product_fast(left: Ints, right: Ints) -> Ints:
    """Karatsuba multiplication; the lengths are equal powers of two."""
    if len(left) == 1:
        return [left[0] * right[0]]
    half = len(left) // 2
    low = product_fast(left[:half], right[:half])
    high = product_fast(left[half:], right[half:])
    both = product_fast(
        [left[i] + left[i + half] for i in range(half)], [right[i] + right[i + half] for i in range(half)]
    )
    found = [0] * (2 * len(left) - 1)
    for i in range(len(low)):
        found[i] += low[i]
        found[i + half] += both[i] - low[i] - high[i]
        found[i + 2 * half] += high[i]
    return found


def applied_slow(left: list[Ints], right: list[Ints], vector: Ints) -> Ints:
    n = len(vector)
    product = [[0] * n for _ in range(n)]
    for i in range(n):
        for j in range(n):
            total = 0
            for k in range(n):
                total += left[i][k] * right[k][j]
            product[i][j] = total
    return [sum(product[i][j] * vector[j] for j in range(n)) for i in range(n)]


def applied_fast(left: list[Ints], right: list[Ints], vector: Ints) -> Ints:
    n = len(vector)
    once = [sum(right[i][j] * vector[j] for j in range(n)) for i in range(n)]
    return [sum(left[i][j] * once[j] for j in range(n)) for i in range(n)]


def trace_slow(left: list[Ints], right: list[Ints], vector: Ints) -> int:
    n = len(vector)
    product = [[sum(left[i][k] * right[k][j] for k in range(n)) for j in range(n)] for i in range(n)]
    return sum(product[i][i] for i in range(n))


def trace_fast(left: list[Ints], right: list[Ints], vector: Ints) -> int:
    n = len(vector)
    return sum(left[i][k] * right[k][i] for i in range(n) for k in range(n))


def bits_slow(n: int) -> Ints:
    found = []
    for m in range(n):
        ones = 0
        while m:
            ones += m & 1
            m >>= 1
        found.append(ones)
    return found


def bits_fast(n: int) -> Ints:
    found = [0] * n
    for m in range(1, n):
        found[m] = found[m >> 1] + (m & 1)
    return found


def least_slow(values: Ints) -> int:
    return sorted(values)[0]


def least_fast(values: Ints) -> int:
    return min(values)


def merged_slow(runs: list[Ints]) -> Ints:
    """Merge one run after the other into the result."""
    found: Ints = []
    for run in runs:
        merged, i, j = [], 0, 0
        while i < len(found) and j < len(run):
            if found[i] <= run[j]:
                merged.append(found[i])
                i += 1
            else:
                merged.append(run[j])
                j += 1
        merged.extend(found[i:])
        merged.extend(run[j:])
        found = merged
    return found


def merged_fast(runs: list[Ints]) -> Ints:
    return merge_sort([value for run in runs for value in run])


def counts_slow(values: Ints) -> Ints:
    return [values.count(value) for value in values]


def counts_fast(values: Ints) -> Ints:
    counted: dict[int, int] = {}
    for value in values:
        counted[value] = counted.get(value, 0) + 1
    return [counted[value] for value in values]


def left_over_slow(left: Ints, right: Ints) -> Ints:
    rest = list(left)
    for value in reversed(left):
        if value % 4 == 0:
            rest.remove(value)
    return rest


def left_over_fast(left: Ints, right: Ints) -> Ints:
    return [value for value in left if value % 4]


def choose_slow(n: int) -> int:
    row = [1]
    for _ in range(n):
        new = [1]
        for i in range(1, len(row)):
            new.append((row[i - 1] + row[i]) % MODULUS)
        new.append(1)
        row = new
    return row[n // 2]


def choose_fast(n: int) -> int:
    found, k = 1, n // 2
    for i in range(k):
        found = found * (n - i) % MODULUS * pow(i + 1, -1, MODULUS) % MODULUS
    return found


def window_without_repeat_slow(values: Ints) -> int:
    best = 0
    for i in range(len(values)):
        seen = set()
        for j in range(i, len(values)):
            if values[j] in seen:
                break
            seen.add(values[j])
        if len(seen) > best:
            best = len(seen)
    return best


def window_without_repeat_fast(values: Ints) -> int:
    last: dict[int, int] = {}
    start = best = 0
    for i, value in enumerate(values):
        start = max(start, last.get(value, -1) + 1)
        last[value] = i
        best = max(best, i - start + 1)
    return best


def water_slow(values: Ints) -> int:
    total = 0
    for i in range(len(values)):
        left = right = 0
        for j in range(i + 1):
            if values[j] > left:
                left = values[j]
        for j in range(i, len(values)):
            if values[j] > right:
                right = values[j]
        total += min(left, right) - values[i]
    return total


def water_fast(values: Ints) -> int:
    i, j, left, right, total = 0, len(values) - 1, 0, 0, 0
    while i <= j:
        if left < right:
            left = max(left, values[i])
            total += left - values[i]
            i += 1
        else:
            right = max(right, values[j])
            total += right - values[j]
            j -= 1
    return total


def next_greater_slow(values: Ints) -> Ints:
    found = []
    for i in range(len(values)):
        greater = -1
        for j in range(i + 1, len(values)):
            if values[j] > values[i]:
                greater = values[j]
                break
        found.append(greater)
    return found


def next_greater_fast(values: Ints) -> Ints:
    found = [-1] * len(values)
    waiting: Ints = []
    for i, value in enumerate(values):
        while waiting and values[waiting[-1]] < value:
            found[waiting.pop()] = value
        waiting.append(i)
    return found


def ranges_slow(values: Ints, ranges: list[tuple[int, int]]) -> Ints:
    found = []
    for low, high in ranges:
        total = 0
        for i in range(low, high):
            total += values[i]
        found.append(total)
    return found


def ranges_fast(values: Ints, ranges: list[tuple[int, int]]) -> Ints:
    sums = [0, *accumulate(values)]
    return [sums[high] - sums[low] for low, high in ranges]


def coprime_slow(n: int) -> int:
    found = 0
    for a in range(1, n + 1):
        for b in range(1, a + 1):
            x, y = a, b
            while y:
                x, y = y, x % y
            if x == 1:
                found += 1
    return found


def coprime_fast(n: int) -> int:
    totients = list(range(n + 1))
    for m in range(2, n + 1):
        if totients[m] == m:
            for multiple in range(m, n + 1, m):
                totients[multiple] -= totients[multiple] // m
    return sum(totients)


def divisors_slow(n: int) -> Ints:
    found = []
    for m in range(1, n + 1):
        count = 0
        for d in range(1, m + 1):
            if m % d == 0:
                count += 1
        found.append(count)
    return found


def divisors_fast(n: int) -> Ints:
    found = [0] * (n + 1)
    for d in range(1, n + 1):
        for multiple in range(d, n + 1, d):
            found[multiple] += 1
    return found[1:]


def products_slow(values: Ints) -> int:
    total = 0
    for i in range(len(values)):
        for j in range(i):
            total += values[i] * values[j]
    return total


def products_fast(values: Ints) -> int:
    total = squares = 0
    for value in values:
        total += value
        squares += value * value
    return (total * total - squares) // 2


def differences_slow(values: Ints) -> int:
    total = 0
    for i in range(len(values)):
        for j in range(i):
            total += abs(values[i] - values[j])
    return total


def differences_fast(values: Ints) -> int:
    total = 0
    for i, value in enumerate(merge_sort(values)):
        total += value * (2 * i - len(values) + 1)
    return total


def balanced_slow(text: str) -> str:
    """Remove one pair of adjacent brackets at a time, from the front."""
    letters = list(text)
    changed = True
    while changed:
        changed = False
        for i in range(len(letters) - 1):
            if letters[i] == "(" and letters[i + 1] == ")":
                letters = letters[:i] + letters[i + 2 :]
                changed = True
                break
    return "".join(letters)


def balanced_fast(text: str) -> str:
    stack: list[str] = []
    for letter in text:
        if letter == ")" and stack and stack[-1] == "(":
            stack.pop()
        else:
            stack.append(letter)
    return "".join(stack)


def nested(n: int) -> tuple[str]:
    return ("(" * (n // 2) + ")" * (n // 2),)


PAIRS = (
    Pair("distinct values", distinct_slow, distinct_fast, shuffled, triangle, linear, LARGE),
    Pair("two that sum up", two_sum_slow, two_sum_fast, missing_sum, triangle, linear),
    Pair("any repeated", repeated_slow, repeated_fast, shuffled, triangle, levels),
    Pair("insertion and merge sort", insertion_sort, merge_sort, falling, triangle, levels),
    Pair("bubble and heap sort", bubble_sort, heap_sort, shuffled, triangle, levels),
    Pair("selection and tree sort", selection_sort, bottom_up_merge_sort, shuffled, triangle, levels),
    Pair("prefix sums", prefix_sums_slow, prefix_sums_fast, shuffled, triangle, linear, LARGE),
    Pair("reversal by prepending", reversed_slow, reversed_fast, shuffled, triangle, linear, LARGEST),
    Pair("best stretch", best_stretch_slow, best_stretch_fast, signed, triangle, linear),
    Pair(
        "best stretch, cubic",
        best_stretch_slowest,
        best_stretch_slow,
        signed,
        lengths_of_parts,
        triangle,
        LIGHTER_CUBIC,
    ),
    Pair("three that sum up", three_sum_slow, three_sum_fast, shuffled, tetrahedron, triangle, LIGHTER_CUBIC),
    Pair("longest rising part", rising_slow, rising_fast, shuffled, triangle, binary_searches),
    Pair("inversions", inversions_slow, inversions_fast, shuffled, triangle, loglinear),
    Pair("nearest two", nearest_slow, nearest_fast, shuffled, triangle, levels),
    Pair("mirrored words", mirrored_slow, mirrored_fast, words, triangle, linear),
    Pair("gaps of three", gaps_slow, gaps_fast, shuffled, square, linear),
    Pair("common values", common_slow, common_fast, two_lists, square, linear, LARGE),
    Pair("power", power_slow, power_fast, number, linear, logarithm, WIDE),
    Pair("search in order", search_slow, search_fast, last_of_sorted, linear, logarithm, WIDE),
    Pair("primes", primes_slow, primes_fast, number, trial_divisions, crossings_out),
    Pair("greatest divisor", divisor_slow, divisor_fast, with_one, linear, constant),
    Pair("sliding sums", windows_slow, windows_fast, shuffled, square, linear),
    Pair("maxima so far", maxima_slow, maxima_fast, shuffled, triangle, linear, LARGE),
    Pair("edit distance in a band", edit_distance_slow, edit_distance_fast, rotated_copies, square, linear),
    Pair("find a text", find_slow, find_fast, needle, square, linear),
    Pair(
        "longest palindrome", palindrome_slow, palindrome_fast, same_letters, letters_of_parts, triangle, LIGHTER_CUBIC
    ),
    Pair("distances", distances_slow, distances_fast, path_edges, square, linear),
    Pair("all distances", all_distances_slow, all_distances_fast, path_graph, cube, square, CUBIC),
    Pair("order of tasks", order_slow, order_fast, links, triangle, linear, (80, 112, 160, 225, 315, 440)),
    Pair("groups", groups_slow, groups_fast, links, square, linear),
    Pair("last of a circle", josephus_slow, josephus_fast, number, triangle, linear, LARGEST),
    Pair("polynomial at a place", polynomial_slow, polynomial_fast, shuffled, triangle, linear),
    Pair("product of polynomials", product_slow, product_fast, two_polynomials, square, karatsuba_steps, POWERS_OF_TWO),
    Pair("two matrices on a vector", applied_slow, applied_fast, matrices, cube, square, CUBIC),
    Pair("trace of a product", trace_slow, trace_fast, matrices, cube, square, CUBIC),
    Pair("ones in binary", bits_slow, bits_fast, number, bits_up_to, linear),
    Pair("least by sorting", least_slow, least_fast, shuffled, loglinear, linear, LARGE),
    Pair("merge of runs", merged_slow, merged_fast, short_runs, merged_one_by_one, levels),
    Pair("counts", counts_slow, counts_fast, shuffled, square, linear, LARGE),
    Pair("removal", left_over_slow, left_over_fast, two_lists, square, linear, LARGE),
    Pair("choices of half", choose_slow, choose_fast, number, triangle, linear),
    Pair("window without repeat", window_without_repeat_slow, window_without_repeat_fast, shuffled, triangle, linear),
    Pair("water between walls", water_slow, water_fast, shuffled, square, linear),
    Pair("next greater", next_greater_slow, next_greater_fast, falling, triangle, linear),
    Pair("sums of ranges", ranges_slow, ranges_fast, intervals, square, linear),
    Pair("coprime pairs", coprime_slow, coprime_fast, number, steps_of_euclid, crossings_out),
    Pair("numbers of divisors", divisors_slow, divisors_fast, number, triangle, harmonic),
    Pair("sum of products", products_slow, products_fast, signed, triangle, linear),
    Pair("sum of differences", differences_slow, differences_fast, shuffled, triangle, levels),
    Pair("brackets", balanced_slow, balanced_fast, nested, square, linear),
)
