"""What an experiment reads: labelled source, unlabelled target text, test splits at the end.

No labelled target file is needed anywhere: a test split that is not there is not scored.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from prokd.config import ExperimentConfig, RuntimeConfig
from prokd.data import Corpus, EncodedCorpus, check_same_types, encode_corpus
from prokd.data.labels import TagSet
from prokd.encoder.check import check_encoder
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.files import load_tokenizer
from prokd.encoder.fingerprint import encoder_fingerprint
from prokd.encoder.frozen import with_frozen_features
from prokd.encoder.unknown import warn_of_unknown
from prokd.errors import (
    MissingLanguageError,
    MissingSplitError,
    UnlabelledError,
    UserError,
)
from prokd.method import PAIRED_TRAIN, SOURCE_TRAIN, TARGET_TRAIN, TRANSLATED_TRAIN
from prokd.methods import graph_of
from prokd.runs.folder import ESTIMATE
from prokd.scoring.evaluation import LabelledSplit, probabilities
from prokd.scoring.f1_estimate import estimate_f1
from prokd.training.corpus_files import write_counts
from prokd.training.texts import Texts


class Corpora(Texts):
    """The corpora of one experiment, read when first needed, and as subwords.

    Target train is read without labels; labels of target test are read by `report` alone, when
    training and choosing are over.

    Raises:
        UserError: From any property, on bad data.
    """

    def __init__(
        self, config: ExperimentConfig, runtime: RuntimeConfig, *, tag_set: TagSet | None = None
    ) -> None:
        """Name the corpora; nothing is read yet.

        Args:
            config: Names data set, languages and limits.
            runtime: Where they lie.
            tag_set: The tags; None = those of source train.
        """
        super().__init__(config, runtime)
        self._tag_set = tag_set
        self._tests: dict[str, tuple[Corpus | None, str]] = {}

    def check(self, *, oracle: bool = False) -> None:
        """Make sure, before anything is trained, that all needed is there and all there is right.

        Args:
            oracle: Whether labelled target dev is needed too.

        Raises:
            UserError: A needed split that is missing, any labelled split that is malformed or has
                entity types that source train does not have, a source without entities, an
                encoder that cannot be loaded, trained or exported.
        """
        source, target = self.config.source, self.config.target
        for spec in graph_of(self.config).stages:
            spec.function()  # what builds it can be imported
        read = [self.corpus(language, "train") for language in self.config.sources]
        for train in read:
            if not train.entity_types:
                raise UserError(
                    f"{train.origin}: the labelled source must have an entity, but got none in "
                    f"{len(train)} sentences."
                )
        train = read[0]
        check_same_types(*read)
        if TARGET_TRAIN in self.needed:
            read.append(self.target_text)
        check_encoder(self.config.encoder, self.config.data.max_length)
        self.fingerprints()
        tests = [self.test(source)[0], self.test(target)[0]]
        devs = [self.corpus(language, "dev") for language in self.config.sources]
        labelled = [*devs, *filter(None, tests)]
        labelled += [self.corpus(target, "dev")] if oracle else []
        check_same_types(train, *labelled, exact=False)
        for corpus in read:
            warn_of_unknown(corpus, self.config.encoder.name)

    def test(self, language: str) -> tuple[Corpus | None, str]:
        """Return a labelled test split; None, and why, if there is none."""
        if language not in self._tests:
            try:
                self._tests[language] = self.corpus(language, "test"), ""
            except (MissingSplitError, UnlabelledError) as error:
                self._tests[language] = None, str(error)
            except MissingLanguageError as error:
                if language not in self.runtime.texts:
                    raise
                self._tests[language] = None, str(error)
        return self._tests[language]

    def not_scored(self) -> dict[str, str]:
        """Return the languages that have no labelled test split, with the reason."""
        reasons = {lang: self.test(lang)[1] for lang in (self.config.source, self.config.target)}
        return {language: reason for language, reason in reasons.items() if reason}

    @cached_property
    def tag_set(self) -> TagSet:
        """The tags, from the labels of source train unless they were given."""
        if self._tag_set is not None:
            return self._tag_set
        tags = self.corpus(self.config.source, "train").tags
        assert tags is not None, "source train is read with its labels"
        return TagSet.of_tags(tag for sentence in tags for tag in sentence)

    @property
    def pad_token_id(self) -> int:
        """Of the encoder's tokenizer."""
        return int(load_tokenizer(self.config.encoder.name).pad_token_id or 0)

    @cached_property
    def source_train(self) -> EncodedCorpus:
        """Labelled source sentences."""
        return self._encode(self.corpus(self.config.source, "train"))

    @cached_property
    def source_dev(self) -> LabelledSplit:
        """Labelled source sentences that select."""
        return self._split(self.config.source, "dev")

    @cached_property
    def target_train(self) -> EncodedCorpus:
        """Target sentences without labels."""
        return self._encode(self.target_text)

    def training(self, name: str) -> EncodedCorpus:
        """Return what a stage learns from, by the name that `prokd.method` gives it."""
        if name == TARGET_TRAIN:
            return self.target_train
        if name == SOURCE_TRAIN:
            return self.source_train
        assert name in (TRANSLATED_TRAIN, PAIRED_TRAIN), f"nothing learns from {name}"
        return self._encode(self.translated if name == TRANSLATED_TRAIN else self.paired)

    def training_text(self, language: str) -> EncodedCorpus:
        """Return the training sentences of a source or of the target, the latter's unlabelled."""
        is_source = language in self.config.sources
        return self._encode(self.corpus(language, "train", labelled=is_source))

    def prepared(self, model: TokenClassifier, encoded: EncodedCorpus) -> EncodedCorpus:
        """Return a corpus with what the frozen part of a model makes of it, where that is kept."""
        return with_frozen_features(
            encoded,
            model,
            encoder_fingerprint=encoder_fingerprint(self.config.encoder.name),
            pad_token_id=self.pad_token_id,
            runtime=self.runtime,
        )

    def prepared_split(self, model: TokenClassifier, split: LabelledSplit) -> LabelledSplit:
        """Return a labelled split whose corpus is `prepared`."""
        return replace(split, encoded=self.prepared(model, split.encoded))

    def report_fingerprint(self) -> str:
        """Return a hash of the test corpora that a report is made on, or of what stands in."""
        digest = hashlib.blake2b(digest_size=8)
        for language in (self.config.source, self.config.target):
            corpus, _ = self.test(language)
            digest.update((corpus.fingerprint if corpus else "none").encode())
        if self.test(self.config.target)[0] is None:
            digest.update(self.held_out_text.fingerprint.encode())
        return digest.hexdigest()

    def oracle_fingerprint(self) -> str:
        """Return a hash of labelled target dev, which only an oracle reads."""
        return self.corpus(self.config.target, "dev").fingerprint

    def report(self, model: TokenClassifier, counts_file: Path) -> dict[str, float]:
        """Score a model on the test splits of target and source that are there.

        Args:
            model: A finished student or teacher.
            counts_file: Where the target's counts of each sentence go (npz), for paired tests;
                removed where the target has no labelled test split.

        Returns:
            ``test/<language>/<measure>`` for the measures of `metrics.flat_report`; of a target
            without a labelled test split ``estimate/<target>/<measure>``, see `estimate`.
        """
        result: dict[str, float] = {}
        counts: npt.NDArray[np.int64] | None = None
        for language in (self.config.source, self.config.target):
            counts = None
            if self.test(language)[0] is not None:
                split = self.prepared_split(model, self._split(language, "test"))
                scores, counts = split.full_report(model, self.pad_token_id)
                result |= {f"test/{language}/{name}": value for name, value in scores.items()}
        if counts is None:
            counts_file.unlink(missing_ok=True)
        else:
            write_counts(counts_file, counts)
        return result if counts is not None else result | self.estimate(model)

    def estimate(self, model: TokenClassifier) -> dict[str, float]:
        """Estimate a model's F1 on the target without a label of it, see `f1_estimate`.

        Returns:
            ``estimate/<target>/<measure>`` for those of `F1Estimate.measures`.
        """
        source = self.prepared(model, self.source_dev.encoded)
        target = self.prepared(model, self._encode(self.held_out_text))
        assert source.labels is not None, "source dev is read with its labels"
        found, _ = estimate_f1(
            probabilities(model, source, self.pad_token_id),
            np.diff(source.word_offsets).tolist(),
            source.labels,
            probabilities(model, target, self.pad_token_id),
            np.diff(target.word_offsets).tolist(),
            self.tag_set,
        )
        start = f"{ESTIMATE}/{self.config.target}"
        return {f"{start}/{name}": value for name, value in found.measures().items()}

    def scores(self, model: TokenClassifier, language: str, split: str) -> dict[str, float]:
        """Return `metrics.flat_report` of a model on any labelled split."""
        return self._split(language, split).full_report(model, self.pad_token_id)[0]

    def _split(self, language: str, split: str) -> LabelledSplit:
        corpus = self.corpus(language, split)
        return LabelledSplit(corpus, self._encode(corpus))

    def _encode(self, corpus: Corpus) -> EncodedCorpus:
        return encode_corpus(
            corpus,
            load_tokenizer(self.config.encoder.name),
            self.tag_set,
            max_length=self.config.data.max_length,
            cache_dir=self.runtime.cache_dir,
        )
