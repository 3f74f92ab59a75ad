"""Tags for new sentences, from a stage folder or an exported Hugging Face folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForTokenClassification, PreTrainedTokenizerFast

from prokd.common.files import read_json
from prokd.config import EncoderConfig, RuntimeConfig
from prokd.data import Corpus, EncodedCorpus, encode_corpus
from prokd.data.inputs import Sentence
from prokd.data.labels import TagSet
from prokd.data.windows import likeliest_tags_of_long, windows_of
from prokd.encoder import artifact
from prokd.encoder.check import check_weights
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.device import device_of
from prokd.encoder.files import encoder_settings, load_tokenizer
from prokd.encoder.layers import most_subwords
from prokd.encoder.plain_model import POOLER, body_of, check_plain
from prokd.errors import UserError
from prokd.scoring.evaluation import features, probabilities

Compute = Callable[[TokenClassifier, EncodedCorpus, int], Tensor]
UNNAMED = re.compile(r"LABEL_\d+")
"""What transformers calls the classes of a model that nobody trained to tell any."""


@dataclass(frozen=True)
class TaggedSentence:
    """Words, their tags, and the probability of each tag."""

    words: list[str]
    tags: list[str]
    scores: list[float]


class Tagger:
    """A trained model that tags sentences, of any length (see `windows.windows_of`).

    Attributes:
        tag_set: The model's tags, in the order of its classes.
        language: The target language that it was trained for; "" if its folder does not say.

    Args:
        folder: A finished run (``stage.json``) or an export (``config.json``).
        runtime: The device.
        encoder: The base encoder of a run, if it no longer lies where it lay in training.

    Raises:
        UserError: The folder is neither, or its run is not finished.
    """

    def __init__(
        self, folder: Path, runtime: RuntimeConfig | None = None, encoder: str | None = None
    ) -> None:
        """Load the model."""
        runtime = runtime or RuntimeConfig()
        self.model: TokenClassifier
        self.tokenizer: PreTrainedTokenizerFast
        description: dict[str, Any]
        if (folder / artifact.STAGE_FILE).is_file():
            description = artifact.describe(folder)
            name = encoder or description["encoder"]["name"]
            self.model = artifact.load(folder, EncoderConfig(name=name), runtime)
            if self.model.device.type == "cpu":  # few CPUs are quicker in what a GPU trained in
                self.model.precision = "fp32"
            self.tokenizer = load_tokenizer(name)
            self.tag_set = TagSet(tuple(description["entity_types"]))
            self.max_length = int(description["max_length"])
        elif (folder / "identity.json").is_file():
            raise UserError(
                f"a run must be finished before it can tag, but {folder} is not (running its "
                f"command again goes on with it)."
            )
        elif (folder / "config.json").is_file():
            description = read_json(folder / "prokd.json") or {}
            self._load_export(folder, runtime, description)
        else:
            raise UserError(
                f"a model folder must hold {artifact.STAGE_FILE} (a run) or config.json "
                f"(an export), but {folder} holds neither."
            )
        self.language = str(description.get("target") or "")

    def _load_export(
        self, folder: Path, runtime: RuntimeConfig, description: dict[str, Any]
    ) -> None:
        plain = _load_plain(folder)
        names = [plain.config.id2label[index] for index in range(plain.config.num_labels)]
        self.tag_set = TagSet(tuple(name[2:] for name in names if name.startswith("B-")))
        if tuple(names) != self.tag_set.names:
            raise UserError(f"the labels of {folder} must be O, B-X, I-X ..., but got {names}.")
        self.model = TokenClassifier(body_of(plain), len(names), dropout=0.0)
        self.model.classifier.load_state_dict(plain.classifier.state_dict())
        self.model = self.model.to(device_of(runtime)).eval()
        self.tokenizer = load_tokenizer(str(folder))
        longest = most_subwords(plain.config, self.tokenizer)
        self.max_length = description.get("max_length", longest)

    def probabilities(self, sentences: Sequence[Sequence[str]]) -> Tensor:
        """Return the probabilities (W, C), float32, on the CPU, of all words of some sentences."""
        return self._of_words(sentences, probabilities, len(self.tag_set))

    def features(self, sentences: Sequence[Sequence[str]]) -> Tensor:
        """Return the features (W, D), float32, on the CPU, of the words' first subwords."""
        return self._of_words(sentences, features, self.model.num_features)

    def _of_words(
        self, sentences: Sequence[Sequence[str]], compute: Compute, width: int
    ) -> Tensor:
        windows = windows_of([list(words) for words in sentences], self.tokenizer, self.max_length)
        if not windows.words:
            return torch.zeros(0, width)
        corpus = Corpus("xx", "test", windows.words, None, "input", "")
        pad = int(self.tokenizer.pad_token_id or 0)
        encoded = encode_corpus(
            corpus, self.tokenizer, self.tag_set, max_length=self.max_length, cache_dir=None
        )
        return compute(self.model, encoded, pad)[torch.from_numpy(windows.row_W)]

    def tag(
        self, sentences: Sequence[Sequence[str]], *, valid: bool = True
    ) -> list[TaggedSentence]:
        """Tag sentences that are split into words; those without words stay empty.

        Args:
            sentences: Words of each.
            valid: Take the likeliest valid IOB2 tags of a sentence, instead of the likeliest tag
                of each word by itself, which may leave an I- tag without its B-.
        """
        values_WC = self.probabilities(sentences)
        lengths = [len(words) for words in sentences]
        classes = likeliest_tags_of_long(values_WC, lengths) if valid else values_WC.argmax(dim=-1)
        best = values_WC.gather(1, classes[:, None])[:, 0].tolist()
        tags = [self.tag_set.names[index] for index in classes.tolist()]
        result, first = [], 0
        for words in sentences:
            end = first + len(words)
            result.append(TaggedSentence(list(words), tags[first:end], best[first:end]))
            first = end
        return result


