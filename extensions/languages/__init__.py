"""Every language besides Python: code graphs and test runners of C, C++, Go, Java, JavaScript, PHP, Ruby, Rust and
TypeScript."""

PLUGINS = {
    "aci.graph.languages": "graph",
    "aci.proof.compiled_tests": "compiled_tests",
    "aci.runners": "runners",
    "aci.testing.script_tests": "script_tests",
}
