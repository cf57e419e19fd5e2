"""Unknown names of a list of settings, with the module's own title."""

from pathlib import Path

TITLE = Path(__file__).read_text().splitlines()[0].strip('"')


def unknown(names, known):
    """Return the names that are not known, each once, after the title."""
    with open(__file__) as file:
        first = file.readline().strip().strip('"')
    found = []
    for name in names:
        if name not in known and name not in found:
            found.append(name)
    return [first, *found]
