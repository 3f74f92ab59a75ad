"""Adapts a small multilingual BERT to the phrasebooks and writes the encoder that prokd ships.

Three objectives share the time, on one CPU thread: masked language modelling on unlabelled
sentences of every language, translation language modelling on English sentences joined to their
translation (both sides masked), and alignment, which tells an English sentence's translation from
those of the other sentences of the batch by how well each token finds a counterpart. Only training
templates and training names are seen, and no label ever is. The vocabulary stays as it is.

    python encoders/adapt_mini.py --base PATH --output prokd/data/mini/encoder --minutes 5 --seed 0

The learning rate follows the clock, so a rerun gives a similar encoder, not the same bytes.
"""

import argparse
import json
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize
from transformers import AutoModelForMaskedLM, AutoTokenizer, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from prokd.data.mini.generator import LANGUAGES, parallel_sentences, unlabelled_sentences

# B sentences, T subwords, V token ids of the corpus, D feature size
logger = logging.getLogger("adapt_mini")

MASKED_SHARE = 0.2
BATCH_SENTENCES = 32
LEARNING_RATE = 8e-4
WARMUP_SHARE = 0.05
HEAD_SHARE = 0.1
EMBEDDING_RATE_SHARE = 0.5
ALIGNMENT_TEMPERATURE = 0.05
NUM_PROBE_SENTENCES = 64
PAIR_ROUNDS = {"ar": 3}
"""Draws of parallel sentences per language, 1 if not named: Arabic starts from next to nothing."""
MAX_LENGTH = 128
IGNORED = -100

Pair = tuple[list[int], list[int]]
Masked = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
Row = TypeVar("Row")


