"""Whatever the packages import is declared in pyproject.toml, not borrowed from others."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OWN = {"prokd", "search", "ablations"}


def _imported() -> dict[str, str]:
    """Return the top-level modules that are imported, each with a file that does so."""
    found: dict[str, str] = {}
    for package in sorted(OWN):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = (
                    [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                )
                if isinstance(node, ast.ImportFrom) and not node.level:
                    names = [node.module or ""]
                found |= {name.partition(".")[0]: str(path.relative_to(ROOT)) for name in names}
    return found


def test_every_import_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {
        re.split(r"[\[<>=~! ]", line)[0].lower().replace("_", "-")
        for line in project["dependencies"]
    }
    providers = importlib.metadata.packages_distributions()
    checked = 0
    for module, file in _imported().items():
        if module in OWN or module in sys.stdlib_module_names:
            continue
        names = {name.lower().replace("_", "-") for name in providers[module]}
        assert names & declared, f"{file} imports {module} of {names}, which is not declared"
        checked += 1
    assert checked >= 14
