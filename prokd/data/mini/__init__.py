"""The embedded default: a phrasebook corpus in five languages and a small encoder, no network.

`generate` makes labelled sentences of one language and split; `ENCODER_PATH` is the folder of an
encoder that `transformers` loads as it is. Importing this package imports no torch.
"""

from pathlib import Path

from prokd.data.mini.generator import LANGUAGES, generate

ENCODER_PATH = Path(__file__).resolve().parent / "encoder"

__all__ = ["ENCODER_PATH", "LANGUAGES", "generate"]
