"""`prokd predict` on a file beside transformers' pipeline: from the command to the tags on disk.

Both get the same exported tagger, a sentence a line and all cores, and write JSON lines. The
pipeline takes the sentences as its documentation says, one by one or in batches; sentences of
more than a model takes, which it would cut, are left out. Equal tags: ours by each word's own
likeliest tag, as the pipeline's, from the first subword of a word.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT, run
from benchmarks.setting import Setting
from benchmarks.sizes import Sizes
from benchmarks.table import Line, interleaved, ratio_line
from prokd.data import load_corpus
from prokd.training.exports import export
from prokd.training.run import StageRun

MOST_WORDS = 60
"""Of a sentence: its subwords fit into any encoder."""


def measure(setting: Setting, sizes: Sizes) -> list[Line]:
    """Return the ratios of seconds for the pipeline one by one and in batches."""
    folder = setting.folder / "predict"
    model, text = _tagger(setting, sizes, folder / "model"), folder / "text.txt"
    words = _write_sentences(setting, sizes.predicted, text)
    lines = []
    for size in sizes.pipeline_batches:
        mine, other = interleaved(
            lambda turn: _ours(model, text, folder / "ours.jsonl"),
            lambda turn, size=size: _theirs(model, text, folder / "theirs.jsonl", size),
            sizes.predict_repeats,
            here=False,
        )
        equal = _equal(folder / "ours.jsonl", folder / "theirs.jsonl")
        how = "one by one" if size == 1 else f"in batches of {size}"
        what = (
            f"{sizes.predicted:,} sentences, {words:,} words; the pipeline {how}, "
            f"{100 * equal:.2f} % of sentences with equal entities"
        )
        lines.append(ratio_line("predict", what, mine, other, target="≥ 5x"))
    return lines


def _tagger(setting: Setting, sizes: Sizes, folder: Path) -> Path:
    config = setting.config(sizes.sentences, sizes.evaluated, **{"teacher.epochs": 2})
    runtime = setting.runtime("predict")
    with StageRun("teacher", config, runtime) as trained:
        trained.run()
        return export(trained.folder, folder, runtime, config=config)


def _write_sentences(setting: Setting, number: int, text: Path) -> int:
    """Write target sentences, a line each, from the start again if need be; return their words."""
    config = setting.config(1, 1)
    corpus = load_corpus(
        config.data.dataset,
        config.target,
        "train",
        data_dirs=setting.runtime("predict").data_dirs,
        labelled=False,
    )
    known = [words for words in corpus.words if len(words) <= MOST_WORDS]
    chosen = [known[place % len(known)] for place in range(number)]
    text.write_text("".join(" ".join(words) + "\n" for words in chosen), encoding="utf-8")
    return sum(map(len, chosen))


def _ours(model: Path, text: Path, to: Path) -> None:
    command = [sys.executable, "-m", "prokd", "predict", str(model), "--file", str(text)]
    command += ["--no-split", "--independent", "--format", "json", "--to", str(to), "--quiet"]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def _theirs(model: Path, text: Path, to: Path, batch: int) -> None:
    job = {"model": str(model), "text": str(text), "to": str(to), "batch": batch}
    run("pipeline_process", to.with_suffix(".job.json"), job)


def _equal(ours: Path, theirs: Path) -> float:
    """Return the share of sentences in which both found the same entities."""
    pairs = zip(_entities(ours), _entities(theirs), strict=True)
    equal = [one == other for one, other in pairs]
    return sum(equal) / len(equal)


def _entities(file: Path) -> list[list[tuple[Any, ...]]]:
    lines = file.read_text(encoding="utf-8").splitlines()
    found = [json.loads(line)["entities"] for line in lines]
    return [[(each["type"], each["start"], each["end"]) for each in own] for own in found]
