"""The strategy of `swe-agent locate --model`."""
