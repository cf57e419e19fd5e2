"""Histograms of texts."""

from concurrent.futures import ThreadPoolExecutor


def _count(lines):
    words = []
    for line in lines:
        for word in line.lower().split():
            words.append(word.strip(".,;:!?"))
    found = []
    for word in sorted(set(words)):
        found.append((word, words.count(word)))
    return sorted(found, key=lambda pair: -pair[1])


def histogram(lines):
    """[(word, count)], the most frequent first, words of equal count in alphabetical order."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_count, lines).result()
