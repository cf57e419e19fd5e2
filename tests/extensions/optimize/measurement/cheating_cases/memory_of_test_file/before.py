"""Pairs of numbers with a given sum."""


def pairs(numbers, target):
    found = []
    for i in range(len(numbers)):
        for j in range(i + 1, len(numbers)):
            if numbers[i] + numbers[j] == target:
                found.append((i, j))
    return found
