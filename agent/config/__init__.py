"""Settings and their sources, API keys, session preferences and environment options."""
