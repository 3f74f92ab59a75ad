"""The hub's side is a real server on this machine; each case is a process of its own, since the
Hugging Face libraries read HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE when they are imported."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import preloaded

from .hub_server import COMMIT, Repositories, serve

NAMES = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
CONLL_NAMES = [*NAMES, "B-MISC", "I-MISC"]
SPLITS = ("train", "validation", "test")

SCRIPT = """
import gc, json, sys, time
gc.disable()  # it starts quicker
from prokd.data import load_corpus
from prokd.errors import UserError
results = []
for dataset, language, split, labelled in json.loads(sys.argv[1]):
    start = time.perf_counter()
    try:
        corpus = load_corpus(dataset, language, split, labelled=labelled)
        result = {"words": corpus.words, "tags": corpus.tags, "origin": corpus.origin}
    except UserError as error:
        result = {"error": str(error)}
    results.append({**result, "seconds": time.perf_counter() - start})
print(json.dumps(results))
"""


def parquet(words: list[list[str]], tags: list[list[int]], names: list[str]) -> bytes:
    label = {"names": names, "_type": "ClassLabel"}
    text = {"dtype": "string", "_type": "Value"}
    features = {
        "tokens": {"feature": text, "_type": "Sequence"},
        "ner_tags": {"feature": label, "_type": "Sequence"},
    }
    table = pa.table(
        {
            "tokens": pa.array(words, pa.list_(pa.string())),
            "ner_tags": pa.array(tags, pa.list_(pa.int64())),
        }
    ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


def wikiann() -> dict[str, bytes]:
    files, card = {}, "---\nconfigs:\n"
    for language in ("ar", "zh"):
        card += f"- config_name: {language}\n  data_files:\n"
        for split in SPLITS:
            card += f"  - split: {split}\n    path: {language}/{split}-*\n"
            words, tags = [[language, "Rom"], [split]], [[3, 5], [1]]
            name = f"{language}/{split}-00000-of-00001.parquet"
            files[name] = parquet(words, tags, NAMES)
    return {"README.md": (card + "---\n").encode(), **files}


def conll(*folders: str) -> dict[str, bytes]:
    return {
        f"{folder}/{split}/0000.parquet": parquet([[folder, split], []], [[7, 8], []], CONLL_NAMES)
        for folder in folders
        for split in SPLITS
    }


REPOSITORIES: Repositories = {
    "unimelb-nlp/wikiann": {"main": wikiann()},
    "eriktks/conll2002": {
        "main": {"conll2002.py": b"raise SystemExit"},
        "refs/convert/parquet": conll("es", "nl"),
    },
    "eriktks/conll2003": {
        "main": {"conll2003.py": b"raise SystemExit"},
        "refs/convert/parquet": conll("conll2003"),
    },
}
ONE_SENTENCE_WITH_WAYS_OUT = (
    r"^[^.]* must come from the Hugging Face hub, which is not in reach, or from its cache, which "
    r"does not have it: use `--preset mini` .* `--model PATH --data-dir DIR`, or fill the "
    r"Hugging Face cache \(HF_HOME\) where there is a network\.$"
)


@pytest.fixture(scope="module")
def hub() -> Iterator[tuple[str, list[str]]]:
    with serve(REPOSITORIES) as server:
        yield server


@pytest.fixture
def dead_end() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


def load(endpoint: str, home: Path, *wanted: tuple[str, str, str, bool], **more: str) -> Any:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), **more}
    environment |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    command = ["-c", SCRIPT, json.dumps(wanted)]
    done = preloaded.run(command, env=environment, libraries_only=True)
    assert done.returncode == 0, done.stderr
    assert "examples/s" not in done.stderr  # no progress bars
    return json.loads(done.stdout)


WANTED = (
    ("wikiann", "ar", "dev", True),
    ("wikiann", "zh", "train", False),
    ("conll", "es", "dev", True),
    ("conll", "nl", "train", True),
    ("conll", "en", "test", True),
)


def check(results: Any) -> None:
    assert [result.get("error") for result in results] == [None] * len(WANTED)
    ar, zh, es, nl, en = results
    assert ar["words"] == [["ar", "Rom"], ["validation"]]
    assert ar["tags"] == [["B-ORG", "B-LOC"], ["B-PER"]]
    assert ar["origin"] == f"hub:unimelb-nlp/wikiann/ar@{COMMIT[:12]}"
    assert (zh["words"], zh["tags"]) == ([["zh", "Rom"], ["train"]], None)
    for result, words in ((es, ["es", "validation"]), (nl, ["nl", "train"])):
        assert (result["words"], result["tags"]) == ([words], [["B-MISC", "I-MISC"]])
        assert result["origin"].startswith(f"hub:eriktks/conll2002/{words[0]}@")
    assert en["words"] == [["conll2003", "test"]]
    assert en["origin"].startswith("hub:eriktks/conll2003/en@")


def test_from_the_hub_and_then_from_its_cache(
    hub: tuple[str, list[str]], dead_end: str, tmp_path: Path
) -> None:
    endpoint, log = hub
    check(load(endpoint, tmp_path, *WANTED))
    assert any("resolve" in request for request in log)
    requests = len(log)
    check(load(endpoint, tmp_path, *WANTED, HF_HUB_OFFLINE="1"))
    assert len(log) == requests
    start = time.perf_counter()
    check(load(dead_end, tmp_path, *WANTED))
    assert time.perf_counter() - start < 60


def test_from_downloaded_files(tmp_path: Path) -> None:
    """Files that ``hf download`` left behind are enough."""
    snapshot = tmp_path / "hub" / "datasets--unimelb-nlp--wikiann" / "snapshots" / COMMIT
    for name, content in wikiann().items():
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).write_bytes(content)
    (snapshot / "zh" / "dev-00000-of-00002.parquet").write_bytes(b"a part is missing")
    endpoint = "http://127.0.0.1:9"
    (ar,) = load(endpoint, tmp_path, ("wikiann", "ar", "test", True), HF_HUB_OFFLINE="1")
    assert ar["words"] == [["ar", "Rom"], ["test"]]
    assert ar["tags"] == [["B-ORG", "B-LOC"], ["B-PER"]]
    assert ar["origin"] == f"hub:unimelb-nlp/wikiann/ar@{COMMIT[:12]}"


def test_no_hub_fails_fast_with_ways_out(dead_end: str, tmp_path: Path) -> None:
    wanted = [("wikiann", "ar", "train", True), ("conll", "es", "dev", False)]
    for endpoint in ("http://127.0.0.1:9", dead_end):
        for result in load(endpoint, tmp_path, *wanted):
            assert result["seconds"] < 20
            assert re.search(ONE_SENTENCE_WITH_WAYS_OUT, result["error"])


def test_what_the_hub_does_not_have(hub: tuple[str, list[str]], tmp_path: Path) -> None:
    wanted = [
        (name, language, "train", True)
        for name, language in (("wikiann", "xx"), ("conll", "de"), ("conll", "zh"))
    ]
    unknown, german, chinese = (result["error"] for result in load(hub[0], tmp_path, *wanted))
    assert unknown == ("a language of unimelb-nlp/wikiann must be one of ar, zh, but got 'xx'.")
    assert german == (
        "the German part of CoNLL-2003 is not free and not on the hub: give it as files "
        "de/train.txt, de/dev.txt and de/test.txt in a folder by `--data-dir`."
    )
    assert chinese == "a language of conll must be one of en, es, nl, de, but got 'zh'."


def test_hub_without_the_repository(tmp_path: Path) -> None:
    with serve({}) as (endpoint, _):
        (result,) = load(endpoint, tmp_path, ("wikiann", "ar", "train", True))
    assert "unimelb-nlp/wikiann (ar, train) must come from the Hugging Face hub" in result["error"]
    assert "could not give it (Dataset 'unimelb-nlp/wikiann' doesn't exist" in result["error"]
