"""Tags for new sentences, from a stage folder or an exported Hugging Face folder."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForTokenClassification, PreTrainedTokenizerFast

from prokd import artifact
from prokd.config import EncoderConfig, RuntimeConfig
from prokd.data import Corpus, encode_corpus
from prokd.encoder import TokenClassifier
from prokd.encoder_files import load_tokenizer
from prokd.errors import UserError
from prokd.evaluation import device_of, probabilities
from prokd.labels import TagSet
from prokd.layers import usable_positions
from prokd.runs import read_json
from prokd.sequences import Places, likeliest_tags

WORD = re.compile(r"\w+(?:[-'\u2019]\w+)*|[^\w\s]")


@dataclass(frozen=True)
class TaggedSentence:
    """Words, their tags, and the probability of each tag (0 for words beyond the length limit)."""

    words: list[str]
    tags: list[str]
    scores: list[float]


class Tagger:
    """A trained model that tags sentences.

    Args:
        folder: A finished run (``stage.json``) or an export (``config.json``).
        runtime: The device.
        encoder: The base encoder of a run, if it no longer lies where it lay in training.

    Raises:
        UserError: The folder is neither.
    """

    def __init__(
        self, folder: Path, runtime: RuntimeConfig | None = None, encoder: str | None = None
    ) -> None:
        """Load the model."""
        runtime = runtime or RuntimeConfig()
        self.model: TokenClassifier
        self.tokenizer: PreTrainedTokenizerFast
        if (folder / artifact.STAGE_FILE).is_file():
            description = artifact.describe(folder)
            name = encoder or description["encoder"]["name"]
            self.model = artifact.load(folder, EncoderConfig(name=name), runtime)
            if self.model.device.type == "cpu":  # few CPUs are quicker in what a GPU trained in
                self.model.precision = "fp32"
            self.tokenizer = load_tokenizer(name)
            self.tag_set = TagSet(tuple(description["entity_types"]))
            self.max_length = int(description["max_length"])
        elif (folder / "config.json").is_file():
            self._load_export(folder, runtime)
        else:
            raise UserError(
                f"a model folder must hold {artifact.STAGE_FILE} (a run) or config.json "
                f"(an export), but {folder} holds neither."
            )

    def _load_export(self, folder: Path, runtime: RuntimeConfig) -> None:
        plain = AutoModelForTokenClassification.from_pretrained(folder, dtype=torch.float32)
        names = [plain.config.id2label[index] for index in range(plain.config.num_labels)]
        self.tag_set = TagSet(tuple(name[2:] for name in names if name.startswith("B-")))
        if tuple(names) != self.tag_set.names:
            raise UserError(f"the labels of {folder} must be O, B-X, I-X ..., but got {names}.")
        body = getattr(plain, plain.base_model_prefix)
        self.model = TokenClassifier(body, len(names), dropout=0.0)
        self.model.classifier.load_state_dict(plain.classifier.state_dict())
        self.model = self.model.to(device_of(runtime)).eval()
        self.tokenizer = load_tokenizer(str(folder))
        description = read_json(folder / "prokd.json") or {}
        self.max_length = description.get(
            "max_length", min(usable_positions(plain.config) or 512, 512)
        )

    def tag(
        self, sentences: Sequence[Sequence[str]], *, valid: bool = True
    ) -> list[TaggedSentence]:
        """Tag sentences that are split into words; those without words stay empty.

        Args:
            sentences: Words of each.
            valid: Take the likeliest valid IOB2 tags of a sentence, instead of the likeliest tag
                of each word by itself, which may leave an I- tag without its B-.
        """
        words = [list(sentence) for sentence in sentences]
        if not any(words):
            return [TaggedSentence([], [], []) for _ in words]
        corpus = Corpus("xx", "test", words, None, "input", "")
        pad = int(self.tokenizer.pad_token_id or 0)
        with tempfile.TemporaryDirectory() as cache:
            encoded = encode_corpus(
                corpus,
                self.tokenizer,
                self.tag_set,
                max_length=self.max_length,
                cache_dir=Path(cache),
            )
            values_NC = probabilities(self.model, encoded, pad)
        places = Places.of_lengths(np.diff(encoded.word_offsets).tolist()) if valid else None
        classes = values_NC.argmax(dim=-1) if places is None else likeliest_tags(values_NC, places)
        best = values_NC.gather(1, classes[:, None])[:, 0]
        result = []
        for number, sentence in enumerate(words):
            first, end = encoded.word_offsets[number], encoded.word_offsets[number + 1]
            tags = [self.tag_set.names[index] for index in classes[first:end].tolist()]
            cut = len(sentence) - len(tags)
            scores = [*best[first:end].tolist(), *([0.0] * cut)]
            result.append(TaggedSentence(sentence, tags + ["O"] * cut, scores))
        return result


def split_words(text: str) -> list[str]:
    """Split raw text into words and punctuation marks.

    >>> split_words("Anna lives in St. Paul.")
    ['Anna', 'lives', 'in', 'St', '.', 'Paul', '.']
    """
    return WORD.findall(text)


def as_conll(sentences: Iterable[TaggedSentence]) -> str:
    """Format as two columns, a blank line after each sentence."""
    return "".join(
        "".join(f"{word}\t{tag}\n" for word, tag in zip(item.words, item.tags, strict=True)) + "\n"
        for item in sentences
    )


def entities(sentence: TaggedSentence) -> list[dict[str, object]]:
    """Return the entities of a tagged sentence: type, text, first word, word after the last."""
    result: list[dict[str, object]] = []
    start, kind = 0, ""
    for position, tag in enumerate([*sentence.tags, "O"]):
        if kind and tag != f"I-{kind}":
            text = " ".join(sentence.words[start:position])
            result.append({"type": kind, "text": text, "start": start, "end": position})
            kind = ""
        if tag != "O" and not kind:
            start, kind = position, tag[2:]
    return result
