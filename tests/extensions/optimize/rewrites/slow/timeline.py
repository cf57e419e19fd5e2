"""The history of a document, newest first."""

# ruff: noqa: RUF005

FUNCTION = "newest_first"


def newest_first(events, hidden=()):
    """Return the texts, newest first, without those of hidden authors, and the number of events of each kind."""
    hidden_names = [name.strip().lower() for name in hidden]
    texts = []
    kinds = {}
    for event in events:
        if event["author"].lower() in hidden_names:
            continue
        texts = [f"{event['author']}: {event['text']}"] + texts
        kinds = {**kinds, event["kind"]: kinds.get(event["kind"], 0) + 1}
    return texts, kinds
