"""Instruction counts, profiles, timing, equivalence, workload inputs and cheating checks."""
