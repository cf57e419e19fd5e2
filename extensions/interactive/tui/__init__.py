"""The terminal user interface: a Textual app that shows the events of the session and calls its methods."""
