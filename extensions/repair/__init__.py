"""Repair without a model: fault localization, candidate edits from templates, and selection among those that pass."""

PLUGINS = {
    "agent.candidates.offered_edits": "offered_edits",
    "agent.candidates.sources": "template_candidates",
    "agent.lifecycle.unfinished_searches": "unfinished_search",
    "agent.strategies": "strategies",
    "extensions.lab.repair_search": "repair_search",
    "extensions.papers.fault_suspects": "fault_suspects",
}
REQUIRES = ("experiment", "reproduction")