def _load_plain(folder: Path) -> Any:
    """Load a token classifier that anybody trained; UserError if its folder holds none."""
    names = encoder_settings(str(folder)).id2label.values()
    if all(UNNAMED.fullmatch(str(name)) for name in names):
        raise UserError(
            f"{folder} must be a trained tagger, but is an encoder without one: its config.json "
            f"names no tags (a run or an export is what can tag)."
        )
    check_weights(folder)
    try:
        plain, report = AutoModelForTokenClassification.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:  # which errors come through depends on the format of the file
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(f"no exported model can be loaded from {folder}: {reason}") from None
    check_plain(plain)
    missing = sorted(name for name in report["missing_keys"] if f".{POOLER}" not in name)
    if missing:
        raise UserError(
            f"the weights in {folder} must be those of a trained tagger, but {missing[0]} is "
            f"missing."
        )
    return plain


def as_conll(
    sentences: Iterable[TaggedSentence], gold: Sequence[Sequence[str]] | None = None
) -> str:
    """Format as columns, a blank line after each sentence: words, gold tags if given, tags.

    Args:
        sentences: What was tagged.
        gold: The tags that the data has of each sentence.

    Raises:
        UserError: A word of tokenised input holds a tab or a line end.
    """
    lines = []
    for number, item in enumerate(sentences):
        columns = [item.tags] if gold is None else [gold[number], item.tags]
        for word, *tags in zip(item.words, *columns, strict=True):
            if "\t" in word or "\n" in word or "\r" in word:
                raise UserError(
                    f"a word in columns must hold no tab and no line end, but got {word!r} "
                    f"(use JSON: --format)."
                )
            lines.append("\t".join([word, *tags]) + "\n")
        lines.append("\n")
    return "".join(lines)


def as_record(sentence: Sentence, tagged: TaggedSentence) -> dict[str, object]:
    """Return a tagged sentence as a JSON object.

    Returns:
        ``line`` (number, from 1), ``text``, and for each word ``words``, ``tags``, ``scores``,
        ``start`` and ``end``; ``entities`` as `entities` returns them.
    """
    return {
        "line": sentence.line,
        "text": sentence.text,
        "words": tagged.words,
        "tags": tagged.tags,
        "scores": [round(score, 4) for score in tagged.scores],
        "start": [word.start for word in sentence.words],
        "end": [word.end for word in sentence.words],
        "entities": entities(sentence, tagged.tags),
    }


def entities(sentence: Sentence, tags: Sequence[str]) -> list[dict[str, object]]:
    """Return the entities of a tagged sentence.

    Returns:
        Of each its ``type``, ``text``, its place in the text of the sentence in characters
        (``start``, ``end``), its first word and the word after the last (``first_word``,
        ``end_word``).
    """
    result: list[dict[str, object]] = []
    first, kind = 0, ""
    for position, tag in enumerate([*tags, "O"]):
        if kind and tag != f"I-{kind}":
            start, end = sentence.words[first].start, sentence.words[position - 1].end
            result.append(
                {
                    "type": kind,
                    "text": sentence.text[start:end],
                    "start": start,
                    "end": end,
                    "first_word": first,
                    "end_word": position,
                }
            )
            kind = ""
        if tag != "O" and not kind:
            first, kind = position, tag[2:]
    return result
