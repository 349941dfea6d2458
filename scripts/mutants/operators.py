"""Mutants made by rule: one expression of a function replaced by what somebody could have written by mistake.

`changes` gives every change of a file. Only the source text of that one expression differs. Left alone, because nothing
that is computed depends on it, or because every such mutant would die of a TypeError: docstrings, texts, annotations,
decorators, defaults, `raise` and what leads to it alone, `__post_init__` and other functions that refuse settings.
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple


class Change(NamedTuple):
    """One expression, replaced."""

    kind: str
    """Of `KINDS`."""
    function: str
    """The function that it is in, such as ``LSTM.update``."""
    line: int
    start: int
    """Where the expression starts in the file, in characters."""
    text: str
    replacement: str

    @property
    def what(self) -> str:
        """The change on one line."""
        return f"{' '.join(self.text.split())}  ->  {' '.join(self.replacement.split())}"

    def apply(self, source: str) -> str:
        """The file's text with the change in it."""
        return source[: self.start] + self.replacement + source[self.start + len(self.text) :]


KINDS = ("sign", "term", "number", "flag", "comparison", "condition", "where", "order", "argument")
"""A sign flipped, a term dropped, a number off by one, a flag flipped, a comparison with or without its limit or the
other way round, a condition ignored, a `where` dropped, two neighbours swapped, an argument forgotten."""

Edit = tuple[str, ast.expr, ast.expr, str]
"""The kind, first and last of the nodes that are replaced, and by what."""
Text = Callable[[ast.expr], str]
"""The source of a node."""

REFUSING = ("check", "_check", "__post_init__", "__new__")
"""How the names of functions start that only refuse."""
CHECKED = {"positive", "one_of", "rate", "isinstance", "getattr", "setattr", "type"}
"""Calls whose arguments are left alone: they refuse, or name an attribute."""
FORGETTABLE = {"keys", "key", "reverse", "flip", "resets", "axis", "candidate", "minval", "maxval"}
"""Arguments that somebody could forget."""
SIGNS = {ast.Add: "-", ast.Sub: "+"}
JOINED = {ast.Add, ast.Sub, ast.Mult, ast.Div, ast.BitAnd, ast.BitOr, ast.MatMult}
COMPARISONS = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
}


def changes(source: str) -> list[Change]:
    """Every change of every function in a file."""
    lines, starts = source.splitlines(keepends=True), [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def place(line: int | None, column: int | None) -> int:
        # ast counts bytes.
        text = lines[(line or 1) - 1]
        return starts[(line or 1) - 1] + len(text.encode()[:column].decode())

    def text(part: ast.expr) -> str:
        return source[place(part.lineno, part.col_offset) : place(part.end_lineno, part.end_col_offset)]

    found: dict[Change, None] = {}
    for name, node in _expressions(ast.parse(source)):
        for kind, first, last, replacement in _edits(node, text):
            start, end = place(first.lineno, first.col_offset), place(last.end_lineno, last.end_col_offset)
            between = source[place(first.end_lineno, first.end_col_offset) : place(last.lineno, last.col_offset)]
            if first is not last and between.strip() != ",":
                continue  # in brackets of its own, or with a comment
            if source[start:end] != replacement:
                found[Change(kind, name, first.lineno, start, source[start:end], replacement)] = None
    return list(found)


def _expressions(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Every node that may be changed, with the name of its function."""

    def inside(node: ast.AST, name: str, in_function: bool) -> Iterator[tuple[str, ast.expr]]:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            if node.name.startswith(REFUSING):
                return
            name = f"{name}.{node.name}".lstrip(".")
            in_function |= isinstance(node, ast.FunctionDef)
            children: Iterable[ast.AST] = node.body
        elif _left_alone(node):
            return
        elif isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise):
            children = node.orelse
        elif isinstance(node, ast.AnnAssign):
            children = [node.value] if node.value else []
        elif isinstance(node, ast.Lambda):
            children = [node.body]
        else:
            children = ast.iter_child_nodes(node)
        if in_function and isinstance(node, ast.expr):
            yield name, node
        for child in children:
            yield from inside(child, name, in_function)

    yield from inside(tree, "", False)


def _left_alone(node: ast.AST) -> bool:
    if isinstance(node, ast.keyword):
        return node.arg == "strict"
    if isinstance(node, ast.Call):
        return _called(node) in CHECKED
    return isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom)


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func).rpartition(".")[2]


def _edits(node: ast.expr, text: Text) -> Iterator[Edit]:
    def instead(kind: str, replacement: str) -> Edit:
        return kind, node, node, replacement

    if isinstance(node, ast.BinOp):
        left, right = f"({text(node.left)})", f"({text(node.right)})"
        if type(node.op) in SIGNS:
            yield instead("sign", f"{left} {SIGNS[type(node.op)]} {right}")
        if type(node.op) in JOINED:
            yield instead("term", left)
        if type(node.op) in {ast.Add, ast.BitAnd, ast.BitOr, ast.Mult}:
            yield instead("term", right)
        if isinstance(node.op, ast.Sub):
            yield instead("term", f"-{right}")
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield instead("term", f"({text(value)})")
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield instead("sign" if isinstance(node.op, ast.USub) else "comparison", f"({text(node.operand)})")
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield instead("flag", str(not node.value))
        elif isinstance(node.value, int | float):
            yield instead("number", str(node.value + 1))
            yield instead("number", f"({node.value - 1})")
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
        other = COMPARISONS[type(node.ops[0])]
        yield instead("comparison", f"{text(node.left)} {other} {text(node.comparators[0])}")
    elif isinstance(node, ast.IfExp):
        yield instead("condition", f"({text(node.body)})")
        yield instead("condition", f"({text(node.orelse)})")
    elif isinstance(node, ast.Call):
        yield from _of_call(node, text)
    elif isinstance(node, ast.Tuple | ast.List):
        yield from _neighbours(node.elts, text)


def _of_call(node: ast.Call, text: Text) -> Iterator[Edit]:
    if _called(node) in {"where", "select"} and len(node.args) == 3:
        for kept in node.args[1:]:
            yield "where", node, node, f"({text(kept)})"
    yield from _neighbours(node.args, text)
    for keyword in node.keywords:
        if keyword.arg in FORGETTABLE:
            others = [ast.unparse(k) for k in node.keywords if k is not keyword]
            yield "argument", node, node, f"{text(node.func)}({', '.join([*map(text, node.args), *others])})"


def _neighbours(parts: list[ast.expr], text: Text) -> Iterator[Edit]:
    """Each two neighbours the other way round, except keys, of which one is as good as the other."""
    for left, right in pairwise(parts):
        names = text(left), text(right)
        if not any(isinstance(part, ast.Starred) for part in (left, right)) and not all("key" in n for n in names):
            yield "order", left, right, f"{names[1]}, {names[0]}"
