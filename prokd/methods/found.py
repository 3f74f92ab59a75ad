"""All methods: our own folders, and those of other packages, by their entry points."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

from prokd.common.raised import in_a_line
from prokd.errors import UserError
from prokd.method import Method
from prokd.methods.advpicker.method import ADVPICKER
from prokd.methods.baseline.method import BASELINE
from prokd.methods.check import check_method
from prokd.methods.colada.method import COLADA
from prokd.methods.composed.method import COMPOSED
from prokd.methods.concner.method import CONCNER
from prokd.methods.msd.method import MSD
from prokd.methods.prokd.method import PROKD
from prokd.methods.tsl.method import TSL
from prokd.methods.unitrans.method import UNITRANS

GROUP = "prokd.methods"
"""Entry points of other packages: each is a `Method`, or a module-level name that is one."""
DEFAULT = PROKD.name
_OWN = (PROKD, TSL, MSD, UNITRANS, CONCNER, ADVPICKER, COLADA, COMPOSED, BASELINE)


class Found(NamedTuple):
    """The methods that there are.

    Args:
        known: By name: our own, then those of other packages.
        packages: Name and version of the package of each that is not ours.
        refused: Why a method of another package is not among them, by its name, as far as that is
            known.
    """

    known: dict[str, Method]
    packages: dict[str, str]
    refused: dict[str, str]


@cache
def found_methods() -> Found:
    """Look for all methods, once: one that is not whole is in nobody's way but its users'."""
    found = Found({method.name: method for method in _OWN}, {}, {})
    for entry in entry_points(group=GROUP):
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a package"
        place = f"{entry.name} = {entry.value} of the group {GROUP}, by {package},"
        name = entry.name
        try:
            method = _loaded(entry)
            name = method.name
            if found.known.get(name, method) is not method:
                taken = f"the name {name} is taken by {found.packages.get(name, 'prokd')}"
                raise UserError(f"must have a name of its own, but {taken}.")
            check_method(method)
        except UserError as error:
            found.refused[name] = f"the entry point {place} {error}"
            continue
        found.known[name], found.packages[name] = method, package
    return found


def _loaded(entry: EntryPoint) -> Method:
    """Import what an entry point names; UserError if it cannot be, or is no method."""
    try:
        method = entry.load()
    except Exception as error:  # of somebody else's code: of any kind
        raise UserError(f"cannot be loaded: {in_a_line(error)}.") from None
    if not isinstance(method, Method):
        raise UserError(f"must be a prokd.method.Method, but is {method!r}.")
    return method
