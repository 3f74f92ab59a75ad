"""transformers' pipeline over a file: ``python -m benchmarks.pipeline_process JOB.json``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

from prokd.scoring.pipeline import load_pipeline


def main(job: Path) -> None:
    """Tag each line of a file and write what was found as JSON lines."""
    values = json.loads(job.read_text(encoding="utf-8"))
    torch.set_num_threads(os.cpu_count() or 1)
    tag = load_pipeline(Path(values["model"]))
    sentences = Path(values["text"]).read_text(encoding="utf-8").splitlines()
    with Path(values["to"]).open("w", encoding="utf-8") as written:
        found = tag(sentences, batch_size=values["batch"])
        for text, hits in zip(sentences, found, strict=True):
            written.write(json.dumps({"entities": [_entity(text, hit) for hit in hits]}) + "\n")
    job.with_suffix(".result.json").write_text("{}", encoding="utf-8")


def _entity(text: str, hit: dict[str, Any]) -> dict[str, Any]:
    start, end = int(hit["start"]), int(hit["end"])
    start = end - len(
        text[start:end].lstrip()
    )  # some tokenizers have the blank before a word in it
    return {"type": hit["entity_group"], "start": start, "end": end}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
