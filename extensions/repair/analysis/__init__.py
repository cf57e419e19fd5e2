"""Static and dynamic analysis of the faulty function: source, names, types, slices, suspects."""
