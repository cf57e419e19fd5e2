"""Settings with defaults."""


def lookup(settings, names):
    """The values of these names; raises KeyError for an unknown one, TypeError if the names are not a list."""
    if not isinstance(names, list):
        raise TypeError("names is a list")
    return [settings[name] for name in names]
