"""The version of the program; the build of the wheel reads it from here."""

__version__ = "0.2.0"
