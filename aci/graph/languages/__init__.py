"""The languages that the core supports: each module defines a `language`; see `Language` in `aci/graph/parser.py`."""
