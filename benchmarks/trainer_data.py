"""What the strong rival reads and scores: data sets for `Trainer`, Viterbi over a split, seqeval.

# S sentences, L subwords of the longest one, W words of the longest one, N words in all, C classes
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from datasets import Dataset
from scipy.special import log_softmax
from seqeval.metrics import f1_score

from prokd.config import ExperimentConfig
from prokd.data import Corpus
from prokd.data.labels import TagSet
from prokd.encoder.files import load_tokenizer
from prokd.training.corpora import Corpora

PADDING_LABEL = -100


@dataclass(frozen=True)
class Split:
    """A split, its longest sentences first, so that neighbours in a batch are of one length.

    Args:
        dataset: Of each sentence ``input_ids``, ``attention_mask``, ``labels`` (the class of each
            word at its first subword, 0 without labels, `PADDING_LABEL` elsewhere), ``first_row``
            (number of labelled words before it) and ``length`` in subwords.
        order: int64, (S,), number of each sentence in the corpus.
        kept: int64, (N,), of each labelled word its number among all words of the split; words
            beyond the length limit have no label.
        ends: int64, (S,), number of words up to the end of each sentence.
        tags: Gold tags of all words; None without labels.
    """

    dataset: Dataset
    order: npt.NDArray[np.int64]
    kept: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    tags: list[list[str]] | None

    def sentences(self, tags_N: npt.NDArray[np.integer], tag_set: TagSet) -> list[list[str]]:
        """Return the tags of each sentence by name; words without a prediction are "O"."""
        all_tags = np.zeros(self.ends[-1], dtype=np.int64)
        all_tags[self.kept] = tags_N
        names = np.array(tag_set.names, dtype=object)[all_tags]
        return [part.tolist() for part in np.split(names, self.ends[:-1])]

    def scores(
        self,
        independent_N: npt.NDArray[np.integer],
        valid_N: npt.NDArray[np.integer] | None,
        tag_set: TagSet,
    ) -> dict[str, float]:
        """Return entity F1 by seqeval, of tags by themselves and, if given, of valid sequences."""
        ways = {"entity_f1": independent_N, "entity_f1_viterbi": valid_N}
        return {
            name: float(f1_score(self.tags, self.sentences(tags_N, tag_set), zero_division=0))
            for name, tags_N in ways.items()
            if tags_N is not None
        }


@dataclass(frozen=True)
class Data:
    """All that a point reads."""

    tokenizer: Any
    tag_set: TagSet
    source_train: Split
    source_dev: Split
    target_train: Split
    target_test: Split

    @classmethod
    def read(cls, config: ExperimentConfig, corpora: Corpora) -> Data:
        """Read the corpora of an experiment and split their words into subwords."""
        tokenizer, tag_set = load_tokenizer(config.encoder.name), corpora.tag_set

        def split(language: str, name: str, *, labelled: bool = True) -> Split:
            corpus = corpora.corpus(language, name, labelled=labelled)
            return split_of(corpus, tokenizer, tag_set, config.data.max_length)

        return cls(
            tokenizer,
            tag_set,
            split(config.source, "train"),
            split(config.source, "dev"),
            split(config.target, "train", labelled=False),
            split(config.target, "test"),
        )


def split_of(corpus: Corpus, tokenizer: Any, tag_set: TagSet, length: int) -> Split:
    """Split the words of a corpus into subwords, all sentences in one call of the tokenizer."""
    encoded = tokenizer(
        [list(words) for words in corpus.words],
        is_split_into_words=True,
        truncation=True,
        max_length=length,
    )
    lengths = np.array([len(ids) for ids in encoded["input_ids"]])
    order = np.argsort(-lengths, kind="stable")
    num_words = np.array([len(corpus.words[number]) for number in order])
    ends = np.cumsum(num_words)
    labels, kept, counts = [], [], []
    for number, before in zip(order, ends - num_words, strict=True):
        words = np.array([-1 if w is None else w for w in encoded.word_ids(int(number))])
        firsts = (words >= 0) & (words != np.append(-1, words[:-1]))
        own = np.full(len(words), PADDING_LABEL)
        own[firsts] = 0
        if corpus.tags is not None:
            tags = tag_set.indices(list(corpus.tags[number]))
            own[firsts] = np.array(tags)[words[firsts]]
        labels.append(own.tolist())
        kept.append(words[firsts] + before)
        counts.append(int(firsts.sum()))
    dataset = Dataset.from_dict(
        {
            "input_ids": [encoded["input_ids"][number] for number in order],
            "attention_mask": [encoded["attention_mask"][number] for number in order],
            "labels": labels,
            "first_row": np.cumsum([0, *counts[:-1]]),
            "length": lengths[order],
        }
    )
    tags = None if corpus.tags is None else [list(corpus.tags[number]) for number in order]
    return Split(dataset, order, np.concatenate(kept), ends, tags)


def decode(
    logits_SLC: npt.NDArray[np.floating], labels_SL: npt.NDArray[np.integer]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the likeliest class of each word and the likeliest valid ones, both int64, (N,).

    Args:
        logits_SLC: float, (S, L, C), as `Trainer.predict` gives them.
        labels_SL: int, (S, L); words are where it is not `PADDING_LABEL`.
    """
    words_SL = labels_SL != PADDING_LABEL
    logits_NC, counts_S = logits_SLC[words_SL], words_SL.sum(axis=1)
    exists_SW = np.arange(max(counts_S.max(), 1)) < counts_S[:, None]
    scores_SWC = np.zeros((*exists_SW.shape, logits_NC.shape[-1]), dtype=logits_NC.dtype)
    scores_SWC[exists_SW] = log_softmax(logits_NC, axis=-1)
    return logits_NC.argmax(axis=-1), viterbi(scores_SWC, exists_SW)[exists_SW]


def viterbi(
    scores_SWC: npt.NDArray[np.floating], exists_SW: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Return the likeliest valid IOB2 tags of all sentences at once, int64, (S, W).

    Args:
        scores_SWC: float, (S, W, C), log probabilities; classes as in `labels.TagSet`.
        exists_SW: bool, (S, W), which words there are, from the left.
    """
    num_classes = scores_SWC.shape[-1]
    steps_CC = np.zeros((num_classes, num_classes), dtype=scores_SWC.dtype)
    for inside in range(2, num_classes, 2):
        steps_CC[:, inside] = -np.inf
        steps_CC[inside - 1 : inside + 1, inside] = 0
    best_SC = scores_SWC[:, 0] + steps_CC[0]  # a sentence begins as behind an "O"
    origins = []
    for word in range(1, scores_SWC.shape[1]):
        here_S1 = exists_SW[:, word, None]
        moved_SCC = best_SC[:, :, None] + steps_CC
        origin_SC = moved_SCC.argmax(axis=1)
        moved_SC = np.take_along_axis(moved_SCC, origin_SC[:, None], axis=1)[:, 0]
        best_SC = np.where(here_S1, moved_SC + scores_SWC[:, word], best_SC)
        origins.append(np.where(here_S1, origin_SC, np.arange(num_classes)))
    tags = [best_SC.argmax(axis=-1)]
    for origin_SC in reversed(origins):
        tags.append(np.take_along_axis(origin_SC, tags[-1][:, None], axis=1)[:, 0])
    return np.stack(tags[::-1], axis=1)
