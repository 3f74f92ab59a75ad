"""What tests share: one CPU thread, no network, real data where a folder of it is named."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.methods import build_config

sys.path.insert(0, str(Path(__file__).parent))
import tiny

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


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random 3-layer BERT with the words of the tiny corpus."""
    return tiny.write_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def tiny_data(tmp_path: Path) -> Path:
    """Local corpora of the languages en and xx."""
    return tiny.write_corpus(tmp_path / "data")


@pytest.fixture
def tiny_runtime(tmp_path: Path, tiny_data: Path) -> RuntimeConfig:
    """A runtime whose files all lie in a temporary folder."""
    return RuntimeConfig(
        data_dirs=(tiny_data,),
        runs_dir=tmp_path / "runs",
        cache_dir=tmp_path / "cache",
        device="cpu",
        threads=1,
    )


@pytest.fixture
def tiny_config(tiny_encoder: Path) -> ExperimentConfig:
    """Two epochs of teacher and student on the tiny corpus, en to xx."""
    return build_config("paper", "stable", tiny.settings(tiny_encoder))