def adapt(
    base: Path, output: Path, *, minutes: float, seed: int, num_sentences: int
) -> dict[str, float]:
    """Trains for the given minutes, writes the encoder and returns the figures of the run.

    Args:
        base: folder of a BERT that `AutoModelForMaskedLM` loads.
        output: folder to write config.json, model.safetensors (fp16) and the tokenizer to.
        minutes: training time, > 0; the learning rate falls linearly to 0 over it.
        seed: seeds the corpus, the masks, the order and the new prediction head.
        num_sentences: unlabelled sentences per language, and pairs per language pair, >= 32.

    Returns:
        `steps`, `minutes`, and the masked-token loss in nats before and after, on the same
        sentences drawn with another seed and with the same masks.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    generator = np.random.default_rng(seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.backend_tokenizer.no_truncation()
    model = AutoModelForMaskedLM.from_pretrained(base, dtype=torch.float32)
    pairs = encode_pairs(tokenizer, seed, num_sentences)
    rows = encode_sentences(tokenizer, seed, num_sentences) + [joined(pair) for pair in pairs]
    probe_rows = encode_sentences(tokenizer, seed + 1, NUM_PROBE_SENTENCES)
    vocabulary_V = torch.tensor(sorted({i for row in rows + probe_rows for i in row}))
    probe = [
        mask(pad(chosen, tokenizer), tokenizer, generator)
        for chosen in batches(probe_rows, generator)
    ]
    loss_before = mean_loss(model, probe, vocabulary_V)
    sources = (mask_forever(rows, tokenizer, generator), endless(pairs, generator))
    steps = train(model, tokenizer, sources, vocabulary_V, minutes)
    loss_after = mean_loss(model, probe, vocabulary_V)
    model.bert.to(torch.float16).save_pretrained(output)
    tokenizer.backend_tokenizer.save(str(output / "tokenizer.json"))
    shutil.copyfile(base / "tokenizer_config.json", output / "tokenizer_config.json")
    return {
        "steps": steps,
        "minutes": minutes,
        "loss_before": round(loss_before, 3),
        "loss_after": round(loss_after, 3),
    }


def encode_sentences(tokenizer: Tokenizer, seed: int, num_sentences: int) -> list[list[int]]:
    """Returns the token ids of unlabelled sentences of every language."""
    return [
        tokenizer(words, is_split_into_words=True)["input_ids"]
        for language in LANGUAGES
        for words in unlabelled_sentences(language, seed=seed, num_sentences=num_sentences)
    ]


def encode_pairs(tokenizer: Tokenizer, seed: int, num_sentences: int) -> list[Pair]:
    """Returns the token ids of English sentences with their translation into each language."""
    return [
        tuple(tokenizer(words, is_split_into_words=True)["input_ids"] for words in pair)
        for language in LANGUAGES[1:]
        for draw in range(PAIR_ROUNDS.get(language, 1))
        for pair in parallel_sentences(
            "en", language, seed=seed + 1000 * draw, num_sentences=num_sentences
        )
    ]


def joined(pair: Pair) -> list[int]:
    """Returns both sides as one row, `[CLS] first [SEP] second [SEP]`."""
    return (pair[0] + pair[1][1:])[:MAX_LENGTH]


def batches(rows: list[Row], generator: np.random.Generator) -> Iterator[list[Row]]:
    """Yields the rows once, in shuffled batches of similar length."""
    order = sorted(range(len(rows)), key=lambda i: (len(str(rows[i])) // 20, generator.random()))
    starts = range(0, len(order), BATCH_SENTENCES)
    for start in generator.permutation(starts):
        yield [rows[i] for i in order[start : start + BATCH_SENTENCES]]


def endless(rows: list[Row], generator: np.random.Generator) -> Iterator[list[Row]]:
    """Yields batches of the rows, newly shuffled every time round."""
    while True:
        yield from batches(rows, generator)


def pad(rows: list[list[int]], tokenizer: Tokenizer) -> torch.Tensor:
    """Returns int64 token ids of shape (B, T)."""
    return torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(row) for row in rows], batch_first=True, padding_value=tokenizer.pad_token_id
    )


def mask_forever(
    rows: list[list[int]], tokenizer: Tokenizer, generator: np.random.Generator
) -> Iterator[Masked]:
    """Yields masked batches of the rows without end."""
    for chosen in endless(rows, generator):
        yield mask(pad(chosen, tokenizer), tokenizer, generator)


def mask(ids_BT: torch.Tensor, tokenizer: Tokenizer, generator: np.random.Generator) -> Masked:
    """Returns (input ids, attention mask, labels) with tokens hidden as BERT does.

    Of the chosen tokens 80 % become [MASK], 10 % a random token and 10 % stay.
    """
    shape = tuple(ids_BT.shape)
    special_BT = torch.isin(ids_BT, torch.tensor(tokenizer.all_special_ids))
    chosen_BT = (torch.from_numpy(generator.random(shape)) < MASKED_SHARE) & ~special_BT
    labels_BT = torch.where(chosen_BT, ids_BT, torch.full_like(ids_BT, IGNORED))
    fate_BT = torch.from_numpy(generator.random(shape))
    random_BT = torch.from_numpy(generator.integers(0, len(tokenizer), shape))
    hidden_BT = torch.where(chosen_BT & (fate_BT < 0.8), tokenizer.mask_token_id, ids_BT)
    hidden_BT = torch.where(chosen_BT & (fate_BT >= 0.9), random_BT, hidden_BT)
    return hidden_BT, (ids_BT != tokenizer.pad_token_id).long(), labels_BT


def masked_loss(model: PreTrainedModel, batch: Masked, vocabulary_V: torch.Tensor) -> torch.Tensor:
    """Returns the mean cross-entropy over the hidden tokens, in nats.

    The choice is among the sorted token ids that the corpus holds, so that the tied embeddings of
    all others are left as they are.
    """
    ids_BT, attention_mask_BT, labels_BT = batch
    features_BTD = model.bert(ids_BT, attention_mask=attention_mask_BT).last_hidden_state
    chosen_BT = labels_BT != IGNORED
    projected_ND = model.cls.predictions.transform(features_BTD[chosen_BT])
    embeddings_VD = model.bert.embeddings.word_embeddings.weight[vocabulary_V]
    classes_N = torch.searchsorted(vocabulary_V, labels_BT[chosen_BT])
    return cross_entropy(projected_ND @ embeddings_VD.T, classes_N)


def alignment_loss(
    model: PreTrainedModel, pairs: list[Pair], tokenizer: Tokenizer
) -> torch.Tensor:
    """Returns the cross-entropy of finding each sentence's translation in the batch, in nats.

    The likeness of two sentences is the mean, over the tokens of one, of the cosine to the token
    of the other that is nearest; both directions are averaged.
    """
    first, second = (
        features_of(model, pad([pair[side] for pair in pairs], tokenizer), tokenizer)
        for side in (0, 1)
    )
    cosine = torch.einsum("atd,bsd->abts", first[0], second[0])
    valid = first[1][:, None, :, None] & second[1][None, :, None, :]
    cosine = cosine.masked_fill(~valid, -1.0)
    forth = (cosine.amax(3) * first[1][:, None]).sum(2) / first[1].sum(1)[:, None]
    back = (cosine.amax(2) * second[1][None]).sum(2) / second[1].sum(1)[None]
    likeness_BB = (forth + back) / (2.0 * ALIGNMENT_TEMPERATURE)
    own = torch.arange(len(pairs))
    return (cross_entropy(likeness_BB, own) + cross_entropy(likeness_BB.T, own)) / 2.0


def features_of(
    model: PreTrainedModel, ids_BT: torch.Tensor, tokenizer: Tokenizer
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns unit features (B, T, D) and which tokens are words, bool (B, T)."""
    attention_mask_BT = (ids_BT != tokenizer.pad_token_id).long()
    features_BTD = model.bert(ids_BT, attention_mask=attention_mask_BT).last_hidden_state
    words_BT = ~torch.isin(ids_BT, torch.tensor(tokenizer.all_special_ids))
    return normalize(features_BTD, dim=-1), words_BT


