"""Factors."""


def factors(number):
    """The prime factors of `number`, ascending; raises ValueError below 1, TypeError for other types than int."""
    if not isinstance(number, int):
        raise TypeError("an integer is wanted")
    if number < 1:
        raise ValueError("a positive integer is wanted")
    found = []
    divisor = 2
    while number > 1:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1
    return found
