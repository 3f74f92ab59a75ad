"""How much each part of the benchmark measures."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Sizes:
    """Sentences, repetitions, points.

    Args:
        sentences: Of source and of target, in training.
        evaluated: Of dev and of test, each.
        epochs: Of teacher and of student, each.
        repeats: Turns of A and B.
        seeds: In the comparison of F1.
        points: Of the sweep; a multiple of 4.
        sweep_sentences: Of source and of target in the sweep.
        sweep_epochs: Of teacher and of student in the sweep.
        overhead_points: Of the search whose overhead is measured.
        pruned_points: Of the grid that is searched with and without pruning.
        pruned_sentences: Of source and of target in that grid.
        pruned_epochs: Of its students.
        scaling_base: Sentences of the smallest size.
        factors: Of the sizes.
        at_once: Trials at the same time.
        predicted: Sentences of the file that is tagged.
        predict_repeats: Turns of A and B over that file.
        pipeline_batches: Sentences at a time of the pipeline that tags it.
    """

    sentences: int = 1000
    evaluated: int = 1000
    epochs: int = 3
    repeats: int = 5
    seeds: int = 3
    points: int = 24
    sweep_sentences: int = 300
    sweep_epochs: int = 2
    overhead_points: int = 6
    pruned_points: int = 24
    pruned_sentences: int = 600
    pruned_epochs: int = 4
    scaling_base: int = 500
    factors: tuple[int, ...] = (1, 2, 4, 8)
    at_once: tuple[int, ...] = (1, 2, 4)
    predicted: int = 10_000
    predict_repeats: int = 3
    pipeline_batches: tuple[int, ...] = (1, 8, 32)


QUICK = replace(
    Sizes(),
    sentences=8,
    evaluated=8,
    epochs=2,
    repeats=1,
    seeds=1,
    points=4,
    sweep_sentences=24,
    sweep_epochs=2,
    overhead_points=2,
    pruned_points=4,
    pruned_sentences=24,
    pruned_epochs=2,
    scaling_base=8,
    factors=(1,),
    at_once=(2,),
    predicted=20,
    predict_repeats=1,
    pipeline_batches=(8,),
)
"""Seconds instead of minutes: whether everything runs; the numbers mean nothing."""
