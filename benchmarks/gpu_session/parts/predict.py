"""Tagging many sentences: `prokd.Tagger` against the pipeline of transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import transformers

from benchmarks.gpu_session.parts.precision import run_config
from benchmarks.gpu_session.session import Session
from benchmarks.gpu_session.timing import middle, seconds_of
from benchmarks.gpu_session.training import trained
from benchmarks.table import Line
from prokd import Tagger
from prokd.data.labels import AGGREGATION
from prokd.training.corpora import Corpora
from prokd.training.exports import export

TENTH = 10
"""The pipeline is slower: it is timed on so much less."""
PIPELINE_BATCH = 128


def measure(session: Session) -> Iterator[Line]:
    """Yield sentences a second of both, in fp32 and in bf16."""
    kind = "bf16" if session.on_gpu else "fp32"  # many CPUs have no instructions for bf16
    config = run_config(session, kind)
    runtime = session.runtime("runs")
    for stage in ("teacher", "student"):  # another part has trained them, if it came so far
        run = trained(stage, config, runtime)
    folder = session.work / "export"
    export(run.folder, folder, runtime, config=config)
    sentences = _sentences(session)
    fp32, bf16 = Tagger(folder, runtime), Tagger(run.folder.path, runtime)
    for name, tagger, dtype in (("fp32", fp32, torch.float32), ("bf16", bf16, torch.bfloat16)):
        if not session.on_gpu and name == "bf16":
            continue  # a CPU tags in fp32 whatever it was trained in
        yield _compared(session, name, tagger, _pipeline(session, folder, dtype), sentences)


def _sentences(session: Session) -> list[list[str]]:
    """Return sentences of the target, those that there are again and again."""
    corpora = Corpora(session.config(), session.runtime("runs"))
    known = [words for words in corpora.target_text.words if words]
    times = -(-session.amounts.tagged // len(known))
    return (known * times)[: session.amounts.tagged]


def _pipeline(session: Session, folder: Path, kind: torch.dtype) -> Callable[[list[str]], object]:
    made = transformers.pipeline(
        "token-classification",
        model=str(folder),
        tokenizer=str(folder),
        aggregation_strategy=AGGREGATION,
        device=session.kind,
        dtype=kind,
    )
    return lambda texts: made(texts, batch_size=PIPELINE_BATCH)


def _compared(
    session: Session,
    name: str,
    tagger: Tagger,
    pipeline: Callable[[list[str]], object],
    sentences: list[list[str]],
) -> Line:
    few = [" ".join(words) for words in sentences[: max(len(sentences) // TENTH, 1)]]
    rates: list[list[float]] = [[], []]
    for turn in range(3):
        ours = seconds_of(lambda: tagger.tag(sentences), session.device, 1, warm=turn == 0)
        other = seconds_of(lambda: pipeline(few), session.device, 1, warm=turn == 0)
        rates[0].append(len(sentences) / ours[0])
        rates[1].append(len(few) / other[0])
    ratios = [mine / theirs for mine, theirs in zip(*rates, strict=True)]
    texts = [f"{middle(rate):,.0f} sentences/s" for rate in rates]
    result = f"{middle(ratios):.1f}x ({min(ratios):.1f}-{max(ratios):.1f})"
    what = f"{len(sentences):,} sentences to tags, {name}: Tagger / pipeline in batches of 128"
    return Line("predict", what, *texts, result, "", len(ratios), middle(ratios))
