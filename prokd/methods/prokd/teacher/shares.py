"""How often the target's classes are found: before the alignment, and while it goes on.

# N valid tokens (flattened), C classes
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from prokd.terms.prototypes import with_class_shares


class TargetShares:
    """Class shares of target text, held against those from before the alignment.

    Attributes:
        entity_share: Share of tokens that were taken for a part of an entity, in [0, 1]; None =
            the alignment has not begun, or began before there was anything to know.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self.entity_share: float | None = None
        self._expected_C: Tensor | None = None
        self._found_C: Tensor | None = None

    def begin(self, mean_C: Tensor, likeliest_C: Tensor) -> None:
        """Take what `evaluation.class_shares` finds before the first aligned step."""
        self.entity_share = entity_share(likeliest_C)
        self._expected_C = self._found_C = mean_C

    def corrected(self, probabilities_NC: Tensor, *, least: float, update_rate: float) -> Tensor:
        """Move the running shares by one batch; correct its probabilities if entities fade.

        Args:
            probabilities_NC: float, (N, C), rows sum to 1.
            least: Part of the earlier share of entities below which the correction acts, in
                [0, 1].
            update_rate: Weight of the batch in the running shares, in (0, 1].

        Returns:
            float, (N, C): those of `with_class_shares` where entities are below their least share,
            else as they were, and as they were where no shares are known.
        """
        if self._expected_C is None or self._found_C is None:
            return probabilities_NC
        batch_C = probabilities_NC.detach().mean(dim=0)
        # What a checkpoint gave back lies on the CPU.
        self._expected_C = self._expected_C.to(batch_C.device)
        self._found_C = torch.lerp(self._found_C.to(batch_C.device), batch_C, update_rate)
        corrected_NC = with_class_shares(
            probabilities_NC, expected_C=self._expected_C, found_C=self._found_C
        )
        fades = self._found_C[1:].sum() < least * self._expected_C[1:].sum()
        return torch.where(fades, corrected_NC, probabilities_NC)

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs."""
        return {
            "entity_share": self.entity_share,
            "expected_C": self._expected_C,
            "found_C": self._found_C,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.entity_share = state["entity_share"]
        self._expected_C, self._found_C = state["expected_C"], state["found_C"]


def entity_share(likeliest_C: Tensor) -> float:
    """Return the share of tokens that are taken for a part of an entity, in [0, 1].

    Args:
        likeliest_C: float, (C,), share of tokens that each class is likeliest for; "O" is first.
    """
    return 1.0 - float(likeliest_C[0])
