"""The terminal user interface: a Textual app that shows the events of `agent.session` and calls its methods."""
