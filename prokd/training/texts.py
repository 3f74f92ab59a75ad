"""The text that an experiment's stages learn from, and its fingerprints."""

from __future__ import annotations

import hashlib
from functools import cached_property

from prokd.config import ExperimentConfig, RuntimeConfig, TranslationConfig
from prokd.data import Corpus
from prokd.data.translation.words import Translation, paired
from prokd.encoder.fingerprint import encoder_fingerprint
from prokd.errors import MissingLanguageError, MissingSplitError, UserError
from prokd.method import (
    ENCODER,
    PAIRED_TRAIN,
    SOURCE_DEV,
    SOURCE_TRAIN,
    TARGET_TRAIN,
    TRANSLATED_TRAIN,
)
from prokd.methods import lacking, needed_corpora
from prokd.training.corpus_files import read_split
from prokd.training.translations import check_kept, translated, translation


class Texts:
    """The corpora of one experiment as words and tags, read when first needed.

    Raises:
        UserError: From any property, on bad data.
    """

    def __init__(self, config: ExperimentConfig, runtime: RuntimeConfig) -> None:
        """Name the corpora; nothing is read yet.

        Args:
            config: Names data set, languages and limits.
            runtime: Where they lie.
        """
        self.config, self.runtime = config, runtime

    def corpus(self, language: str, split: str, *, labelled: bool = True) -> Corpus:
        """Read a split, cut to the experiment's limits.

        What is read without labels may be a corpus of raw text; nothing else is.
        """
        data = self.config.data
        limit = data.evaluation_limit
        if split == "train":
            is_source = language in self.config.sources and labelled
            limit = data.source_train_limit if is_source else data.target_train_limit
        folders = tuple(self.runtime.data_dirs)
        if not labelled and language in self.runtime.texts:
            folders = (self.runtime.texts[language],)
        form = self.runtime.separator, self.runtime.tag_column
        return read_split(data.dataset, language, split, folders, labelled, limit, *form)

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """Names of all that the stages of the experiment read."""
        return needed_corpora(self.config)

    def fingerprints(self) -> dict[str, str]:
        """Return hashes of all that training reads; target labels are not among it."""
        return {name: self._fingerprint(name) for name in self.needed}

    def _fingerprint(self, name: str) -> str:
        role, _, language = name.partition("/")
        if role == ENCODER:
            return encoder_fingerprint(self.config.encoder.name)
        if role == TARGET_TRAIN:
            return self._of_target()
        if role == TRANSLATED_TRAIN:
            return self.translated.fingerprint
        if role == PAIRED_TRAIN:
            return self.paired.fingerprint
        assert role in (SOURCE_TRAIN, SOURCE_DEV), f"there is no corpus {name}"
        split = "train" if role == SOURCE_TRAIN else "dev"
        return self.corpus(language or self.config.source, split).fingerprint

    def _of_target(self) -> str:
        """Return the hash of target train; of raw text with what was held out of it."""
        learned, held_out = self.target_text.fingerprint, self.judged_text
        if held_out is None:
            return learned
        return hashlib.sha256(f"{learned} {held_out.fingerprint}".encode()).hexdigest()[:16]

    @cached_property
    def judged_text(self) -> Corpus | None:
        """What was held out of raw text of the target, to judge a student on; None = nothing."""
        if self.config.target not in self.runtime.texts:
            return None
        return None if self.held_out_text is self.target_text else self.held_out_text

    @property
    def target_text(self) -> Corpus:
        """Target sentences, whose labels are not read."""
        return self.corpus(self.config.target, "train", labelled=False)

    @cached_property
    def held_out_text(self) -> Corpus:
        """Target sentences to look at, without labels: those of dev, else those of train."""
        try:
            found = self.corpus(self.config.target, "dev", labelled=False)
        except (MissingLanguageError, MissingSplitError):
            return self.target_text
        return found if len(found) else self.target_text

    @cached_property
    def translated(self) -> Corpus:
        """Labelled source sentences, translated word by word into the target's language."""
        return translated(*self._to_translate(), runtime=self.runtime)

    def translation(self) -> Translation:
        """Return the same made anew, with the counts of its words."""
        return translation(*self._to_translate(), runtime=self.runtime)

    def _to_translate(self) -> tuple[Corpus, Corpus, TranslationConfig]:
        """Return source, target text and settings; UserError without a dictionary."""
        if (lack := lacking(self.config, self.runtime)) is not None:
            raise UserError(f"{lack}.")
        settings = getattr(self.config, "translation", TranslationConfig())
        source = self.corpus(self.config.source, "train")
        check_kept(settings, source)
        return source, self.target_text, settings

    @cached_property
    def paired(self) -> Corpus:
        """Labelled source sentences, then their translations in the same order."""
        return paired(self.corpus(self.config.source, "train"), self.translated)
