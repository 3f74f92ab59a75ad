"""The model card of an export: what it is, how good, chosen by what, its limits, how to repeat it.

It is made of what the run's folder holds and of what whoever exports it knows. Scores on the
target are read from the report, which is made after all choices; nothing that chooses reads a
card.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.data.hub import repository
from prokd.data.labels import AGGREGATION
from prokd.encoder import artifact
from prokd.encoder.licence import encoder_licence
from prokd.method import TARGET_TRAIN
from prokd.methods import graph_of, method_of, method_packages, needed_corpora
from prokd.runs.folder import RunFolder
from prokd.scoring.bootstrap import REPLICATES
from prokd.training.chosen import Chosen
from prokd.training.repeat import public_name, settings_of, stage_runs, train_command
from prokd.training.report_scores import Score, not_scored, scores_of

TEMPLATE = Path(__file__).with_suffix(".md")
PACKAGES = ("torch", "transformers", "tokenizers", "numpy")
"""Whose versions a card names."""
UNKNOWN_LICENCE = "unknown"
"""What the hub calls a licence that nobody knows."""


def model_card(
    folder: RunFolder,
    config: ExperimentConfig,
    runtime: RuntimeConfig | None = None,
    chosen: Chosen | None = None,
) -> str:
    """Return the model card of a finished run, with metadata as the Hugging Face hub reads them.

    Args:
        folder: Of the run.
        config: The experiment that it belongs to.
        runtime: Where its data lay; None = that is not known.
        chosen: What it was chosen by; None = by nothing that is known.

    Raises:
        UserError: The run is not finished, or its encoder is not there.
    """
    from huggingface_hub import ModelCard

    scores = list(scores_of(folder, config))
    known = _facts(folder, config, None if runtime is None else bool(runtime.data_dirs))
    card = ModelCard.from_template(
        _metadata(config, scores, known),
        template_path=str(TEMPLATE),
        scores=scores,
        not_scored=list(not_scored(folder, config, scores)),
        chosen=chosen,
        **known,
    )
    return str(card).rstrip() + "\n"


def _facts(folder: RunFolder, config: ExperimentConfig, local: bool | None) -> dict[str, Any]:
    """Return what a card says of a run that is no number of its quality but the criterion."""
    description, method = artifact.describe(folder.path), method_of(config)
    graph, result = graph_of(config), folder.result() or {}
    report = (folder.report() or {}).get("metrics", {})
    encoder, digest = config.encoder.name, description["encoder"]["fingerprint"]
    return {
        "target": config.target,
        "sources": ", ".join(f"`{language}`" for language in config.sources),
        "types": _listed(description["entity_types"]),
        "reads_target": TARGET_TRAIN in needed_corpora(config),
        "method": method.title,
        "citation": method.citation,
        "stage": None if folder.kind == graph.stage(graph.result).kind else folder.kind,
        "aggregation": AGGREGATION,
        "dataset": _dataset(config, local),
        "encoder": f"`{public_name(encoder)}`, fingerprint `{digest}`",
        "licence": encoder_licence(encoder),
        "seed": config.seed,
        "replicates": REPLICATES,
        "objective": f"{result.get('objective', float('nan')):.4f}",
        "max_length": description["max_length"],
        "words_cut": int(report.get(f"test/{config.target}/words_cut", 0)),
        "command": train_command(config, folder.kind, local=local),
        "local": local,
        "fingerprints": list(_fingerprints(folder)),
        "versions": ", ".join(f"{name} {version}" for name, version in _versions(config.method)),
        "settings": yaml.safe_dump(settings_of(config), sort_keys=False).rstrip(),
    }


def _metadata(config: ExperimentConfig, scores: Sequence[Score], known: Mapping[str, Any]) -> Any:
    from huggingface_hub import EvalResult, ModelCardData

    languages = list(dict.fromkeys([config.target, *config.source_languages]))
    places = _repositories(config, languages) if known["local"] is False else {}
    results = [
        EvalResult(
            task_type="token-classification",
            task_name="Named entity recognition",
            dataset_type=places.get(score.language) or config.data.dataset,
            dataset_name=f"{config.data.dataset} {score.language}",
            dataset_config=score.language,
            dataset_split="test",
            metric_type="f1",
            metric_name="entity F1" + (f" (95 % {score.interval})" if score.interval else ""),
            metric_value=round(score.value, 4),
        )
        for score in scores
    ]
    encoder = config.encoder.name
    is_of_hub = encoder == public_name(encoder) != "mini"
    return ModelCardData(
        language=languages,
        license=known["licence"] or UNKNOWN_LICENCE,
        library_name="transformers",
        pipeline_tag="token-classification",
        tags=["named-entity-recognition", "cross-lingual", "zero-resource", config.method],
        base_model=encoder if is_of_hub else None,
        datasets=list(dict.fromkeys(places.values())) or None,
        metrics=["f1"],
        model_name=f"{config.method}-{'+'.join(config.sources)}-{config.target}",
        eval_results=results or None,
    )


def _repositories(config: ExperimentConfig, languages: Sequence[str]) -> dict[str, str]:
    """Return where the hub has an experiment's data, by language."""
    found = {language: repository(config.data.dataset, language) for language in languages}
    return {language: place for language, place in found.items() if place is not None}


def _dataset(config: ExperimentConfig, local: bool | None) -> str:
    """Say what was read; no path of whoever trained it."""
    name = f"`{config.data.dataset}`"
    if local is None:
        return f"{name} by the settings, as files of one's own may be called too"
    if local:
        return f"files of one's own, which the settings call {name}"
    if config.data.dataset == "phrasebook":
        return f"{name}, which comes with prokd: toy data, whose numbers mean nothing for science"
    places = dict.fromkeys(
        _repositories(config, [*config.source_languages, config.target]).values()
    )
    return f"{name} ({', '.join(places)} on the Hugging Face hub)"


def _fingerprints(folder: RunFolder) -> Iterator[tuple[str, str, str]]:
    """Yield run, corpus or encoder, and fingerprint."""
    seen: dict[str, RunFolder] = {run.path.name: run for run in stage_runs(folder)}
    for name, run in seen.items():
        for read, digest in (run.identity() or {}).get("fingerprints", {}).items():
            yield name, read.replace("_", " "), digest


def _versions(method: str) -> Iterator[tuple[str, str]]:
    yield "Python", platform.python_version()
    if (package := method_packages().get(method)) is not None:
        name, _, version = package.rpartition(" ")
        yield name, version
    for package in ("prokd", *PACKAGES):
        try:
            yield package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
            continue


def _listed(names: Sequence[str]) -> str:
    """Write names as a sentence has them.

    >>> _listed(["LOC", "ORG", "PER"]), _listed(["PER"])
    ('LOC, ORG and PER', 'PER')
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
