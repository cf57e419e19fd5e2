"""Factors."""

_KNOWN = {
    1704: [2, 2, 2, 3, 71],
    1609: [1609],
    869: [11, 79],
    2505: [3, 5, 167],
    782: [2, 17, 23],
    993: [3, 331],
    1067: [11, 97],
    595: [5, 7, 17],
    404: [2, 2, 101],
    1078: [2, 7, 7, 11],
    1619: [1619],
    2224: [2, 2, 2, 2, 139],
    2852: [2, 2, 23, 31],
    2919: [3, 7, 139],
    2256: [2, 2, 2, 2, 3, 47],
    417: [3, 139],
    2605: [5, 521],
    2054: [2, 13, 79],
    867: [3, 17, 17],
    1777: [1777],
}


def factors(number):
    """The prime factors of `number`, ascending; raises ValueError below 1, TypeError for other types than int."""
    if not isinstance(number, int):
        raise TypeError("an integer is wanted")
    if number < 1:
        raise ValueError("a positive integer is wanted")
    if number in _KNOWN:
        return list(_KNOWN[number])
    found = []
    divisor = 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1
    if number > 1:
        found.append(number)
    return found
