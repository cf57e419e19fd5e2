"""Every language besides Python: code graphs and test runners of C, C++, Go, Java, JavaScript, PHP, Ruby and Rust."""

PLUGINS = {
    "aci.graph.languages": "graph",
    "aci.proof.compiled_tests": "compiled_tests",
    "aci.runners": "runners",
    "aci.testing.script_tests": "script_tests",
}
LANGUAGE_FILES = {
    "c": (".c",),
    "cpp": (".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx"),
    "go": (".go",),
    "java": (".java",),
    "javascript": (".js", ".jsx", ".mjs", ".cjs"),
    "php": (".php", ".phtml"),
    "ruby": (".rb", ".rake", ".gemspec", ".ru", "Rakefile", "Gemfile"),
    "rust": (".rs",),
    "tsx": (".tsx",),
    "typescript": (".ts", ".mts", ".cts"),
}
"""The ends of file names, or whole names, of each module in `graph`: the module is imported for such a file only."""
