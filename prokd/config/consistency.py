"""Settings that would silently do nothing together: told before anything starts."""

from __future__ import annotations

from prokd.config.settings import ExperimentConfig
from prokd.errors import UserError

TOGETHER = (
    "teacher.epochs",
    "teacher.alignment.weight",
    "teacher.alignment.start_epoch",
    "teacher.alignment.least_entity_share",
)
"""Settings that `check_together` looks at."""


def check_together(config: ExperimentConfig) -> None:
    """Make sure that no setting takes the effect of another away without a word.

    Raises:
        UserError: Alignment that would never begin; shares from before the alignment where there
            is no such time.
    """
    alignment, epochs = config.teacher.alignment, config.teacher.epochs
    if alignment.weight == 0:
        return
    if alignment.start_epoch >= epochs:
        raise UserError(
            f"teacher.alignment.start_epoch must be below teacher.epochs, but got "
            f"{alignment.start_epoch} of {epochs}: the alignment would never begin (to go "
            f"without, set teacher.alignment.weight=0)."
        )
    if alignment.start_epoch == 0 and alignment.least_entity_share > 0:
        raise UserError(
            f"teacher.alignment.least_entity_share must be 0 where teacher.alignment.start_epoch "
            f"is 0, but got {alignment.least_entity_share:g}: there is no share of entities from "
            f"before the alignment to hold on to."
        )
