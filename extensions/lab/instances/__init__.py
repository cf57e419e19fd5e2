"""Instances of a benchmark: their data, images and repositories, and the interface of executors."""
