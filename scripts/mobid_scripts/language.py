"""From the text of a script to code: parse, judge by `grammar`, transform by RestrictedPython, compile.

Runs in the child only: the parser and the constant folder are part of what a hostile script attacks.
"""

from __future__ import annotations

import ast
import io
import tokenize
from typing import TYPE_CHECKING, Final

from RestrictedPython.transformer import RestrictingNodeTransformer, copy_locations

from mobid_scripts import grammar
from mobid_scripts.names import Finding
from mobid_scripts.outcome import Code
from mobid_scripts.places import FILENAME
from mobid_scripts.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

    from mobid_scripts.declaration import Declaration

_COUNTED: Final = (ast.Add, ast.Mult, ast.Mod)


class Rejected(Exception):
    """The script is not in the language; `findings` has every reason."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        super().__init__("; ".join(finding.clause for finding in findings))


def compiled(source: str, declaration: Declaration) -> CodeType:
    """Compile a script that passed `source.faults`, or raise Rejected."""
    tree = _parsed(source)
    if found := grammar.findings(tree, declaration):
        raise Rejected(found)
    policy = _Policy()
    policy.visit(tree)
    if policy.findings:
        raise Rejected(policy.findings)
    ast.fix_missing_locations(tree)
    try:
        return compile(tree, FILENAME, "exec", dont_inherit=True)
    except (
        SyntaxError
    ) as error:  # what only the compiler sees, such as a return outside of a function
        raise Rejected([Finding(Code.SYNTAX, _syntax_clause(error), _at(error))]) from None


def _parsed(source: str) -> ast.Module:
    if names := list(_names_beyond_ascii(source)):
        raise Rejected(names)
    try:
        return ast.parse(source, FILENAME, "exec")
    except SyntaxError as error:
        raise Rejected([Finding(Code.SYNTAX, _syntax_clause(error), _at(error))]) from None
    except (RecursionError, MemoryError, ValueError):
        raise Rejected(
            [Finding(Code.SYNTAX, "The script is too deeply nested to be read")]
        ) from None


def _syntax_clause(error: SyntaxError) -> str:
    return f"This can not be read: {error.msg.rstrip('.')}"


def _at(error: SyntaxError) -> ast.AST:
    """Return the place of a syntax error as a node: its columns count characters, those of a node bytes."""
    before = max((error.offset or 1) - 1, 0)
    place = ast.Pass()
    place.lineno = error.lineno or 1
    # The compiler knows no text, and takes its columns from the nodes.
    place.col_offset = before if error.text is None else len(error.text[:before].encode())
    place.end_lineno, place.end_col_offset = place.lineno, place.col_offset + 1
    return place


def _names_beyond_ascii(source: str) -> Iterator[Finding]:
    """Python reads a name in full-width letters as the plain one; what a reviewer sees must be what runs."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NAME and not token.string.isascii():
                place = ast.Pass()
                place.lineno = place.end_lineno = token.start[0]
                place.col_offset = len(token.line[: token.start[1]].encode())
                place.end_col_offset = place.col_offset + len(token.string.encode())
                yield Finding(
                    Code.NOT_IN_LANGUAGE,
                    f"The name {quoted(token.string)} is not plain ASCII",
                    place,
                )
    except (tokenize.TokenError, SyntaxError):
        return  # the parser says it better


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
        if not isinstance(node.op, _COUNTED):
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
