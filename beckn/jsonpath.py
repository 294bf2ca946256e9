"""The part of JSONPath that intents use, evaluated within a budget.

Two dialects are on the wire: ``$.catalogs[*] ? (@.provider.id == 'x' && exists(@.resources))``, after SQL/JSON, in the
published examples, and ``$[?(@.rating.value >= 4.0)]``, after RFC 9535, in the core schema. Libraries for Python take
the second only, refuse comparisons with ``[*]``, and bound neither the nodes they visit nor their time; so this is an
evaluator of its own. It takes

- steps ``.name``, ``['name']``, ``.*``, ``[*]``, ``[0]`` and filters ``?(...)``, ``[?(...)]``, ``[?...]``;
- in a filter ``&&``, ``||``, ``!``, brackets, ``==``, ``!=``, ``<>``, ``<``, ``<=``, ``>``, ``>=``, ``starts with``,
  ``in ['a', 'b']``, ``exists(path)``, a path alone for its existence, paths from ``@`` and ``$``, texts, numbers, true,
  false and null.

A comparison is existential: it holds if it holds for any pair of the values of both sides, so never where a side has
none. Texts compare sign by sign, which orders UTC times written alike; values of different kinds are only unequal; a
list or an object compares with none of its kind. A list stands for its elements where a member of it is asked for, an
object for itself before a filter. There is no descent (``..``) and no regular expression.

Length, nesting and the number of nodes visited are bounded; what exceeds them is a :class:`Fault`
``SCH_INVALID_JSONPATH``, as is what cannot be read.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from beckn.protocol.faults import Fault

MOST_SIGNS = 2000
MOST_DEPTH = 16
"""brackets and filters within each other"""
MOST_TOKENS = 500
MOST_VISITS = 40_000
"""nodes and comparisons of one evaluation, some 30 ms"""
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<number>-?\d{1,17}(?:\.\d{1,17})?)"
    r"|(?P<name>[A-Za-z_][\w:-]*)|(?P<sign>&&|\|\||==|!=|<>|<=|>=|[$@.*?(),\[\]<>!]))"
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_UNEQUAL = frozenset({"!=", "<>"})
_EQUALITY = _UNEQUAL | {"=="}
_WORDS: Mapping[str, object] = {"true": True, "false": False, "null": None}
Location = tuple[str | int, ...]
_PLACES = 4


class Node(NamedTuple):
    """A value, and where it is below the root, to the fourth step."""

    value: Any
    location: Location


class Budget:
    """Counts nodes visited."""

    def __init__(self, path: str, most: int = MOST_VISITS) -> None:
        self.left = most
        self._path = path

    def spend(self, count: int = 1) -> None:
        """Visit; :class:`Fault` once there is nothing left."""
        self.left -= count
        if self.left < 0:
            raise Fault("SCH_INVALID_JSONPATH", f"the expression visits more than {MOST_VISITS} nodes", self._path)


@dataclass(frozen=True, slots=True)
class _Member:
    name: str


@dataclass(frozen=True, slots=True)
class _Index:
    at: int


@dataclass(frozen=True, slots=True)
class _All:
    pass


@dataclass(frozen=True, slots=True)
class _Filter:
    condition: _Condition


@dataclass(frozen=True, slots=True)
class Path:
    """Steps from the root (``$``) or from the node at hand (``@``)."""

    relative: bool
    steps: tuple[_Member | _Index | _All | _Filter, ...]

    @property
    def filters_root(self) -> bool:
        """Whether it begins with a filter."""
        return bool(self.steps) and isinstance(self.steps[0], _Filter)

    def without(self, *prefix: str) -> Path:
        """The path below ``.name[*]`` steps, where it begins with them."""
        steps = self.steps
        for name in prefix:
            if steps[:2] == (_Member(name), _All()):
                steps = steps[2:]
        return Path(self.relative, steps)

    def find(self, root: Any, budget: Budget, here: Node | None = None) -> list[Node]:
        """The nodes it leads to, in order."""
        nodes = [here if self.relative and here is not None else Node(root, ())]
        for step in self.steps:
            nodes = _step(step, nodes, root, budget)
        return nodes


@dataclass(frozen=True, slots=True)
class _Literal:
    value: Any


@dataclass(frozen=True, slots=True)
class _Condition:
    """``or``, ``and`` over parts; ``not``, ``exists`` of one; else a comparison of two."""

    kind: str
    parts: tuple[Any, ...]

    def holds(self, here: Node, root: Any, budget: Budget) -> bool:
        budget.spend(2)
        if self.kind == "or":
            return any(part.holds(here, root, budget) for part in self.parts)
        if self.kind == "and":
            return all(part.holds(here, root, budget) for part in self.parts)
        if self.kind == "not":
            return not self.parts[0].holds(here, root, budget)
        if self.kind == "exists":
            return bool(self.parts[0].find(root, budget, here))
        return self._compares(here, root, budget)

    def _compares(self, here: Node, root: Any, budget: Budget) -> bool:
        left, right = (_values(part, here, root, budget) for part in self.parts)
        sign = self.kind
        for kind, one in left:
            budget.spend(len(right))
            for other_kind, other in right:
                if _compare(sign, one, other) if kind == other_kind else sign in _UNEQUAL:
                    return True
        return False


def _values(operand: Path | _Literal, here: Node, root: Any, budget: Budget) -> list[tuple[str, Any]]:
    """The values of one side, each with its kind."""
    if isinstance(operand, _Literal):
        return [(_kind(operand.value), operand.value)]
    return [(_kind(node.value), node.value) for node in operand.find(root, budget, here)]


def _compare(sign: str, one: Any, other: Any) -> bool:
    """Whether two values of one kind compare so; only numbers and texts have an order."""
    if sign == "starts with":
        return isinstance(one, str) and one.startswith(other)
    if isinstance(one, list | dict) or (sign not in _EQUALITY and (one is None or isinstance(one, bool))):
        return False
    return _COMPARE[sign](one, other)


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "word" if value is None else "truth"
    if isinstance(value, str):
        return "text"
    return "number" if isinstance(value, int | float) else "other"


def _step(step: _Member | _Index | _All | _Filter, nodes: list[Node], root: Any, budget: Budget) -> list[Node]:
    """The nodes one step further."""
    budget.spend(len(nodes))
    if isinstance(step, _Member):
        named: list[Node] = []
        for node in nodes:
            for each in _children(node, budget) if isinstance(node.value, list) else (node,):
                if isinstance(each.value, dict) and step.name in each.value:
                    named.append(Node(each.value[step.name], _below(each.location, step.name)))
        return named
    if isinstance(step, _Index):
        at = step.at
        return [
            Node(node.value[at], _below(node.location, at % len(node.value)))
            for node in nodes
            if isinstance(node.value, list) and -len(node.value) <= at < len(node.value)
        ]
    if isinstance(step, _All):
        return [each for node in nodes for each in _children(node, budget)]
    return [
        each
        for node in nodes
        for each in (_children(node, budget) if isinstance(node.value, list) else (node,))
        if step.condition.holds(each, root, budget)
    ]


def _below(location: Location, step: str | int) -> Location:
    return location if len(location) >= _PLACES else (*location, step)


def _children(node: Node, budget: Budget) -> list[Node]:
    value, place = node
    if not isinstance(value, list | dict):
        return []
    budget.spend(len(value))
    parts = enumerate(value) if isinstance(value, list) else value.items()
    if len(place) >= _PLACES:
        return [Node(each, place) for _, each in parts]
    return [Node(each, (*place, at)) for at, each in parts]


def parse(expression: Any, path: str) -> Path:
    """Read an expression; ``path`` is the JSONPath of the field that holds it."""
    if not isinstance(expression, str) or not 0 < len(expression) <= MOST_SIGNS:
        raise Fault("SCH_INVALID_JSONPATH", f"it is no text of at most {MOST_SIGNS} signs", path)
    return _Parser(expression, path).whole()


class _Parser:
    """Reads tokens from left to right, one path or condition per call."""

    def __init__(self, expression: str, path: str) -> None:
        self._path = path
        self._depth = 0
        self._tokens: list[tuple[str, str]] = []
        self._next = 0
        text, at = expression.strip(), 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None or len(self._tokens) >= MOST_TOKENS:
                raise self._wrong(f"it cannot be read from {text[at : at + 30]!r} on")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()

    def _wrong(self, why: str) -> Fault:
        return Fault("SCH_INVALID_JSONPATH", why, self._path)

    def _peek(self, ahead: int = 0) -> tuple[str, str]:
        at = self._next + ahead
        return self._tokens[at] if at < len(self._tokens) else ("end", "")

    def _take(self, *signs: str) -> str | None:
        """The next token, if it is one of the signs."""
        kind, text = self._peek()
        if kind == "sign" and text in signs:
            self._next += 1
            return text
        return None

    def _need(self, sign: str) -> None:
        if self._take(sign) is None:
            raise self._wrong(f"{sign!r} is missing before {self._peek()[1][:30]!r}")

    def whole(self) -> Path:
        """One path from the root, and nothing after it."""
        if self._peek() in {("name", "lax"), ("name", "strict")}:
            self._next += 1
        path = self._read_path()
        if path.relative or self._peek()[0] != "end":
            raise self._wrong("it is not one path from the root $")
        return path

    def _read_path(self) -> Path:
        start = self._take("$", "@")
        if start is None:
            raise self._wrong(f"a path begins with $ or @, not with {self._peek()[1][:30]!r}")
        steps: list[_Member | _Index | _All | _Filter] = []
        while (sign := self._take(".", "[", "?")) is not None:
            read = {".": self._after_dot, "[": self._in_brackets, "?": self._after_mark}[sign]
            steps.append(read())
        return Path(start == "@", tuple(steps))

    def _after_dot(self) -> _Member | _All:
        if self._take("*"):
            return _All()
        kind, text = self._peek()
        if kind not in {"name", "text"}:
            raise self._wrong("a name is missing after '.'; there is no descent '..'")
        self._next += 1
        return _Member(text if kind == "name" else _unquoted(text))

    def _in_brackets(self) -> _Member | _Index | _All | _Filter:
        kind, text = self._peek()
        step: _Member | _Index | _All | _Filter
        if self._take("*"):
            step = _All()
        elif self._take("?"):
            step = _Filter(self._deeper(self._either))
        elif kind == "text":
            self._next += 1
            step = _Member(_unquoted(text))
        elif kind == "number" and "." not in text:
            self._next += 1
            step = _Index(int(text))
        else:
            raise self._wrong(f"{text[:30]!r} is no name, place or filter")
        self._need("]")
        return step

    def _after_mark(self) -> _Filter:
        self._need("(")
        condition = self._deeper(self._either)
        self._need(")")
        return _Filter(condition)

    def _deeper(self, read: Callable[[], _Condition]) -> _Condition:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise self._wrong(f"it nests deeper than {MOST_DEPTH}")
        found = read()
        self._depth -= 1
        return found

    def _either(self) -> _Condition:
        parts = [self._both()]
        while self._take("||"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else _Condition("or", tuple(parts))

    def _both(self) -> _Condition:
        parts = [self._one()]
        while self._take("&&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else _Condition("and", tuple(parts))

    def _one(self) -> _Condition:
        if self._take("!"):
            return _Condition("not", (self._deeper(self._one),))
        if self._take("("):
            found = self._deeper(self._either)
            self._need(")")
            return found
        if self._peek() == ("name", "exists") and self._peek(1) == ("sign", "("):
            self._next += 2
            path = self._read_path()
            self._need(")")
            return _Condition("exists", (path,))
        return self._comparison()

    def _comparison(self) -> _Condition:
        left = self._operand()
        sign = self._take(*_COMPARE)
        if sign is None and (self._peek(), self._peek(1)) == (("name", "starts"), ("name", "with")):
            self._next += 2
            sign = "starts with"
        if sign is not None:
            return _Condition(sign, (left, self._operand()))
        if (self._peek(), self._peek(1)) == (("name", "in"), ("sign", "[")):
            self._next += 2
            parts = [_Condition("==", (left, self._operand()))]
            while self._take(","):
                parts.append(_Condition("==", (left, self._operand())))
            self._need("]")
            return _Condition("or", tuple(parts))
        if isinstance(left, _Literal):
            raise self._wrong("a value alone is no condition")
        return _Condition("exists", (left,))

    def _operand(self) -> Path | _Literal:
        kind, text = self._peek()
        if kind == "sign":
            return self._read_path()
        self._next += 1
        if kind == "text":
            return _Literal(_unquoted(text))
        if kind == "number":
            return _Literal(float(text) if "." in text else int(text))
        if kind == "name" and text in _WORDS:
            return _Literal(_WORDS[text])
        raise self._wrong(f"{text[:30]!r} is no value")


def _unquoted(text: str) -> str:
    """A text without its quotation marks; a backslash keeps the sign after it."""
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
