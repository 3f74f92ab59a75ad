"""How well each criterion chooses among finished trials, as an oracle sees it.

The oracle looks at labels of target dev. Its numbers go to a table and to ``criteria.csv`` after
everything is chosen; nothing depends on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table
from scipy import stats

from prokd.runs.folder import ORACLE
from search.results import Row, heading, label_free, means, write_records


@dataclass(frozen=True)
class Choice:
    """What one criterion would choose; every number of a trial is the mean over its seeds.

    Args:
        criterion: Its name.
        spearman_rho: Its rank correlation with the oracle's entity F1 on target dev over all
            trials, in [-1, 1]; None where one of the two is constant.
        kendall_tau: The same by Kendall (tau-b).
        trial: The trial with its highest value, the earliest of equals.
        oracle_target_dev_entity_f1: Of that trial, in [0, 1].
        target_test_entity_f1: Of that trial, in [0, 1]; None without a labelled target test.
        dev_regret: Highest F1 on target dev of all trials less that of this trial.
        test_regret: Highest F1 on target test of all trials less that of this trial, or None.
    """

    criterion: str
    spearman_rho: float | None
    kendall_tau: float | None
    trial: int
    oracle_target_dev_entity_f1: float
    target_test_entity_f1: float | None
    dev_regret: float
    test_regret: float | None


def compare(trials: Mapping[int, Sequence[Row]]) -> list[Choice]:
    """Compare the criteria that look at no target label, those that all trials have.

    Args:
        trials: Rows of finished trials by number; their objective is the oracle's.

    Returns:
        One choice for each criterion; none without trials.
    """
    numbers = sorted(trials)
    found = {number: means(trials[number]) for number in numbers}
    dev = {number: found[number]["mean/objective"] for number in numbers}
    names = {n: f"mean/test/{trials[n][0].experiment.config.target}/entity_f1" for n in dev}
    scored = {n: found[n][name] for n, name in names.items() if name in found[n]}
    test = scored if len(scored) == len(dev) else {}
    choices = []
    known = [label_free(trials[number][0].experiment.config) for number in numbers]
    common = [name for name in (known or [()])[0] if all(name in own for own in known)]
    for name in common:
        values = {number: found[number][f"mean/criteria/{name}"] for number in numbers}
        chosen = max(numbers, key=values.__getitem__)
        choices.append(
            Choice(
                name,
                *_correlations(list(values.values()), list(dev.values())),
                chosen,
                dev[chosen],
                test.get(chosen),
                max(dev.values()) - dev[chosen],
                max(test.values()) - test[chosen] if test else None,
            )
        )
    return choices


def _correlations(
    left: Sequence[float], right: Sequence[float]
) -> tuple[float | None, float | None]:
    """Return Spearman's rho and Kendall's tau; None for a constant, which has none."""
    if len(set(left)) < 2 or len(set(right)) < 2:
        return None, None
    rho = stats.spearmanr(left, right).statistic
    return float(rho), float(stats.kendalltau(left, right).statistic)


def comparison_table(choices: Sequence[Choice], target: str, select: str) -> Table:
    """Draw a comparison of criteria.

    Args:
        choices: As `compare` returns them.
        target: The target language.
        select: The criterion that the search itself chose by.
    """
    use = "results were chosen by it" if select == ORACLE else "nothing was chosen by it"
    drawn = Table(
        title=f"{heading(ORACLE)} beside the criteria; {use}",
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
        header_style="bold",
    )
    drawn.add_column("criterion", no_wrap=True)
    names = ("rho", "tau", "trial", f"{target}-dev F1", "regret", f"{target}-test F1", "regret")
    for name in names:
        drawn.add_column(name, justify="right", no_wrap=True)
    for choice in choices:
        drawn.add_row(
            heading(choice.criterion),
            _number(choice.spearman_rho, 3),
            _number(choice.kendall_tau, 3),
            str(choice.trial),
            _number(choice.oracle_target_dev_entity_f1),
            _number(choice.dev_regret),
            _number(choice.target_test_entity_f1),
            _number(choice.test_regret),
        )
    return drawn


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def write_comparison(path: Path, choices: Sequence[Choice]) -> None:
    """Write a comparison as CSV, one line a criterion."""
    write_records(path, [asdict(choice) for choice in choices])
