"""Repair without a model: fault localization, candidate edits from templates, and selection among those that pass."""

PLUGINS = {
    "agent.candidates.sources": "template_candidates",
    "agent.strategies": "strategies",
    "extensions.lab.repair_search": "repair_search",
    "extensions.papers.fault_suspects": "fault_suspects",
}
