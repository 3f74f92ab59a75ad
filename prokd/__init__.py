"""ProKD: prototypical knowledge distillation for zero-resource cross-lingual NER.

The package holds the method alone (Ge et al. 2023, arXiv:2301.08855). Importing it loads no
deep-learning library, so that a configuration or an ablation spec can be read in milliseconds:
`Tagger` is imported when it is asked for.

    from prokd import Tagger

    Tagger("my-student")("Anna woont in Leiden.")
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prokd.scoring.tagging import Tagger

# Read by OpenMP when torch is imported: threads that wait sleep, instead of spinning on cores that
# other processes need (docs/log/engineering.md: 56 s instead of 267 s on a busy machine).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__all__ = ["Tagger"]


def __getattr__(name: str) -> Any:
    """Import what is asked for by its short name."""
    if name == "Tagger":
        from prokd.scoring.tagging import Tagger

        return Tagger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
