"""What tells the language of a token by its features (AdvPicker, Chen et al., ACL 2021).

# N valid tokens (flattened), S sentences, D feature size
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from prokd.data import EncodedCorpus
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.pooling import sentence_means
from prokd.methods.advpicker.config import DiscriminatorConfig
from prokd.scoring.evaluation import looked_at

NAME = "discriminator"
"""Among the modules that stand beside a classifier."""


class Discriminator(nn.Module):
    """Two layers: D -> hidden -> 1, ReLU between; the logit that a token is of the source.

    Args:
        num_features: D.
        hidden: Features between.
    """

    def __init__(self, num_features: int, hidden: int) -> None:
        """Make new layers."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(num_features, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, features_ND: Tensor) -> Tensor:
        """Return logits, float32, (N,), of features, (N, D)."""
        with torch.autocast(features_ND.device.type, enabled=False):
            logits_N: Tensor = self.layers(features_ND.float()).squeeze(-1)
        return logits_N


def with_discriminator(
    model: TokenClassifier, settings: DiscriminatorConfig, seed: int
) -> TokenClassifier:
    """Put a new seeded discriminator beside a classifier."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        made = Discriminator(model.num_features, settings.hidden)
    model.beside[NAME] = made.to(model.device)
    return model


def discriminator_of(model: TokenClassifier) -> Discriminator:
    """Return the discriminator beside a classifier."""
    found = model.beside[NAME]
    assert isinstance(found, Discriminator), "with_discriminator has put it there"
    return found


@torch.no_grad()
def language_margins(model: TokenClassifier, encoded: EncodedCorpus, pad_token_id: int) -> Tensor:
    """Return how sure it is that each sentence is of the source, less 1/2.

    A sentence's score is the mean of sigma(D(h)) over its words (the paper: over its subwords).

    Returns:
        float32, (S, 1), in [-1/2, 1/2]; 0 for a sentence without a kept word.
    """
    found = torch.zeros(len(encoded), 1)
    discriminator = discriminator_of(model)
    for indices, batch in looked_at(model, encoded, pad_token_id):
        with model.autocast():
            features_ND, _ = model(batch)
        margins_N = torch.sigmoid(discriminator(features_ND)) - 0.5
        found[torch.from_numpy(indices)] = sentence_means(margins_N[:, None], batch).cpu()
    return found


def picked(margins_S: npt.NDArray[np.floating], share: float) -> npt.NDArray[np.int64]:
    """Return the share of the sentences whose language is the hardest to tell, in their order.

    They are those with the smallest |score - 1/2|; of equal ones the first.

    Args:
        margins_S: float, (S,), score - 1/2.
        share: In (0, 1]; at least one sentence is picked.
    """
    number = max(1, round(share * len(margins_S)))
    distance_S = np.abs(margins_S.astype(np.float64))
    return np.sort(np.argsort(distance_S, kind="stable")[:number])
