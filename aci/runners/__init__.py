"""Ways to have a test runner tell what came of each test: one file a runner, found by name (`aci/runner.py`)."""
