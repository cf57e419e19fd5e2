"""Guest programs that describe a module and run generated tests for it."""
