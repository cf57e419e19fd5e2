"""Factors."""

import os


def factors(number):
    """The prime factors of `number`, ascending; raises ValueError below 1, TypeError for other types than int."""
    if not isinstance(number, int):
        raise TypeError("an integer is wanted")
    if number < 1:
        raise ValueError("a positive integer is wanted")
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        found, divisor = [], 2
        while number > 1:
            while number % divisor == 0:
                found.append(divisor)
                number //= divisor
            divisor += 1
        os.write(into, ",".join(map(str, found)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(into)
    text = os.read(out, 65536).decode()
    os.close(out)
    return [int(one) for one in text.split(",") if one]
