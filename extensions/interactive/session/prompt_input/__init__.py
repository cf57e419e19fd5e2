"""Input at the prompt: completion, attachments, history and keys."""
