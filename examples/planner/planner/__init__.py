"""Project plans: earliest and latest dates, slack, the critical path."""

from .chart import chart
from .graph import Cycle
from .plan import BadPlan, Plan, Task, parse
from .slack import critical_path, slack

__all__ = ["BadPlan", "Cycle", "Plan", "Task", "chart", "critical_path", "parse", "slack"]
