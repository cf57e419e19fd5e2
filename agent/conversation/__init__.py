"""Conversations with models: messages, compaction, rewinds, roles and requests."""
