"""Text that nothing learned from: what a finished student of raw text is judged on."""

from __future__ import annotations

from prokd.data import Corpus
from prokd.training.corpora import Corpora


class HeldOut(Corpora):
    """Corpora whose target train is what was held out of it."""

    def corpus(self, language: str, split: str, *, labelled: bool = True) -> Corpus:
        """Read a split, as `Texts.corpus` does; for target train what was held out."""
        is_text = language == self.config.target and split == "train" and not labelled
        return super().corpus(language, "dev" if is_text else split, labelled=labelled)


def on_held_out(corpora: Corpora) -> HeldOut | None:
    """Return corpora with held-out text in place of target train.

    None unless the target is a corpus of raw text that has some: of any other target the text
    that a student learned from is all that is known to be without labels.
    """
    if corpora.judged_text is None:
        return None
    return HeldOut(corpora.config, corpora.runtime, tag_set=corpora.tag_set)
