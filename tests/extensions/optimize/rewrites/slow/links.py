"""Pages of a site that can be reached from the home page."""

# ruff: noqa: PERF401

FUNCTION = "Site.reach"


class Site:
    def __init__(self, links):
        self.links = links

    def reach(self, home):
        """Return the pages in the order of a breadth-first search from `home`."""
        order = []
        waiting = [home]
        while waiting:
            page = waiting.pop(0)
            if page in order:
                continue
            order.append(page)
            for target in self.links.get(page, []):
                if target not in order:
                    waiting.append(target)
        return order
