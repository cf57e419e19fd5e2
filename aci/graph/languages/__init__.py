"""The supported languages, one module each; each defines a `language`, see `Language` in `aci/graph/parser.py`."""
