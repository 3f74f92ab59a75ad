"""What the commands import: this project and the libraries, whatever the working folder holds.

A folder of the user's with the name of a library (``datasets/``, say) must not be taken for it.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the packages of the project."""


UNNEEDED = ("scipy", "sklearn")
"""What transformers loads where it finds it; no model needs it to tag."""


@contextmanager
def lean_imports() -> Iterator[None]:
    """Load what a model needs to tag, and no more: the block's imports do not find the rest.

    Where transformers is loaded already, it knows what is there, and nothing is hidden. Python's
    collector of cycles would look through all modules again and again meanwhile.
    """
    is_first = "transformers" not in sys.modules
    hidden = [name for name in UNNEEDED if is_first and name not in sys.modules]
    was_enabled = gc.isenabled()
    gc.disable()
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None = not to be found
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
        if was_enabled:
            gc.enable()


def libraries_first(*packages: str) -> None:
    """Put the working folder and the checkout behind the libraries on the import path.

    Called before anything else is imported. The packages of the project are imported while the
    checkout is still in front: what they hold is then found through them.

    Args:
        packages: Of the project.
    """
    for name in packages:
        importlib.import_module(name)
    ours = [os.path.realpath(ROOT), os.path.realpath(os.curdir)]
    behind = [entry for entry in sys.path if os.path.realpath(entry or os.curdir) in ours]
    ahead = [entry for entry in sys.path if entry not in behind]
    sys.path[:] = [*ahead, *dict.fromkeys(entry for entry in behind if entry)]
