"""Formats that runs are exported to, one file each: found by file name, and imported when one is asked for."""
