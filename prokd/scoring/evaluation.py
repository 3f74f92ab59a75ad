"""Passes over a corpus without training: predictions, probabilities, prototypes.

# N valid tokens (flattened), D feature size, C classes
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from prokd.data import Batch, Corpus, EncodedCorpus, collate
from prokd.data.batches import evaluation_batches
from prokd.data.labels import TagSet
from prokd.encoder.classifier import TokenClassifier
from prokd.scoring import metrics
from prokd.terms.prototypes import class_sums, means_of_sums
from prokd.terms.sequences import likeliest_tags


@dataclass(frozen=True)
class LabelledSplit:
    """A labelled split to score on: all of its words, also those beyond the length limit."""

    corpus: Corpus
    encoded: EncodedCorpus

    @cached_property
    def gold(self) -> npt.NDArray[np.int16]:
        """Class indices of all words, (num_words,)."""
        tag_set = self.encoded.tag_set
        assert self.corpus.tags is not None, "a labelled split keeps its tags"
        flat = [tag for tags in self.corpus.tags for tag in tags]
        return np.array(tag_set.indices(flat), dtype=np.int16)

    @cached_property
    def sentence_of(self) -> npt.NDArray[np.int64]:
        """Sentence number of all words, (num_words,)."""
        return np.repeat(np.arange(len(self.encoded.num_words)), self.encoded.num_words)

    def spread(self, kept: npt.NDArray[np.integer]) -> npt.NDArray[np.int16]:
        """Put predictions of the kept words among all words; words that were cut are "O"."""
        encoded = self.encoded
        first_of_sentence = np.cumsum(encoded.num_words) - encoded.num_words
        num_kept = np.diff(encoded.word_offsets)
        position = np.arange(len(kept)) - np.repeat(encoded.word_offsets[:-1], num_kept)
        full = np.zeros(len(self.gold), dtype=np.int16)
        full[np.repeat(first_of_sentence, num_kept) + position] = kept
        return full

    def quick_scores(self, model: TokenClassifier, pad_token_id: int) -> dict[str, float]:
        """Return ``entity_f1`` (lenient) and ``token_f1`` without any per-token loop."""
        predicted = self.spread(predict(model, self.encoded, pad_token_id))
        tag_set: TagSet = self.encoded.tag_set
        return {
            "entity_f1": metrics.entity_f1(self.gold, predicted, self.sentence_of, tag_set),
            "token_f1": metrics.token_f1(self.gold, predicted)[2],
        }

    def full_report(
        self, model: TokenClassifier, pad_token_id: int
    ) -> tuple[dict[str, float], npt.NDArray[np.int64]]:
        """Return `metrics.flat_report`, and the counts of each sentence for paired tests.

        Tags are chosen token by token; ``entity_f1_viterbi`` and ``token_f1_viterbi`` say how good
        the likeliest valid IOB2 tags of each sentence are.
        """
        independent, valid = predict_in_two_ways(model, self.encoded, pad_token_id)
        predicted, decoded = self.spread(independent), self.spread(valid)
        tag_set: TagSet = self.encoded.tag_set
        scores = scores_in_two_ways(self.gold, predicted, decoded, self.sentence_of, tag_set)
        scores["words_cut"] = float(self.encoded.num_words_cut)
        counts = metrics.sentence_counts(self.gold, predicted, self.sentence_of, tag_set)
        return scores, counts


def scores_in_two_ways(
    gold: npt.NDArray[np.integer],
    independent: npt.NDArray[np.integer],
    valid: npt.NDArray[np.integer],
    sentence_of: npt.NDArray[np.integer],
    tag_set: TagSet,
) -> dict[str, float]:
    """Return `metrics.flat_report` of tags chosen one by one, and F1 of valid ones.

    Args:
        gold: int, (num_words,), class indices, as are those of the other two.
        independent: The likeliest tag of each word.
        valid: The likeliest valid IOB2 tags of each sentence.
        sentence_of: int, (num_words,), sentence number of each word, rising.
        tag_set: Gives the classes their meaning.
    """
    scores = metrics.flat_report(gold, independent, sentence_of, tag_set)
    scores["entity_f1_viterbi"] = metrics.entity_f1(gold, valid, sentence_of, tag_set)
    scores["token_f1_viterbi"] = metrics.token_f1(gold, valid)[2]
    return scores


def looked_at(
    model: TokenClassifier,
    encoded: EncodedCorpus,
    pad_token_id: int,
    sentences: npt.NDArray[np.int64] | None = None,
) -> Iterator[tuple[npt.NDArray[np.int64], Batch]]:
    """Yield sentences, by index, and their batch on the model's device, which is in eval mode."""
    was_training = model.training
    model.eval()
    for indices in evaluation_batches(encoded, model.device, sentences):
        batch = collate(encoded, indices, pad_token_id)
        yield indices, batch.to(model.device, non_blocking=True)
    model.train(was_training)


@torch.no_grad()
def passes(
    model: TokenClassifier,
    encoded: EncodedCorpus,
    pad_token_id: int,
    sentences: npt.NDArray[np.int64] | None = None,
) -> Iterator[tuple[Batch, Tensor, Tensor]]:
    """Yield each batch of a corpus with features (N, D) and logits (N, C), in eval mode.

    Args:
        model: Gives features and logits, in its own precision.
        encoded: The corpus.
        pad_token_id: Of the tokenizer.
        sentences: int64, indices of the sentences to look at; None = all.
    """
    for _, batch in looked_at(model, encoded, pad_token_id, sentences):
        with model.autocast():
            features_ND, logits_NC = model(batch)
        yield batch, features_ND, logits_NC


