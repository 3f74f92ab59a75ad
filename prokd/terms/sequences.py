"""Tags of a sentence that fit one another: what IOB2 allows, the likeliest and the probable tags.

In IOB2 a tag I-X stands only behind B-X or I-X. Tags that are chosen one by one break this rule
often; both functions here look at a sentence as a whole.

# B sentences, L words of the longest one, N valid tokens (flattened), C classes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Places:
    """Where each valid token of a batch stands.

    Args:
        sentence_N: int64, (N,), the token's sentence, in [0, num_sentences).
        position_N: int64, (N,), its place among the valid tokens of the sentence, from 0, without
            gaps.
        num_sentences: B.
        longest: L, most valid tokens of a sentence.
    """

    sentence_N: Tensor
    position_N: Tensor
    num_sentences: int
    longest: int

    @classmethod
    def of_lengths(cls, lengths: Sequence[int]) -> Places:
        """Return the places of sentences of these lengths, one behind the other.

        >>> Places.of_lengths([2, 1]).position_N.tolist()
        [0, 1, 0]
        """
        lengths_B = torch.tensor(lengths, dtype=torch.int64)
        sentence_N = torch.repeat_interleave(torch.arange(len(lengths_B)), lengths_B)
        first_B = lengths_B.cumsum(dim=0) - lengths_B
        position_N = torch.arange(len(sentence_N)) - first_B[sentence_N]
        return cls(sentence_N, position_N, len(lengths_B), max(1, *lengths))

    def padded(self, values_NC: Tensor) -> Tensor:
        """Return (B, L, C) with zeros where a sentence has no more tokens."""
        shape = (self.num_sentences, self.longest, values_NC.shape[-1])
        padded_BLC = values_NC.new_zeros(shape)
        padded_BLC[self.sentence_N, self.position_N] = values_NC
        return padded_BLC

    def exists(self) -> Tensor:
        """Return bool, (B, L): whether there is a token."""
        shape = (self.num_sentences, self.longest)
        exists_BL = torch.zeros(shape, dtype=torch.bool, device=self.sentence_N.device)
        exists_BL[self.sentence_N, self.position_N] = True
        return exists_BL

    def flat(self, padded: Tensor) -> Tensor:
        """Return the values of the valid tokens, (N, ...), of a padded (B, L, ...) tensor."""
        return padded[self.sentence_N, self.position_N]


def allowed_transitions(num_classes: int) -> Tensor:
    """Return which tag may follow which, bool, (C + 1, C); the last row is a sentence's begin.

    Classes are numbered as in `labels.TagSet`: 0 is "O", 2t + 1 is B- and 2t + 2 is I- of type t.

    Example:
        >>> allowed_transitions(3).int().tolist()  # from O, B, I, begin to O, B, I
        [[1, 1, 0], [1, 1, 1], [1, 1, 1], [1, 1, 0]]
    """
    allowed = torch.ones(num_classes + 1, num_classes, dtype=torch.bool)
    for inside in range(2, num_classes, 2):
        allowed[:, inside] = False
        allowed[inside - 1 : inside + 1, inside] = True
    return allowed


@torch.no_grad()
def likeliest_tags(probabilities_NC: Tensor, places: Places) -> Tensor:
    """Return the valid tag sequence of each sentence with the highest product of probabilities.

    The Viterbi algorithm under the rules of IOB2, for all sentences at once.

    Args:
        probabilities_NC: float, (N, C), >= 0.
        places: Of the N tokens.

    Returns:
        int64, (N,), class indices.

    Relations: equals the argmax of each row wherever that is a valid sequence.
    """
    scores_BLC, exists_BL, steps_CC, begin_C = _prepared(probabilities_NC, places)
    best_BC = scores_BLC[:, 0] + begin_C
    pointers = []
    themselves_BC = torch.arange(len(begin_C), device=best_BC.device).expand_as(best_BC)
    for column in range(1, places.longest):
        values_BC, from_BC = (best_BC[:, :, None] + steps_CC).max(dim=1)
        here_B1 = exists_BL[:, column, None]
        best_BC = torch.where(here_B1, values_BC + scores_BLC[:, column], best_BC)
        pointers.append(torch.where(here_B1, from_BC, themselves_BC))
    tags = [best_BC.argmax(dim=-1)]
    for from_BC in reversed(pointers):
        tags.append(from_BC.gather(1, tags[-1][:, None])[:, 0])
    return places.flat(torch.stack(tags[::-1], dim=1))


def valid_tag_probabilities(probabilities_NC: Tensor, places: Places) -> Tensor:
    """Return the probability of each tag given that its sentence's tags are valid.

    The forward-backward algorithm under the rules of IOB2, with tokens independent otherwise:
    P(y_i = k | y valid), y_1 ... y_n drawn from the rows.

    Args:
        probabilities_NC: float, (N, C), >= 0, a positive one in class "O" or a B- class.
        places: Of the N tokens.

    Returns:
        float, (N, C), rows sum to 1. Differentiable in the probabilities.
    """
    scores_BLC, exists_BL, steps_CC, begin_C = _prepared(probabilities_NC, places)
    forward = [scores_BLC[:, 0] + begin_C]
    for column in range(1, places.longest):
        moved_BC = torch.logsumexp(forward[-1][:, :, None] + steps_CC, dim=1)
        here_B1 = exists_BL[:, column, None]
        forward.append(torch.where(here_B1, moved_BC + scores_BLC[:, column], forward[-1]))
    backward = [torch.zeros_like(forward[0])]
    for column in range(places.longest - 1, 0, -1):
        ahead_BC = scores_BLC[:, column] + backward[-1]
        moved_BC = torch.logsumexp(ahead_BC[:, None, :] + steps_CC, dim=2)
        here_B1 = exists_BL[:, column, None]
        backward.append(torch.where(here_B1, moved_BC, torch.zeros_like(moved_BC)))
    joint_BLC = torch.stack(forward, dim=1) + torch.stack(backward[::-1], dim=1)
    return torch.softmax(places.flat(joint_BLC), dim=-1).to(probabilities_NC.dtype)


def _prepared(probabilities_NC: Tensor, places: Places) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return log probabilities (B, L, C), existing tokens (B, L), log steps (C, C) and begins."""
    precision = torch.promote_types(probabilities_NC.dtype, torch.float32)
    values_NC = probabilities_NC.to(precision)
    smallest = torch.finfo(precision).tiny
    scores_BLC = places.padded(values_NC.clamp_min(smallest).log())
    allowed = allowed_transitions(values_NC.shape[-1]).to(values_NC.device)
    steps = torch.zeros(allowed.shape, dtype=precision, device=values_NC.device)
    steps = steps.masked_fill(~allowed, -torch.inf)
    return scores_BLC, places.exists(), steps[:-1], steps[-1]
