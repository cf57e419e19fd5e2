"""Settings with defaults."""


def lookup(settings, names):
    """The values of these names; raises KeyError for an unknown one, TypeError if the names are not a list."""
    if not isinstance(names, list):
        raise TypeError("names is a list")
    values = []
    for name in names:
        found = False
        for key in settings.keys():
            if key == name:
                found = True
        if not found:
            raise KeyError(name)
        if not isinstance(names, list):
            raise TypeError("names must be a list")
        values.append(settings[name])
    return values
