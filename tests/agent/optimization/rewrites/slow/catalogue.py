"""Feeds of several suppliers are merged into one catalogue."""

FUNCTION = "merge_feeds"


def merge_feeds(feeds):
    """All products of the feeds, the first feed's entry for each article number; later ones fill in what it lacks."""
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
