"""What a list of experiments needs: distinct runs of each stage, done and missing, the cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prokd.config import ExperimentConfig
from prokd.method import StageSpec
from prokd.runs.folder import RunFolder
from search.experiments import Experiment, stages_of
from search.records.addresses import named_store

Measured = Callable[[str, str], float | None]
"""From a method and a stage to the seconds that an epoch takes; None = they cannot be told."""


@dataclass(frozen=True)
class Need:
    """The distinct runs of one stage.

    Args:
        stage: Its name.
        total: Number of distinct runs.
        done: Number of finished ones.
        collapsed: Number of those that are known to collapse.
        begun: Number of those that go on from a checkpoint.
        seconds: Estimated seconds of training that are left, all together; None = unknown.
        is_measured: Whether that is of a few steps on this machine, not of finished runs alone.
    """

    stage: str
    total: int
    done: int
    collapsed: int
    begun: int
    seconds: float | None
    is_measured: bool = False

    @property
    def missing(self) -> int:
        """Number of runs to train, from the start or on."""
        return self.total - self.done - self.collapsed


def need(experiments: Sequence[Experiment], stage: str, measured: Measured | None = None) -> Need:
    """Count the distinct runs of a stage and estimate what is left from finished runs like them.

    Args:
        experiments: Any configurations; those without such a stage are passed over.
        stage: Its name.
        measured: Is asked for the seconds of an epoch where no finished run is like one.
    """
    distinct = {e.key(stage): e for e in experiments if stage in e.graph.names}
    folders = {name: e.folder(stage) for name, e in distinct.items()}
    done = {name for name, f in folders.items() if f.done}
    over = {name for name, f in folders.items() if f.failure() is not None}
    collapsed = over - done
    seconds: float | None = 0.0
    rates: dict[tuple[str, str], float | None] = {}
    is_measured = False
    for name, experiment in distinct.items():
        if name in done or name in collapsed or seconds is None:
            continue
        spec = experiment.graph.stage(stage)
        likeness = _likeness(spec, experiment)
        method = experiment.config.method
        if (method, likeness) not in rates:
            known = _seconds_per_epoch(experiment.runs_dir, spec, likeness)
            if known is None and measured is not None:
                known = measured(method, stage)
                is_measured |= known is not None
            rates[method, likeness] = known
        rate = rates[method, likeness]
        left = experiment.epochs(stage) - len(folders[name].history())
        seconds = None if rate is None else seconds + rate * left
    return Need(
        stage=stage,
        total=len(folders),
        done=len(done),
        collapsed=len(collapsed),
        begun=sum(f.started and name not in done | over for name, f in folders.items()),
        seconds=seconds,
        is_measured=is_measured,
    )


def needs_of(experiments: Sequence[Experiment], measured: Measured | None = None) -> list[Need]:
    """Return what is needed of each stage, earlier ones first."""
    return [need(experiments, stage, measured) for stage in stages_of(experiments)]


def _likeness(spec: StageSpec, experiment: Experiment) -> str:
    """What two runs share if their epochs take about equally long."""
    config = experiment.config  # a corpus is named by the whole of it, as `needed_corpora` does
    read = {n: experiment.data[spec.corpus(n, config)] for n in spec.reads(spec.view(config))}
    return _alike(read, spec.settings(experiment.config).model_dump())


def _alike(fingerprints: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    read = {name: value for name, value in fingerprints.items() if not name.endswith("dev")}
    return repr((sorted(read.items()), settings["batch_sentences"], settings["batch_tokens"]))


def _seconds_per_epoch(runs_dir: Path, spec: StageSpec, likeness: str) -> float | None:
    rates = []
    for path in runs_dir.glob(f"{spec.kind}-*"):
        folder = RunFolder(runs_dir, spec.kind, path.name.removeprefix(f"{spec.kind}-"))
        identity, result = folder.identity(), folder.result()
        if not identity or not result or spec.section not in identity:
            continue
        if _alike(identity["fingerprints"], identity[spec.section]) == likeness:
            rates.append(result["seconds"] / result["epochs"])
    return sum(rates) / len(rates) if rates else None


def describe(needs: Sequence[Need], width: int | None) -> list[str]:
    """Write needs and the estimated cost as lines for a reader.

    Args:
        needs: Of each stage.
        width: Runs that train at the same time, if it is known.
    """
    lines, total = [], 0.0
    unknown = False
    for item in needs:
        parts = [f"{item.done} done"]
        if item.collapsed:
            parts.append(f"{item.collapsed} collapsed")
        parts.append(f"{item.missing} to train")
        if item.begun:
            parts.append(f"{item.begun} of them from a checkpoint")
        lines.append(f"{item.stage}s: {item.total} ({', '.join(parts)})")
        unknown |= item.seconds is None
        total += item.seconds or 0.0
    if unknown:
        lines.append(
            "estimated cost: unknown (no finished run like these, and none can be measured here)"
        )
    else:
        at_once = f", {duration(total / width)} with {width} runs at a time" if width else ""
        how = " (measured on a few steps here)" if any(n.is_measured for n in needs) else ""
        lines.append(f"estimated cost: {duration(total)} of training{at_once}{how}")
    return lines


def duration(seconds: float) -> str:
    """Write a time in words.

    >>> duration(5), duration(125), duration(7260)
    ('5 s', '2 min 5 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def disk_line(config: ExperimentConfig, missing: int, exports: int) -> str:
    """Write how much disk a search will take: what stays, and what comes and goes meanwhile."""
    from prokd.training.sizes import run_sizes

    sizes = run_sizes(config.encoder)
    copies = 2 if (named_store() or "").startswith("http") else 1
    runs, exported = copies * missing * sizes.artifact, 2 * exports * sizes.export
    return (
        f"disk: {_bytes(runs)} for {missing} runs and {_bytes(exported)} for exports will stay; "
        f"meanwhile at most {_bytes(sizes.checkpoints)} of checkpoints for each run at work"
    )


def _bytes(number: float) -> str:
    """Write a size in words.

    >>> _bytes(2_500_000), _bytes(3_210_000_000)
    ('2.5 MB', '3.2 GB')
    """
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"
