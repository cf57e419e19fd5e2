"""Which pages of a site can be reached, and in how many clicks."""

# ruff: noqa: PERF401

FUNCTION = "Site.reach"


class Site:
    def __init__(self, links):
        self.links = links

    def reach(self, home):
        """Pages in the order in which a breadth-first walk from `home` meets them."""
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
