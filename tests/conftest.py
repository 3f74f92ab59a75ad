"""What tests share: one CPU thread, no network, real data where a folder of it is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session")
def prokd_data() -> Path:
    """Folder with data/ and encoders/, named by PROKD_DATA; the test is skipped without it."""
    folder = os.environ.get("PROKD_DATA")
    if not folder:
        pytest.skip("set PROKD_DATA to a folder with data/wikiann, data/news and encoders/")
    return Path(folder)
