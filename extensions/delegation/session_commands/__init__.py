"""Commands of a session about the agents that files define."""
