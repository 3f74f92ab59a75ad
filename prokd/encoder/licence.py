"""Under which licence an encoder was published, by what lies beside its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prokd.common.files import read_json
from prokd.encoder.export_folder import CARD
from prokd.encoder.files import encoder_folder


def encoder_licence(name: str) -> str | None:
    """Return the licence that an encoder's own card or config.json names; None if neither does.

    Raises:
        UserError: The encoder is not there.
    """
    folder = encoder_folder(name)
    settings = read_json(folder / "config.json") or {}
    told = (_of_card(folder / CARD), settings.get("license"))
    return next((one for one in told if isinstance(one, str) and one), None)


def _of_card(path: Path) -> Any:
    """Return what the metadata of a model card say; None if they do not, or cannot be read."""
    from huggingface_hub import ModelCard

    try:
        text = path.read_text(encoding="utf-8")
        return getattr(ModelCard(text, ignore_metadata_errors=True).data, "license", None)
    except Exception:  # whatever somebody has written there
        return None
