"""Each figure in the README comes from a command here. Not part of the wheel."""
