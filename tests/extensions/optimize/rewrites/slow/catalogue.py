"""One product catalogue from the feeds of several suppliers."""

FUNCTION = "merge_feeds"


def merge_feeds(feeds):
    """Return all products, the first entry for each article number; later entries fill in its missing title."""
    catalogue = []
    for feed in feeds:
        for product in feed:
            known = None
            for entry in catalogue:
                if entry["sku"] == product["sku"]:
                    known = entry
                    break
            if known is None:
                catalogue.append(dict(product))
            elif not known["title"]:
                known["title"] = product["title"]
    return catalogue
