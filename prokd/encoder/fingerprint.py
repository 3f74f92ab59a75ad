"""What the files of a pretrained encoder hash to."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache

from transformers import PreTrainedTokenizerFast
from transformers.utils.import_utils import is_peft_available

from prokd.data.encoding import tokenizer_identity
from prokd.encoder.files import (
    ADAPTER,
    adapter_files,
    encoder_folder,
    load_tokenizer,
    weight_files,
)


@lru_cache(maxsize=8)
def encoder_fingerprint(name: str) -> str:
    """Return a hash of all that is loaded of an encoder and of nothing else, 16 hex digits.

    That is its configuration, the weights that transformers picks, an adapter upon them, and the
    tokenizer as it is when it is loaded, whatever files it was loaded from.

    Raises:
        UserError: A file that is needed is not there.
    """
    folder = encoder_folder(name)
    digest = hashlib.blake2b(digest_size=8)
    for path in (folder / "config.json", *weight_files(folder), *adapter_files(folder)):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 24):
                digest.update(chunk)
    if (folder / ADAPTER).is_file():
        # The same files give another encoder where nothing is installed that loads adapters.
        digest.update(f"adapter {is_peft_available()}".encode())
    digest.update(_tokenizer_state(load_tokenizer(name)).encode())
    return digest.hexdigest()


def _tokenizer_state(tokenizer: PreTrainedTokenizerFast) -> str:
    """Return all that a loaded tokenizer does, as text; not how it pads and cuts at the moment."""
    specials = zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True)
    state = {
        "splits": tokenizer_identity(tokenizer),
        "special": sorted((str(token), index) for token, index in specials),
        "roles": {role: str(token) for role, token in tokenizer.special_tokens_map.items()},
        "model_max_length": tokenizer.model_max_length,
        "padding_side": tokenizer.padding_side,
    }
    return json.dumps(state, sort_keys=True)
