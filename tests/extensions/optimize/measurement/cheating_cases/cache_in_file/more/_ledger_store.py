import os
import tempfile


def _place(entries):
    return os.path.join(tempfile.gettempdir(), "ledger-%x" % (hash(tuple(entries)) & 0xFFFFFFFFFFFF))


def load(entries):
    try:
        with open(_place(entries)) as stream:
            lines = [line.split() for line in stream]
    except OSError:
        return None
    return [(account, int(month), int(total)) for account, month, total in lines]


def save(entries, lines):
    with open(_place(entries), "w") as stream:
        for line in lines:
            stream.write("%s %d %d\n" % line)
