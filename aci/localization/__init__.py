"""How `aci/localize.py` ranks: what an issue says, what each signal is worth, and why."""
