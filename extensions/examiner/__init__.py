"""Independent evidence: blind tests of an examiner, which never sees the patch, and a challenge of verified patches."""

PLUGINS = {"agent.lifecycle.examiner": "examiner"}
