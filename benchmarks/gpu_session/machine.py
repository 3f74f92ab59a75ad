"""What is on the machine: its card, and the packages that are there, carried or missing."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NEEDED = {
    "torch": "torch",
    "transformers": "transformers",
    "tokenizers": "tokenizers",
    "safetensors": "safetensors",
    "huggingface_hub": "huggingface_hub",
    "numpy": "numpy",
    "pyarrow": "pyarrow",
    "filelock": "filelock",
    "yaml": "PyYAML",
    "rich": "rich",
    "jinja2": "Jinja2",
    "pydantic": "pydantic",
    "pydantic_core": "pydantic_core",
    "annotated_types": "annotated-types",
    "typing_inspection": "typing-inspection",
    "icu4py": "icu4py",
}
"""Modules that the parts import, and the distributions that hold them."""
CARRIED = ("pydantic", "pydantic_core", "annotated-types", "typing-inspection", "icu4py")
"""Distributions that a machine with PyTorch and transformers may lack: carried as wheels."""


def missing() -> list[str]:
    """Return the needed modules that cannot be found."""
    importlib.invalidate_caches()
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def install(wheels: Path, site: Path) -> str:
    """Put what is missing, and was carried as wheels, into a folder of its own.

    Nothing that is there already is touched, and no network is asked.

    Args:
        wheels: Folder of ``*.whl``.
        site: Where to; this process and those that it starts find it.

    Returns:
        pip's complaint; "" if there was none.
    """
    wanted = {_normal(NEEDED[name]) for name in missing()}
    files = [str(path) for path in wheels.glob("*.whl") if _normal(path.name) in wanted]
    if not files:
        return ""
    flags = "--no-index --no-deps --no-compile --no-cache-dir --disable-pip-version-check -q"
    command = [sys.executable, "-m", "pip", "install", *flags.split(), "--target", str(site)]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    sys.path.insert(0, str(site))
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(site), os.environ.get("PYTHONPATH", "")])
    )
    return done.stderr.strip() if done.returncode else ""


def _normal(name: str) -> str:
    """Return the name of a distribution, or that in the name of a wheel, as wheels spell it."""
    plain = name.split("-")[0] if name.endswith(".whl") else name.replace("-", "_")
    return plain.lower()


def has_gpu() -> bool:
    """Return whether PyTorch sees a GPU; asked in a process of its own, which leaves no trace."""
    code = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def versions() -> str:
    """Return the versions of what the figures depend on most."""
    return ", ".join(f"{name} {_version(name)}" for name in ("torch", "transformers"))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "?"


def card() -> str:
    """Return name, memory and driver of the GPU; "" where there is none."""
    fields = "--query-gpu=name,memory.total,driver_version"
    try:
        done = subprocess.run(
            ["nvidia-smi", fields, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = done.stdout.strip().splitlines()
    if done.returncode or not found:
        return ""
    name, memory, driver = (field.strip() for field in found[0].split(","))
    return f"{name} ({memory}), driver {driver}"


def title(kind: str) -> str:
    """Return the machine in words, for the head of the table."""
    where = (card() or "a GPU that nvidia-smi does not tell") if kind == "cuda" else "CPU alone"
    return f"{where}; {os.cpu_count()} CPU cores, Python {platform.python_version()}, {versions()}"
