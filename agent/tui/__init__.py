"""The session on a terminal: a Textual app over `agent.session`. It shows events, calls the session, decides nothing."""
