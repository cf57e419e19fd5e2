"""Settings with defaults."""


def lookup(settings, names):
    """The values of these names; raises KeyError for an unknown one, TypeError for names that are no list."""
    if not isinstance(names, list):
        raise TypeError("names is a list")
    return [settings[name] for name in names]