@torch.no_grad()
def mean_loss(model: PreTrainedModel, probe: list[Masked], vocabulary_V: torch.Tensor) -> float:
    """Returns the masked-token loss over batches without dropout, in nats."""
    model.eval()
    return float(np.mean([float(masked_loss(model, batch, vocabulary_V)) for batch in probe]))


def train(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    sources: tuple[Iterator[Masked], Iterator[list[Pair]]],
    vocabulary_V: torch.Tensor,
    minutes: float,
) -> int:
    """Trains until the time is over and returns the number of steps: of three, one is masking."""
    masked_batches, pair_batches = sources
    embeddings = list(model.bert.embeddings.parameters())
    rest = [*model.bert.encoder.parameters(), *model.cls.predictions.transform.parameters()]
    # Slow embeddings: names that are never seen here stay in the space of those that are.
    slow = {"params": embeddings, "share": EMBEDDING_RATE_SHARE}
    optimizer = torch.optim.Adam([{"params": rest, "share": 1.0}, slow])
    model.train()
    start, steps, done = time.monotonic(), 0, 0.0
    while done < 1.0:
        # The head starts from random weights: alone at first, or it would spoil the encoder.
        head_alone = done < HEAD_SHARE
        model.bert.requires_grad_(not head_alone)
        rate = LEARNING_RATE * min(1.0, done / WARMUP_SHARE, (1.0 - done) * 1.1)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]
        if head_alone or steps % 3 == 0:
            loss = masked_loss(model, next(masked_batches), vocabulary_V)
        else:
            loss = alignment_loss(model, next(pair_batches), tokenizer)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*rest, *embeddings], 1.0)
        optimizer.step()
        steps += 1
        if steps % 100 < 2:
            logger.info("step %d, %.0f %% of the time, loss %.3f", steps, 100 * done, loss.item())
        done = (time.monotonic() - start) / (60.0 * minutes)
    return steps


def main() -> None:
    """Reads the command line, adapts, and logs the figures of the run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="folder of the encoder to adapt")
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    parser.add_argument("--minutes", type=float, default=5.0, help="training time (> 0)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--num-sentences", type=int, default=2400, help="per language and pair")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    figures = adapt(
        arguments.base,
        arguments.output,
        minutes=arguments.minutes,
        seed=arguments.seed,
        num_sentences=arguments.num_sentences,
    )
    logger.info("%s", json.dumps(figures))


if __name__ == "__main__":
    main()
