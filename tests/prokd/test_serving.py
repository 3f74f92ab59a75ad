"""A served model: the answers are the tagger's own, limits are sentences, the end is clean."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from prokd.cli.serving.app import serving_app
from prokd.cli.serving.server import address_of, bound_socket, is_local, server_of
from prokd.cli.serving.settings import ServingSettings
from prokd.common.palette import COLOURS
from prokd.errors import UserError
from prokd.scoring.tagging import Tagger
from tests import browser, preloaded

TEXT = "anna woont in paris ."


class Answer(NamedTuple):
    status: int
    content: Any
    headers: Any


def ask(address: str, path: str, body: Any = None) -> Answer:
    content = json.dumps(body).encode() if body is not None else None
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{address}{path}", data=content, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return _answer(response.status, response.read(), response.headers)
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error.code, error.read(), error.headers)


def _answer(status: int, content: bytes, headers: Any) -> Answer:
    is_json = headers["content-type"] == "application/json"
    return Answer(status, json.loads(content) if is_json else content.decode(), headers)


def measured(address: str) -> dict[str, float]:
    lines = ask(address, "metrics").content.splitlines()
    rows = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in rows}


@contextmanager
def served(tagger: Tagger, **settings: int) -> Iterator[str]:
    """A server in a thread; at the end of the block it is asked to end, and has ended."""
    app = serving_app(tagger, "small", ServingSettings(**settings))
    with bound_socket("127.0.0.1", 0) as taken:
        server = server_of(app)
        thread = threading.Thread(target=server.run, args=([taken],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield address_of(taken)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def tagger(trained: Any) -> Tagger:
    return Tagger(trained[1])


@pytest.fixture(scope="module")
def address(tagger: Tagger) -> Iterator[str]:
    with served(tagger, max_characters=200, max_texts=3, max_bytes=2000) as found:
        yield found


def test_answers_to_many_at_once_are_the_taggers_own(address: str, tagger: Tagger) -> None:
    names = ("anna", "omar", "lena karim", "pablo")
    texts = [f"  {name} woont {'daar ' * number}in leiden 😀 cairo" for number in range(4)
             for name in names]  # fmt: skip
    before = measured(address)
    with ThreadPoolExecutor(len(texts)) as threads:
        answers = list(threads.map(lambda text: ask(address, "tag", {"text": text}), texts))
    for text, answer in zip(texts, answers, strict=True):
        assert answer.status == 200
        (result,) = answer.content["results"]
        expected = [asdict(entity) for entity in tagger(text)]
        assert expected
        for entity, own in zip(result["entities"], expected, strict=True):
            assert text[entity["start"] : entity["end"]] == entity["text"]
            assert entity.pop("score") == pytest.approx(own.pop("score"), abs=1e-4)
            assert entity == own
    after = measured(address)
    counted = {name: after[name] - before.get(name, 0) for name in after}
    assert counted['prokd_requests_total{status="200"}'] == len(texts)
    assert counted["prokd_sentences_total"] == counted["prokd_batch_requests_sum"] == len(texts)
    assert counted["prokd_batch_sentences_sum"] == len(texts)
    assert counted["prokd_words_total"] == sum(len(text.split()) for text in texts)
    assert counted["prokd_batch_seconds_count"] == counted["prokd_batch_sentences_count"] > 0
    assert after["prokd_waiting_requests"] == 0


def test_words_and_sentences_of_words(address: str, tagger: Tagger) -> None:
    answer = ask(
        address, "tag", {"texts": [TEXT, "", "नई दिल्ली"], "words": True, "language": "hi"}
    )
    first, empty, hindi = answer.content["results"]
    (tagged,) = tagger.tag([TEXT.split()])
    assert [word["tag"] for word in first["words"]] == tagged.tags
    assert [TEXT[word["start"] : word["end"]] for word in first["words"]] == tagged.words
    assert [word["score"] for word in first["words"]] == pytest.approx(tagged.scores, abs=1e-4)
    assert empty == {"entities": [], "words": []}
    assert [word["text"] for word in hindi["words"]] == ["नई", "दिल्ली"]
    given = [["lena karim", "in", "new", "delhi"], []]
    result, nothing = ask(address, "tag", {"sentences": given}).content["results"]
    assert result["text"] == "lena karim in new delhi"
    assert all(result["text"][e["start"] : e["end"]] == e["text"] for e in result["entities"])
    assert nothing == {"text": "", "entities": []}
    assert ask(address, "tag", {"texts": []}).content == {"results": []}


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({}, 422, "exactly one of text, texts and sentences must be given, but got none."),
        ({"text": "a", "texts": []}, 422, "must be given, but got text and texts."),
        ({"texts": ["a", 1]}, 422, "texts[1]: input should be a valid string, but got 1."),
        ({"text": "a", "word": 1}, 422, "word: extra inputs are not permitted, but got 1."),
        ({"text": "a", "language": "../x"}, 422, "a language must be a code"),
        ({"sentences": [["a", ""]]}, 422, "sentences[0][1]: string should have at least 1"),
        ({"text": "\ud800"}, 422, "a text must be UTF-8"),
        ({"sentences": [["\ud800"]]}, 422, "sentences[0][0]: input should be a valid string"),
        ({"text": "a", "\ud800": 1}, 422, "unable to parse raw data as a unicode"),
        ({"text": "a" * 201}, 413, "text must have at most 200 characters, but got 201."),
        ({"texts": ["", "a" * 201]}, 413, "texts[1] must have at most 200 characters"),
        ({"texts": [""] * 4}, 413, "a request must have at most 3 texts, but got 4."),
        ({"text": "a" * 5000}, 413, "a body must have at most 2000 bytes, but 5012 are announced"),
    ],
)
def test_what_is_refused_is_a_sentence(
    address: str, body: Any, status: int, sentence: str
) -> None:
    answer = ask(address, "tag", body)
    assert answer.status == status
    assert sentence in answer.content["error"]


def test_bodies_that_are_no_json(address: str) -> None:
    host = address.removeprefix("http://").strip("/")
    for content, kind, status, sentence in (
        (b"{bad", "application/json", 422, "at character 1."),
        (b"text=a", "application/x-www-form-urlencoded", 415, "but got content-type: applic"),
        (b"[" * 1999, "application/json", 400, "but got one that cannot be read."),
        (iter([b"x" * 1500] * 2), "application/json", 413, "but 3000 have come already."),
    ):
        connection = http.client.HTTPConnection(host, timeout=60)
        chunked = not isinstance(content, bytes)
        connection.request("POST", "/tag", content, {"content-type": kind}, encode_chunked=chunked)
        response = connection.getresponse()
        assert response.status == status
        assert sentence in json.loads(response.read())["error"]
        connection.close()


def test_what_else_is_served(address: str, tagger: Tagger) -> None:
    health = ask(address, "health").content
    assert health["status"] == "ok"
    assert (health["model"], health["language"]) == ("small", "xx")
    assert health["tags"] == list(tagger.tag_set.names)
    schema = ask(address, "openapi.json").content
    assert list(schema["paths"]) == ["/tag", "/health"]
    page = ask(address, "")
    nonce = re.search(r"script-src 'nonce-(\S+)'", page.headers["content-security-policy"])
    assert nonce
    assert page.content.count(f'nonce="{nonce[1]}"') == 2
    assert "http://" not in page.content
    assert "https://" not in page.content
    assert ask(address, "docs").status == 404
    assert "/tag cannot be asked by GET" in ask(address, "tag").content["error"]


class Held(Tagger):
    """A tagger that waits for a sign."""

    at_work, gate = threading.Event(), threading.Event()

    def tag(self, *arguments: Any, **options: Any) -> Any:
        self.at_work.set()
        self.gate.wait()
        return super().tag(*arguments, **options)


def test_running_requests_are_answered_at_the_end(trained: Any) -> None:
    held = Held(trained[1])
    with ThreadPoolExecutor(2) as threads:
        with served(held, max_waiting=1, batch_sentences=1) as address:
            first = threads.submit(ask, address, "tag", {"text": TEXT})
            assert held.at_work.wait(60)  # else the second would be the one too many
            second = threads.submit(ask, address, "tag", {"text": TEXT})
            while measured(address)["prokd_waiting_requests"] < 1:
                assert not second.done()
            refused = ask(address, "tag", {"text": TEXT})
            threading.Timer(0.2, held.gate.set).start()  # when the server ends already
        assert refused.status == 503
        assert refused.headers["retry-after"] == "1"
        assert refused.content["error"] == "at most 1 requests may wait, but 1 do already."
        assert first.result().content == second.result().content
        assert first.result().status == 200


def test_ports_and_hosts() -> None:
    with bound_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert is_local(taken)
        assert taken.proto == socket.IPPROTO_TCP  # else each answer waits for 40 ms
        with pytest.raises(UserError, match=rf"the port must be free, but {port} of 127.0.0.1"):
            bound_socket("127.0.0.1", port)
    with pytest.raises(UserError, match="must be an address of this machine, but got 'no host'"):
        bound_socket("no host", 0)
    with pytest.raises(UserError, match=r"203.0.113.1 cannot listen on port 1234: Cannot assign"):
        bound_socket("203.0.113.1", 1234)
    with bound_socket("0.0.0.0", 0) as taken:
        assert not is_local(taken)
    if socket.has_ipv6:
        with suppress(UserError), bound_socket("::1", 0) as taken:
            assert address_of(taken).startswith("http://[::1]:")
            assert is_local(taken)


@pytest.mark.parametrize(
    ("number", "status", "sentence"),
    [(signal.SIGTERM, 0, "ended."), (signal.SIGINT, 130, "interrupted.")],
)
def test_the_command_ends_by_signals(
    trained: Any, tmp_path: Path, number: int, status: int, sentence: str
) -> None:
    log = tmp_path / "log"
    with log.open("wb") as stream:
        streams = {"stdout": stream.fileno(), "stderr": stream.fileno()}
        command = ["-m", "prokd", "serve", str(trained[1]), "--host", "0.0.0.0", "--port", "0"]
        process = preloaded.start(command, cwd=tmp_path, **streams)
    while (found := re.search(r"http://0.0.0.0(:\d+/)", log.read_text())) is None:
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    address = f"http://127.0.0.1{found[1]}"
    assert ask(address, "health").content["model"] == trained[1].name
    process.send_signal(number)
    assert process.wait() == status
    assert sentence in log.read_text()
    assert "anybody who reaches this machine by the network can use it" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_mistakes_of_the_command_are_one_sentence(trained: Any, tmp_path: Path) -> None:
    model = str(trained[1])
    for arguments, sentence in (
        (["."], "error: a model folder must hold"),
        ([model, "--lang", "n!"], "error: a language must be a code"),
        ([model, "--host", "no host"], "error: --host must be an address"),
        ([model, "--max-texts", "0"], "max-texts"),
    ):
        ended = preloaded.run(
            ["-m", "prokd", "serve", "--port", "0", *arguments], cwd=tmp_path, text=""
        )
        assert ended.returncode == 2
        assert sentence in ended.stderr
        assert "Traceback" not in ended.stderr


def test_the_page_shows_entities(address: str, tmp_path: Path) -> None:
    marks = "[...document.querySelectorAll('mark')]"
    with browser.opened(tmp_path / "profile") as page:
        page.open(address)
        line = "😀 <b>anna</b> woont in paris ."
        page.value("document.getElementById('text').focus()")
        page.type(f"{line}\n\nيعيش omar")
        page.press("Enter", control=True)
        page.wait("document.querySelector('mark') !== null")
        shown = page.value(f"{marks}.map((m) => [m.firstChild.textContent, m.title])")
        expected = ask(address, "tag", {"text": line}).content["results"][0]["entities"]
        own = [[e["text"], f"{e['type']}, score {e['score']:.2f}"] for e in expected]
        assert shown[: len(own)] == own
        assert page.value("document.querySelectorAll('#shown p').length") == 3
        assert page.value("document.querySelectorAll('#shown b').length") == 0
        directions = (
            "[...document.querySelectorAll('#shown p')].map((p) => p.matches(':dir(rtl)'))"
        )
        assert page.value(directions) == [False, False, True]
        types = page.value("[...document.querySelectorAll('#legend li')].map((l) => l.innerText)")
        assert types == ["LOC", "ORG", "PER"]
        assert page.value("legend.firstChild.style.getPropertyValue('--colour')") == COLOURS[0]
        page.value("document.getElementById('text').value = 'a'.repeat(201)")
        page.press("Enter", control=True)
        page.wait("!problem.hidden")
        assert page.value("problem.innerText") == (
            "texts[0] must have at most 200 characters, but got 201."
        )
