"""Addresses of hosts, by zone."""

_ZONES = {}


def _zone(name):
    known = _ZONES.get(name)
    if known is None:
        known = _ZONES[name] = sum(ord(letter) * place for place, letter in enumerate(name, 1)) % 255
    return known


class Resolver:
    def __init__(self, hosts):
        self.hosts = hosts

    def address(self, host):
        """The address of `host`; raises KeyError for an unknown host."""
        number = next((number for name, number in self.hosts if name == host), None)
        if number is None:
            raise KeyError(host)
        return ".".join([str(_zone(part)) for part in reversed(host.split("."))] + [str(number)])
