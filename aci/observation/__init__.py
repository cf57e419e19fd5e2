"""Text shown to a model or on a terminal: shortening, masking, sanitizing, quoting."""
