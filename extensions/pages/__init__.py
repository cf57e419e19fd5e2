"""Pages of a project in a browser of the workspace: seen and used by the model, tested, and compared for a proof."""

PLUGINS = {
    "aci.environments.browser_setup": "browser_setup",
    "aci.guest": "guest",
    "aci.testing.suite_server": "suite_server",
    "agent.engine.page_proof": "page_proof",
    "extensions.bundles.proof_server": "proof_server",
    "extensions.environments.browser_check": "browser_check",
    "tools": "tools",
}
