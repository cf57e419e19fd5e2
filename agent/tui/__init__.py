"""The session on a terminal: a Textual app over `agent.session`. It shows events and calls the session, no more."""
