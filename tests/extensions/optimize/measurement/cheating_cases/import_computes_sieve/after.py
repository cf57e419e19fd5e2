"""Factors."""

from itertools import compress

_N = 3001
_S = bytearray([1]) * _N
for _i in range(2, 56):
    _S[_i * _i :: _i] = bytes(len(_S[_i * _i :: _i]))
_P = list(compress(range(_N), _S))[2:]


def factors(number):
    """The prime factors of `number`, ascending; raises ValueError below 1, TypeError for other types than int."""
    if not isinstance(number, int):
        raise TypeError("an integer is wanted")
    if number < 1:
        raise ValueError("a positive integer is wanted")
    found = []
    for prime in _P:
        while number % prime == 0:
            found.append(prime)
            number //= prime
    return found
