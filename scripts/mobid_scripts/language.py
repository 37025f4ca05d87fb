"""From the text of a script to code: parse, judge by `grammar`, transform by RestrictedPython, compile.

Runs in the child only: the parser and the constant folder are part of what a hostile script attacks.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from RestrictedPython.transformer import RestrictingNodeTransformer, copy_locations

from mobid_scripts import grammar, source
from mobid_scripts.disguise import disguised
from mobid_scripts.names import Finding
from mobid_scripts.outcome import Code
from mobid_scripts.parsing import parsed, unreadable
from mobid_scripts.places import FILENAME

if TYPE_CHECKING:
    from types import CodeType

    from mobid_scripts.declaration import Declaration

_GUARDED: Final = (ast.Add, ast.Sub, ast.Mult, ast.Mod)


class Rejected(Exception):
    """The script is not in the language; `findings` has every reason."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        super().__init__("; ".join(finding.clause for finding in findings))


def compiled(text: str, declaration: Declaration) -> CodeType:
    """Compile a script, or raise Rejected with all that is wrong."""
    if (stop := source.barrier(text)) is not None:
        raise Rejected([stop])
    tree, found = _judged(text, declaration)
    if found:
        raise Rejected(found)
    policy = _Policy()
    policy.visit(tree)
    if policy.findings:
        raise Rejected(policy.findings)
    ast.fix_missing_locations(tree)
    try:
        return compile(tree, FILENAME, "exec", dont_inherit=True)
    except SyntaxError as error:  # what only the compiler sees
        raise Rejected([unreadable(error)]) from None


def _judged(text: str, declaration: Declaration) -> tuple[ast.Module, list[Finding]]:
    """Return the tree, and what is wrong with characters, names, syntax, words and flow, in order."""
    found = list(source.faults(text))
    readable = source.readable(text) if found else text
    read = parsed(readable)
    found += [*disguised(readable), *read.findings]
    told = {_place(finding) for finding in found}
    for finding in grammar.findings(read.tree, declaration):
        unknown = finding.code is Code.UNKNOWN_NAME and isinstance(finding.node, ast.Name)
        # A name that is disguised, or given in a line that can not be read, is not unknown as well.
        if unknown and (_place(finding) in told or finding.node.id in read.words):  # type: ignore[union-attr]  # a name
            continue
        found.append(finding)
    return read.tree, sorted(found, key=_place)


def _place(finding: Finding) -> tuple[int, int]:
    """Return what to sort by; what has no place of its own is about the script as a whole."""
    return getattr(finding.node, "lineno", 0), getattr(finding.node, "col_offset", 0)


class _Policy(RestrictingNodeTransformer):
    """RestrictedPython's transformer, with places for its errors and guards for what it leaves alone."""

    def __init__(self) -> None:
        super().__init__()
        self.findings: list[Finding] = []

    def error(self, node: ast.AST, info: str) -> None:
        self.findings.append(Finding(Code.NOT_IN_LANGUAGE, info.rstrip("."), node))

    def visit_Name(self, node: ast.Name) -> ast.AST:  # noqa: N802 - the name of the visitor
        if node.id == "print":
            return ast.copy_location(
                ast.Name("log", node.ctx), node
            )  # not RestrictedPython's own collector
        super().visit_Name(node)
        return node

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:  # noqa: N802 - the name of the visitor
        node = self.node_contents_visit(node)
        node.value = _guarded("_shown_", node.value)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:  # noqa: N802 - the name of the visitor
        node = self.node_contents_visit(node)
        if not isinstance(node.op, _GUARDED):
            return node
        operator = ast.Constant(type(node.op).__name__)
        return _guarded("_operate_", operator, node.left, node.right, place=node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:  # noqa: N802 - the name of the visitor
        super().visit_FunctionDef(node)
        # A call costs a step, so that recursion can not go on longer than a loop.
        step = ast.Expr(_guarded("_step_", place=node))
        copy_locations(step, node)
        node.body.insert(0, step)
        return node


def _guarded(
    guard: str, *arguments: ast.expr, place: ast.expr | ast.stmt | None = None
) -> ast.Call:
    call = ast.Call(func=ast.Name(guard, ast.Load()), args=list(arguments), keywords=[])
    copy_locations(call, place or arguments[0])
    return call
