import json
import os
import sys

from transformers import AutoTokenizer

from prokd.data.mini import ENCODER_PATH, LANGUAGES, generate
from tests import preloaded

MEGABYTE = 1_000_000


def test_the_folder_is_small_and_complete():
    names = {path.name for path in ENCODER_PATH.iterdir()}
    assert names == {
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert sum(path.stat().st_size for path in ENCODER_PATH.iterdir()) < 12 * MEGABYTE


def test_the_tokenizer_has_no_truncation_of_its_own():
    assert json.loads((ENCODER_PATH / "tokenizer.json").read_text())["truncation"] is None


def test_encoder_and_tokenizer_load_without_network(tmp_path):
    code = (
        "import os, socket; os.environ['HF_HUB_OFFLINE'] = '1'\n"
        "def refuse(*arguments): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "import torch\n"
        "from transformers import AutoModel, AutoTokenizer\n"
        "from prokd.data.mini import ENCODER_PATH as path\n"
        "tokenizer = AutoTokenizer.from_pretrained(path)\n"
        "model = AutoModel.from_pretrained(path, dtype=torch.float32, add_pooling_layer=False)\n"
        "features = model(**tokenizer('Berlin .', return_tensors='pt')).last_hidden_state\n"
        "assert features.dtype == torch.float32 and features.isfinite().all()\n"
        "print(tuple(features.shape), len(tokenizer) == model.config.vocab_size)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    (tmp_path / "load.py").write_text(code)
    run = preloaded.run([str(tmp_path / "load.py")], cwd=tmp_path, env=environment)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split("\n")[0] == "(1, 4, 192) True"


def test_every_phrasebook_word_has_known_subwords():
    tokenizer = AutoTokenizer.from_pretrained(ENCODER_PATH)
    for language in LANGUAGES:
        words = {word for sentence, _ in generate(language, "train") for word in sentence}
        unknown = [word for word in words if tokenizer.unk_token in tokenizer.tokenize(word)]
        assert len(unknown) <= 0.01 * len(words), unknown
