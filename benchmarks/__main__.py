"""The command: ``python -m benchmarks [PART ...]``."""

from __future__ import annotations

import importlib
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import typer

from benchmarks.setting import Setting
from benchmarks.sizes import QUICK, Sizes
from benchmarks.table import Line, show, write

PARTS = ("steps", "quality", "sweep", "overhead", "prune", "scaling", "gpu")


def run(
    parts: Annotated[
        list[str] | None, typer.Argument(help=f"Some of {', '.join(PARTS)}; none = all.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Whether all runs, in seconds; no figures.")
    ] = False,
    output: Annotated[Path, typer.Option(help="Folder of table.md, table.csv, plots.")] = Path(
        "benchmark-results"
    ),
    sentences: Annotated[int | None, typer.Option(help="Training sentences.")] = None,
    sweep_sentences: Annotated[int | None, typer.Option(help="Of the sweep.")] = None,
    points: Annotated[int | None, typer.Option(help="Of the sweep.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Turns of A and B.")] = None,
    seeds: Annotated[int | None, typer.Option(help="In the comparison of F1.")] = None,
    scaling_base: Annotated[
        int | None, typer.Option(help="Sentences of the smallest size.")
    ] = None,
    pruned_sentences: Annotated[int | None, typer.Option(help="Of the pruned grid.")] = None,
) -> None:
    """Measure this project beside the recipe of published code; print a table of ratios."""
    wanted = parts or list(PARTS)
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        raise typer.BadParameter(f"a part is one of {', '.join(PARTS)}, but got {unknown[0]!r}.")
    given = {
        "sentences": sentences,
        "sweep_sentences": sweep_sentences,
        "points": points,
        "repeats": repeats,
        "seeds": seeds,
        "scaling_base": scaling_base,
        "pruned_sentences": pruned_sentences,
    }
    sizes = replace(
        QUICK if quick else Sizes(), **{k: v for k, v in given.items() if v is not None}
    )
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="prokd-benchmark-") as folder:
        setting = Setting(Path(folder), output.resolve())
        title = f"{setting.title}; {os.cpu_count()} CPU cores, 1 thread a stage"
        for name in wanted:
            module = importlib.import_module(f"benchmarks.{name}")
            found = module.measure(setting, sizes)
            show(found, f"{name}: {title}")
            lines += found
            write(lines, output, title)


if __name__ == "__main__":
    typer.run(run)
