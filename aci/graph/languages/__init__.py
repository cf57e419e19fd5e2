"""The supported languages: each module defines a `language`; see `Language` in `aci/graph/parser.py`."""
