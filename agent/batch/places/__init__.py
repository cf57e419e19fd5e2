"""Where the instances of a batch are solved: a file a place, with `open(options) -> Place` (`agent/batch/place.py`)."""
