"""Whatever the packages import is declared in pyproject.toml, not borrowed from others."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.specifiers import SpecifierSet

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
    extras = project["optional-dependencies"]
    declared = {
        re.split(r"[\[<>=~! ]", line)[0].lower().replace("_", "-")
        for line in (*project["dependencies"], *extras["onnx"])
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


def test_every_locked_package_installs_on_each_python_that_the_project_admits():
    oldest = "3.11.0"  # Debian 12, and with it what `ray up` finds there, has 3.11.2
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert oldest in SpecifierSet(project["requires-python"])
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text("utf-8"), re.M)
    needs = {name: importlib.metadata.metadata(name).get("Requires-Python") for name in locked}
    assert len(needs) > 100
    assert not {
        name: need for name, need in needs.items() if need and oldest not in SpecifierSet(need)
    }


QUICK_PYTHON = """#!/bin/sh
"{real}" "$1" "$2" --without-pip "$3" && ln -s "{pip}" "$3"/lib/python3.*/site-packages/
"""
"""A Python whose new environments have this one's pip: to unpack another takes seconds."""


def test_an_installation_says_what_it_does_and_that_it_failed(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "requirements.lock").write_text("six==1.17.0\n")
    python = tmp_path / "python"
    pip = Path(str(importlib.import_module("pip").__file__)).parent
    python.write_text(QUICK_PYTHON.format(real=sys.executable, pip=pip))
    python.chmod(0o755)
    made = subprocess.run(
        ["make", "--no-print-directory", "run", f"PYTHON={python}"],
        cwd=tmp_path,
        env=os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "MAKEFLAGS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.stdout.startswith("installing the environment into .venv: 1 packages, about ")
    assert "No matching distribution found for six" in made.stderr
    assert made.returncode == 2
    assert not (tmp_path / ".venv" / ".installed-from-lock").exists()
