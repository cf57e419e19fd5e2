"""Several attempts at an issue: variants, cross tests, deduplication and selection."""
