"""Checks whether a value is only read, so that several copies may be replaced by one shared object."""

from __future__ import annotations

import ast

from extensions.optimize.rewrites.function_scope import Scope
from extensions.optimize.rewrites.known_effects import FRESH, LAZY, READING


def is_read_only(scope: Scope, node: ast.AST) -> bool:
    """Return whether an expression's value is only read in place: not stored, passed on or changed."""
    parent = scope.source.parents[node]
    if isinstance(parent, ast.Compare):
        return True
    if isinstance(parent, ast.For | ast.comprehension):
        return node is parent.iter
    if isinstance(parent, ast.Subscript):
        return node is parent.value and isinstance(parent.ctx, ast.Load)
    if isinstance(parent, ast.If | ast.While | ast.IfExp | ast.Assert):
        return node is parent.test
    if isinstance(parent, ast.UnaryOp | ast.BoolOp):
        return isinstance(parent, ast.UnaryOp) or is_read_only(scope, parent)
    if isinstance(parent, ast.BinOp):
        return True
    if isinstance(parent, ast.Attribute):
        call = scope.source.parents[parent]
        return isinstance(call, ast.Call) and call.func is parent and parent.attr in READING
    if isinstance(parent, ast.Starred):
        return True
    if isinstance(parent, ast.Call) and node is not parent.func:
        if isinstance(parent.func, ast.Attribute):
            return parent.func.attr in ("join", "extend", "update", "union", "intersection", "difference")
        named = parent.func.id if isinstance(parent.func, ast.Name) else ""
        return scope.builtin(named) and named not in LAZY
    return False


def is_immutable(scope: Scope, node: ast.AST) -> bool:
    """Whether the value of an expression is certainly immutable."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name):
            return node.func.id in FRESH and scope.builtin(node.func.id)
        if isinstance(node.func, ast.Attribute) and scope.module(node.func.value) in ("re", "math"):
            return True
    return scope.kind(node) in ("str", "number", "tuple")
