"""ONNX files of an export: written, checked, and told of in its model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prokd.data.inputs import read_input, sentences_of
from prokd.data.mini import LANGUAGES, generate
from prokd.data.words import UNDETERMINED
from prokd.encoder.export_folder import CARD
from prokd.encoder.onnx_files import write_onnx
from prokd.errors import UserError
from prokd.scoring.onnx_check import OnnxCheck, check_onnx

HEADING = "\n## ONNX\n"
NUM_SENTENCES = 64
"""Embedded sentences that files are checked on."""
FALLBACK = "en"
"""Language of the embedded sentences where there are none of the model's."""
HOW_TO_RUN = """
    import numpy as np
    import onnxruntime
    from transformers import AutoConfig, AutoTokenizer

    folder = "path/to/this/folder"
    names = AutoConfig.from_pretrained(folder).id2label
    tokenizer = AutoTokenizer.from_pretrained(folder)
    session = onnxruntime.InferenceSession(f"{{folder}}/{file}")

    words = "...".split()
    encoded = tokenizer(words, is_split_into_words=True, truncation=True, return_tensors="np")
    inputs = {{name: encoded[name].astype(np.int64) for name in ("input_ids", "attention_mask")}}
    (logits,) = session.run(["logits"], inputs)
    places = encoded.word_ids()
    for number, word in enumerate(words):
        if number in places:  # the tag of a word is that of its first subword
            print(word, names[int(logits[0, places.index(number)].argmax())])
"""


class OnnxExport:
    """Writes ONNX files into an export before it is put in place.

    Args:
        sentences: Words of those that the files are checked on.
        quantised: Whether weights of eight bits are written too.

    Attributes:
        checks: What came out of each file, when it has been called.
    """

    def __init__(self, sentences: Sequence[Sequence[str]], *, quantised: bool = False) -> None:
        """Remember what is wanted."""
        self.sentences, self.quantised = sentences, quantised
        self.checks: list[OnnxCheck] = []

    def __call__(self, part: Path) -> None:
        """Write and check the files, and add to the model card how they are run.

        Args:
            part: An export with a card, on its way.

        Raises:
            UserError: The model cannot be written as ONNX, or its file gives other tags.
        """
        files = write_onnx(part, quantised=self.quantised)
        self.checks = check_onnx(part, files, self.sentences)
        card = (part / CARD).read_text(encoding="utf-8")
        (part / CARD).write_text(without_onnx(card) + self._section(), encoding="utf-8")

    def _section(self) -> str:
        lines = [HEADING]
        for check in self.checks:
            shown = "all" if check.equal == check.words else f"{check.equal}"
            lines.append(
                f"`{check.name}` gives the model's tag on {shown} of {check.words} words "
                f"that it was checked on."
            )
        return "\n".join(lines) + "\n" + HOW_TO_RUN.format(file=self.checks[-1].name)


def without_onnx(card: str) -> str:
    """Return a model card without what it says of ONNX, which stands at its end."""
    return card.partition(HEADING)[0]


def sentences_to_check(file: Path | None, language: str) -> list[list[str]]:
    """Return the words of the sentences that ONNX files are checked on.

    Args:
        file: As `prokd predict` reads it; None = embedded sentences, whose tags are not looked at.
        language: The model's target.

    Raises:
        UserError: The file cannot be read, or has no sentence.
    """
    if file is None:
        embedded = language if language in LANGUAGES else FALLBACK
        generated = generate(embedded, "test", num_sentences=NUM_SENTENCES)
        return [list(words) for words, _ in generated]
    found = sentences_of(read_input(file), str(file), language=language or UNDETERMINED)
    sentences = [sentence.tokens for sentence in found if sentence.words]
    if not sentences:
        raise UserError(f"{file} must have a sentence to check ONNX files on, but has none.")
    return sentences
