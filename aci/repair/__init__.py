"""Running candidate edits against tests, thousands a minute: evaluator, spectrum and condition probes."""
