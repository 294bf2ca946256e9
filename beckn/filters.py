"""What of a catalog an intent asks for: words, a JSONPath filter, places.

All three have to be met. Words and places select resources. A filter selects what its path leads to, with ``$`` the
object ``{"catalogs": [...]}``: a catalog, or anything of it beside its resources and offers, keeps the whole catalog; a
resource, or anything in it, keeps that resource and the offers of it; an offer keeps itself and its resources. A filter
that begins at once with a condition, ``$[?(...)]``, is over resources, with ``$`` the list of them. Comparisons are
existential, see :mod:`beckn.jsonpath`. A catalog of which no resource and no offer is left is not told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from beckn import jsonpath, spatial
from beckn.jsonpath import Budget
from beckn.packs.reading import at, mapping, text
from beckn.protocol.faults import Fault

_FIELDS = frozenset({"textSearch", "filters", "spatial"})
_MOST_WORDS = 20
Catalog = Mapping[str, Any]
Kept = dict[int, set[int]]
"""places of the resources that stay, by the place of their catalog"""


def select(intent: Any, catalogs: Sequence[Catalog], path: str = "$.message.intent") -> list[dict[str, Any]]:
    """The catalogs with what the intent asks for, the rest left out; what is given is not changed.

    :raises Fault: ``SCH_``: the intent cannot be read, asks for what is not served, or needs too much work.
    """
    found = mapping(intent, path)
    if unknown := sorted(name for name in found.keys() - _FIELDS if found[name] is not None):
        code = "SCH_TYPE_NOT_SUPPORTED" if unknown[0] == "mediaSearch" else "SCH_FIELD_NOT_ALLOWED"
        raise Fault(code, f"{unknown[0][:40]} is not served", at(path, unknown[0][:40]))
    kept: Kept = {c: set(range(len(_list(each, "resources")))) for c, each in enumerate(catalogs)}
    offers: Kept = {c: set(range(len(_list(each, "offers")))) for c, each in enumerate(catalogs)}
    if found.get("filters") is not None:
        _filter(mapping(found["filters"], at(path, "filters")), catalogs, (kept, offers), at(path, "filters"))
    if found.get("textSearch") is not None:
        _search(text(found, "textSearch", path), catalogs, kept, at(path, "textSearch"))
    if found.get("spatial"):
        _place(found["spatial"], catalogs, kept, at(path, "spatial"))
    parts = [_kept(each, kept[c], offers[c]) for c, each in enumerate(catalogs)]
    return [part for part in parts if part is not None]


def _filter(found: Mapping[str, Any], catalogs: Sequence[Catalog], stay: tuple[Kept, Kept], path: str) -> None:
    """Keep what the expression leads to."""
    if found.get("type", "jsonpath") != "jsonpath":
        raise Fault("SCH_INVALID_ENUM", "filters are of the type jsonpath", at(path, "type"))
    here = at(path, "expression")
    expression = jsonpath.parse(found.get("expression"), here)
    budget = Budget(here)
    resources: Kept = {c: set() for c in range(len(catalogs))}
    offers: Kept = {c: set() for c in range(len(catalogs))}
    places: set[jsonpath.Location]
    if expression.filters_root:
        owners = [(c, r) for c, each in enumerate(catalogs) for r in range(len(_list(each, "resources")))]
        items = [_list(catalogs[c], "resources")[r] for c, r in owners]
        hit = {node.location[0] for node in expression.find(items, budget) if node.location}
        places = {("catalogs", c, "resources", r) for i, (c, r) in enumerate(owners) if i in hit}
    else:
        whole = {"catalogs": list(catalogs)}
        places = {node.location for node in expression.find(whole, budget)}
    for place in places:
        _mark(place, catalogs, resources, offers)
    for c in range(len(catalogs)):
        stay[0][c] &= resources[c]
        stay[1][c] &= offers[c]


def _mark(place: jsonpath.Location, catalogs: Sequence[Catalog], resources: Kept, offers: Kept) -> None:
    """Keep what belongs to one place that was found."""
    if len(place) < 2 or place[0] != "catalogs" or not isinstance(place[1], int):
        return
    c, catalog = place[1], catalogs[place[1]]
    own = {each.get("id"): r for r, each in enumerate(_list(catalog, "resources"))}
    which = place[3] if len(place) > 3 else None
    if len(place) > 2 and place[2] == "resources" and isinstance(which, int):
        resources[c].add(which)
        name = _list(catalog, "resources")[which].get("id")
        offers[c] |= {o for o, each in enumerate(_list(catalog, "offers")) if name in each.get("resourceIds", ())}
    elif len(place) > 2 and place[2] == "offers" and isinstance(which, int):
        offers[c].add(which)
        resources[c] |= {own[name] for name in _list(catalog, "offers")[which].get("resourceIds", ()) if name in own}
    else:
        resources[c] |= set(own.values())
        offers[c] |= set(range(len(_list(catalog, "offers"))))


def _search(words: str, catalogs: Sequence[Catalog], kept: Kept, path: str) -> None:
    """Keep resources in whose description all words occur, whatever their case."""
    asked = words.casefold().split()
    if len(asked) > _MOST_WORDS:
        raise Fault("SCH_INVALID_FORMAT", f"it has more than {_MOST_WORDS} words", path)
    for c, catalog in enumerate(catalogs):
        common = _words(catalog) + _words(catalog.get("provider"))
        for r in sorted(kept[c]):
            resource = _list(catalog, "resources")[r]
            attributes = resource.get("resourceAttributes") or {}
            plain = [value for value in attributes.values() if isinstance(value, str)]
            said = " ".join([*common, *_words(resource), resource["id"], *plain]).casefold()
            if not all(word in said for word in asked):
                kept[c].discard(r)


def _words(found: Any) -> list[str]:
    descriptor = found.get("descriptor") if isinstance(found, Mapping) else None
    return [value for value in descriptor.values() if isinstance(value, str)] if isinstance(descriptor, Mapping) else []


def _place(found: Any, catalogs: Sequence[Catalog], kept: Kept, path: str) -> None:
    """Keep resources that meet every spatial constraint."""
    constraints = spatial.read_constraints(found, path)
    budget = Budget(path)
    for c, catalog in enumerate(catalogs):
        resources = _list(catalog, "resources")
        kept[c] = {r for r in kept[c] if all(each.holds(resources[r], budget) for each in constraints)}


def _kept(catalog: Catalog, resources: set[int], offers: set[int]) -> dict[str, Any] | None:
    """A catalog with the resources that stay and the offers that stay and are of one of them."""
    left = [each for r, each in enumerate(_list(catalog, "resources")) if r in resources]
    names = {each["id"] for each in left}
    still = [
        each
        for o, each in enumerate(_list(catalog, "offers"))
        if o in offers and not names.isdisjoint(each.get("resourceIds", ()))
    ]
    return {**catalog, "resources": left, "offers": still} if left else None


def _list(catalog: Catalog, name: str) -> list[Any]:
    return catalog.get(name) or []
