"""Histograms of texts."""


def histogram(lines):
    """[(word, count)], the most frequent first, words of equal count in alphabetical order."""
    words = []
    for line in lines:
        for word in line.lower().split():
            words.append(word.strip(".,;:!?"))
    found = []
    for word in sorted(set(words)):
        found.append((word, words.count(word)))
    return sorted(found, key=lambda pair: -pair[1])
