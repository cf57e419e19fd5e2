"""The ACP server: sessions for an editor."""
