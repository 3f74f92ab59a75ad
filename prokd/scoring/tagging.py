"""Tags for new sentences, from a stage folder or an exported Hugging Face folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor
from transformers import AutoModelForTokenClassification, PreTrainedTokenizerFast

from prokd.common.files import STAGE_FILE, read_record
from prokd.common.places import check_model
from prokd.config import EncoderConfig, RuntimeConfig
from prokd.data import Corpus, EncodedCorpus, encode_corpus
from prokd.data.inputs import raw_sentence
from prokd.data.labels import TagSet
from prokd.data.windows import likeliest_tags_of_long, windows_of
from prokd.data.words import UNDETERMINED, check_language
from prokd.encoder import artifact
from prokd.encoder.check import check_vocabulary, check_weights
from prokd.encoder.classifier import TokenClassifier
from prokd.encoder.device import device_of
from prokd.encoder.files import encoder_settings, load_tokenizer
from prokd.encoder.layers import most_subwords
from prokd.encoder.plain_model import POOLER, body_of, check_plain
from prokd.errors import UserError
from prokd.scoring.evaluation import features, probabilities
from prokd.scoring.tagged_text import TaggedSentence, TextEntity, text_entities

Compute = Callable[[TokenClassifier, EncodedCorpus, int], Tensor]
STREAMED = 256
"""Texts that are tagged together where there are many."""
UNNAMED = re.compile(r"LABEL_\d+")
"""What transformers calls the classes of a model that nobody trained to tell any."""
_LAYER = re.compile(r"\.layers?\.\d+\.")
"""Weights of a layer of an encoder."""


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
        self,
        folder: str | os.PathLike[str],
        runtime: RuntimeConfig | None = None,
        encoder: str | None = None,
    ) -> None:
        """Load the model."""
        folder = Path(folder)
        check_model(folder)
        runtime = runtime or RuntimeConfig()
        self.model: TokenClassifier
        self.tokenizer: PreTrainedTokenizerFast
        description: dict[str, Any]
        if (folder / STAGE_FILE).is_file():
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
        else:
            description = read_record(folder / "prokd.json") or {}
            self._load_export(folder, runtime, description)
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
        check_vocabulary(self.model.encoder, self.tokenizer.get_vocab(), str(folder))
        longest = most_subwords(plain.config, self.tokenizer)
        self.max_length = description.get("max_length", longest)

    @overload
    def __call__(self, text: str, language: str | None = None) -> list[TextEntity]: ...

    @overload
    def __call__(
        self, text: list[str] | tuple[str, ...], language: str | None = None
    ) -> list[list[TextEntity]]: ...

    def __call__(
        self, text: str | list[str] | tuple[str, ...], language: str | None = None
    ) -> list[TextEntity] | list[list[TextEntity]]:
        """Return the entities of raw text; of several texts, those of each.

        Args:
            text: A sentence, or several, which are tagged together: quicker than one by one.
            language: Whose rules split words; None = the language that the model was trained for.

        Raises:
            UserError: An unknown language.
        """
        code = self.language or UNDETERMINED if language is None else check_language(language)
        texts = [text] if isinstance(text, str) else text
        sentences = [raw_sentence(given, language=code) for given in texts]
        tagged = self.tag([given.tokens for given in sentences])
        found = [text_entities(*pair) for pair in zip(sentences, tagged, strict=True)]
        return found[0] if isinstance(text, str) else found

    def stream(
        self, texts: Iterable[str], language: str | None = None
    ) -> Iterator[list[TextEntity]]:
        """Yield the entities of each of any number of texts, of which a few are held at a time.

        Args:
            texts: Read as far as entities are asked for, `STREAMED` ahead of it at most.
            language: As for a call.

        Raises:
            UserError: An unknown language, or one text in place of several.
        """
        if isinstance(texts, str):
            raise UserError(f"texts must be several, but got one: {texts[:40]!r}.")
        if language is not None:
            check_language(language)
        rest = iter(texts)
        parts = iter(lambda: list(islice(rest, STREAMED)), [])
        return (entities for some in parts for entities in self(some, language))

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
    strange = sorted(name for name in report["unexpected_keys"] if _LAYER.search(name))
    if strange:
        raise UserError(
            f"the weights in {folder} must be those that its config.json describes, but "
            f"{strange[0]} is none of them."
        )
    return plain
