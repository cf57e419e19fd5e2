"""A file a language, found by file name; each has the names that `Language` in `aci/graph/parse.py` lists."""
