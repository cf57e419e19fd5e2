"""Evidence of a proof for others: `prove --bundle` and `prove --check`, and the script `proof.sh`."""

PLUGINS = {"agent.inputs.bundles": "bundle_input", "agent.lifecycle.proof_script": "proof_script"}