def predict(
    model: TokenClassifier, encoded: EncodedCorpus, pad_token_id: int
) -> npt.NDArray[np.int64]:
    """Return the likeliest class of each kept word of a corpus, in corpus order."""
    labels = torch.zeros(int(encoded.word_offsets[-1]), dtype=torch.int64, device=model.device)
    for batch, _, logits_NC in passes(model, encoded, pad_token_id):
        labels[batch.word_index_N] = logits_NC.argmax(dim=-1)
    return np.asarray(labels.cpu().numpy())


def class_shares(
    model: TokenClassifier, encoded: EncodedCorpus, pad_token_id: int, *, most_sentences: int
) -> tuple[Tensor, Tensor]:
    """Return the mean probability of each class, and the share of tokens that it is likeliest for.

    Args:
        model: The model.
        encoded: The corpus.
        pad_token_id: Of the tokenizer.
        most_sentences: Sentences that are looked at, evenly spread over the corpus.

    Returns:
        Two distributions, float, (C,).
    """
    chosen = np.linspace(0, len(encoded) - 1, min(most_sentences, len(encoded)))
    sums_2C, total = torch.zeros(2, model.num_classes, device=model.device), 0
    for _, _, logits_NC in passes(model, encoded, pad_token_id, chosen.round().astype(np.int64)):
        sums_2C[0] += torch.softmax(logits_NC.float(), dim=-1).sum(dim=0)
        sums_2C[1] += torch.bincount(logits_NC.argmax(dim=-1), minlength=model.num_classes)
        total += len(logits_NC)
    mean_C, likeliest_C = sums_2C / max(total, 1)
    return mean_C, likeliest_C


def predict_in_two_ways(
    model: TokenClassifier, encoded: EncodedCorpus, pad_token_id: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return what `predict` does and, from the same pass, the likeliest valid IOB2 tags."""
    labels = torch.zeros(2, int(encoded.word_offsets[-1]), dtype=torch.int64, device=model.device)
    for batch, _, logits_NC in passes(model, encoded, pad_token_id):
        labels[0, batch.word_index_N] = logits_NC.argmax(dim=-1)
        probabilities_NC = torch.softmax(logits_NC.float(), dim=-1)
        labels[1, batch.word_index_N] = likeliest_tags(probabilities_NC, batch.places)
    independent, valid = labels.cpu().numpy()
    return independent, valid


def probabilities(model: TokenClassifier, encoded: EncodedCorpus, pad_token_id: int) -> Tensor:
    """Return class probabilities (num_kept_words, C), float32, in corpus order, on CPU."""
    shape = (int(encoded.word_offsets[-1]), model.num_classes)
    result = torch.zeros(shape, device=model.device)
    for batch, _, logits_NC in passes(model, encoded, pad_token_id):
        result[batch.word_index_N] = torch.softmax(logits_NC.float(), dim=-1)
    return result.cpu()


def features(model: TokenClassifier, encoded: EncodedCorpus, pad_token_id: int) -> Tensor:
    """Return features (num_kept_words, D), float32, before dropout, in corpus order, on CPU."""
    shape = (int(encoded.word_offsets[-1]), model.num_features)
    result = torch.zeros(shape, device=model.device)
    for batch, features_ND, _ in passes(model, encoded, pad_token_id):
        result[batch.word_index_N] = features_ND.float()
    return result.cpu()


def mean_features(model: TokenClassifier, encoded: EncodedCorpus, pad_token_id: int) -> Tensor:
    """Return the mean feature of each sentence's kept words, float32, (sentences, D), on CPU.

    A sentence of which no word is kept has zeros.
    """
    sums_SD = torch.zeros(len(encoded), model.num_features, device=model.device)
    sentence_of = np.repeat(np.arange(len(encoded)), np.diff(encoded.word_offsets))
    index_of = torch.from_numpy(sentence_of).to(model.device)
    for batch, features_ND, _ in passes(model, encoded, pad_token_id):
        sums_SD.index_add_(0, index_of[batch.word_index_N], features_ND.float())
    counts_S = torch.from_numpy(np.diff(encoded.word_offsets)).to(model.device)
    return (sums_SD / counts_S.clamp_min(1).unsqueeze(1)).cpu()


def corpus_prototypes(
    model: TokenClassifier,
    encoded: EncodedCorpus,
    pad_token_id: int,
    weights: Callable[[Batch, Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """Return prototypes (C, D) and masses (C,) over a whole corpus, Eq. (3) or (4).

    Args:
        model: Gives features, in eval mode.
        encoded: The corpus.
        pad_token_id: Of the tokenizer.
        weights: From a batch and its logits to the weights (N, C) of Eq. (4).
    """
    num_classes, num_features = model.num_classes, model.num_features
    sums_CD = torch.zeros(num_classes, num_features, device=model.device)
    mass_C = torch.zeros(num_classes, device=model.device)
    for batch, features_ND, logits_NC in passes(model, encoded, pad_token_id):
        part_CD, part_C = class_sums(features_ND.float(), weights(batch, logits_NC).float())
        sums_CD += part_CD
        mass_C += part_C
    return means_of_sums(sums_CD, mass_C), mass_C
