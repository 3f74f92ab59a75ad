"""A hub that takes models: accounts, repositories, branches, files of both kinds, commits."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.prokd.data.hub_server import Handler, Repositories, serve

TOKEN, READER = "hf_secretOfThisTest", "hf_mayOnlyRead"
ACCOUNT = "anna"
LARGE = (".safetensors", ".onnx")


@dataclass
class Hub:
    """What it holds.

    Args:
        repositories: By name, branch and path.
        private: Names of those that nobody else may see.
        messages: Of all commits.
        log: Of all requests.
        endpoint: Its address.
    """

    repositories: Repositories = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    messages: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    endpoint: str = ""


class _Uploads(Handler):
    hub: Hub
    large: dict[str, bytes]

    def do_PUT(self) -> None:  # noqa: N802
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.large[Path(self.path).name] = content
        self.send(b"", 200, {})

    def answer(self, body: bytes = b"") -> None:
        if self.command != "POST":
            return super().answer(body)
        path = unquote(urlsplit(self.path).path)
        self.log.append(f"POST {path}")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in (TOKEN, READER):
            told = {"X-Error-Message": "Invalid credentials in Authorization header"}
            return self.send(b'{"error": "who?"}', 401, told)
        if path == "/api/validate-yaml":
            return self.answer_json({"warnings": [], "errors": []})
        if token == READER:
            return self.send(b'{"error": "not yours"}', 403, {})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.endswith("/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        _, _, _, account, name, action, branch = path.split("/")
        branches = self.repositories[f"{account}/{name}"]
        if action == "branch":
            branches.setdefault(branch, dict(branches["main"]))
            return self.answer_json({})
        if action == "preupload":
            return self._modes(json.loads(body))
        self._commit(branches[branch], [json.loads(line) for line in body.splitlines()])
        address = f"{self.hub.endpoint}/{account}/{name}/commit/1"
        return self.answer_json({"commitUrl": address, "commitOid": "1" * 40})

    def _create(self, asked: dict[str, str]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        if asked["organization"] != ACCOUNT:
            return self.send(b'{"error": "not yours"}', 403, {})
        if name in self.repositories:
            return self.send(b'{"error": "it is there"}', 409, {})
        self.repositories[name] = {"main": {".gitattributes": b""}}
        if asked.get("visibility") == "private":
            self.hub.private.add(name)
        return self.answer_json({"url": f"{self.hub.endpoint}/{name}"})

    def _modes(self, asked: dict[str, list[dict[str, str]]]) -> None:
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                "shouldIgnore": False,
            }
            for file in asked["files"]
        ]
        self.answer_json({"files": files})

    def _batch(self, asked: dict[str, list[dict[str, str]]]) -> None:
        objects = [
            {**item, "actions": {"upload": {"href": f"{self.hub.endpoint}/large/{item['oid']}"}}}
            for item in asked["objects"]
        ]
        self.answer_json({"transfer": "basic", "objects": objects})

    def _commit(self, files: dict[str, bytes], lines: list[dict[str, dict[str, str]]]) -> None:
        for line in lines:
            kind, value = str(line["key"]), line["value"]
            if kind == "header":
                self.hub.messages.append(value["summary"])
            elif kind == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif kind == "lfsFile":
                files[value["path"]] = self.large[value["oid"]]
            else:
                del files[value["path"]]


@contextmanager
def hub() -> Iterator[Hub]:
    """Run a hub for as long as the block lasts."""
    own = Hub()
    kind = type("Uploads", (_Uploads,), {"hub": own, "large": {}, "private": own.private})
    with serve(own.repositories, kind) as (own.endpoint, own.log):
        yield own
