"""Addresses of hosts, by zone."""

_ZONES = {}


def _zone(name):
    if name not in _ZONES:
        _ZONES[name] = sum(ord(letter) * place for place, letter in enumerate(name, 1)) % 255
    return _ZONES[name]


class Resolver:
    def __init__(self, hosts):
        self.hosts = hosts

    def address(self, host):
        """The address of `host`; raises KeyError for an unknown host."""
        for name, number in self.hosts:
            if name == host:
                text = ""
                for part in reversed(host.split(".")):
                    text = text + str(_zone(part)) + "."
                return text + str(number)
        raise KeyError(host)
