"""YAML files that people write: read safely, each mistake told with its place."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from prokd.errors import UserError


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key may stand only once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_mapping(path: Path, what: str) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Args:
        path: The file.
        what: What the mapping is of, for messages: "name, title, claim, variants", say.

    Raises:
        UserError: No such file, not UTF-8, not YAML (with the line), a key that stands twice, or
            something else than a mapping.
    """
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} must be UTF-8, but byte {error.start} is not.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line} must be YAML, but {error.problem}.") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} must be YAML, but {' '.join(str(error).split())}.") from None
    if not isinstance(tree, dict):
        raise UserError(f"{path} must hold a mapping ({what}), but got {tree!r}.")
    for key in tree:
        if not isinstance(key, str):
            raise UserError(f"{path} must hold a mapping ({what}), but got the name {key!r}.")
    return tree


def with_numbers(value: Any) -> Any:
    """Read texts such as 1e-3, which YAML 1.1 takes for no numbers, as numbers; lists too.

    >>> with_numbers(["1e-3", "unit", 2])
    [0.001, 'unit', 2]
    """
    if isinstance(value, list):
        return [with_numbers(item) for item in value]
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value
