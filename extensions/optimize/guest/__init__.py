"""Guest programs that count, time, profile, record and vary calls of one function."""
