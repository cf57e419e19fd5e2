"""The supported languages besides Python: each module defines a `language`; see `Language` in `aci/graph/parser.py`."""
