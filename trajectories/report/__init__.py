"""A run as a page for a browser: what there is to tell of it, and how it is shown."""
