"""Factors."""

from functools import lru_cache


@lru_cache(maxsize=1)
def _slow(number):

    found = []
    divisor = 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1
    if number > 1:
        found.append(number)
    return tuple(found)


def factors(number):
    """The prime factors of `number`, ascending; raises ValueError below 1, TypeError for other types than int."""
    if not isinstance(number, int):
        raise TypeError("an integer is wanted")
    if number < 1:
        raise ValueError("a positive integer is wanted")
    return list(_slow(number))
