"""A small server that speaks enough of the Hugging Face hub's protocol: data sets, models."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"

Repositories = dict[str, dict[str, dict[str, bytes]]]
"""Repository -> revision -> path -> content."""


class Handler(BaseHTTPRequestHandler):
    """Answers what asks for repositories that are there."""

    repositories: Repositories
    log: list[str]
    private: Collection[str] = ()

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.answer(self.rfile.read(length))

    def answer(self, body: bytes = b"") -> None:
        path = unquote(urlsplit(self.path).path)
        self.log.append(f"{self.command} {path}")
        for name, revisions in self.repositories.items():
            kind = "datasets" if f"/datasets/{name}/" in path + "/" else "models"
            about, content = f"/api/{kind}/{name}", f"/{kind}/{name}".removeprefix("/models")
            if not f"{path}/".startswith((f"{about}/", f"{content}/")):
                continue
            if path == about:
                return self._info(name, revisions["main"], COMMIT)
            for revision, files in revisions.items():
                commit = _commit(revision)
                for wanted in (revision, commit):
                    if path == f"{about}/revision/{wanted}":
                        return self._info(name, files, commit)
                    if path == f"{about}/paths-info/{wanted}":
                        return self._paths_info(files, body)
                    if path.startswith(f"{about}/tree/{wanted}"):
                        start = len(f"{about}/tree/{wanted}")
                        return self._tree(files, path[start:].strip("/"))
                    start = f"{content}/resolve/{wanted}/"
                    if path.startswith(start):
                        return self._file(files, path.removeprefix(start), commit)
            return self._missing("EntryNotFound" if "/resolve/" in path else "RevisionNotFound")
        return self._missing("RepoNotFound")

    def _missing(self, code: str) -> None:
        self.send(b"", 404, {"X-Error-Code": code, "X-Error-Message": "not found"})

    def _info(self, name: str, files: dict[str, bytes], commit: str) -> None:
        self.answer_json(
            {
                "id": name,
                "sha": commit,
                "private": name in self.private,
                "disabled": False,
                "gated": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "lastModified": "2024-01-01T00:00:00.000Z",
                "createdAt": "2024-01-01T00:00:00.000Z",
                "siblings": [{"rfilename": path} for path in files],
            }
        )

    def _paths_info(self, files: dict[str, bytes], body: bytes) -> None:
        if self.headers.get("Content-Type", "").startswith("application/json"):
            paths = json.loads(body)["paths"]
        else:
            paths = parse_qs(body.decode())["paths"]
        self.answer_json(
            [entry for path in paths for entry in _entries(files) if entry["path"] == path]
        )

    def _tree(self, files: dict[str, bytes], folder: str) -> None:
        recursive = "recursive=true" in urlsplit(self.path).query.lower()
        inside = [e for e in _entries(files) if not folder or e["path"].startswith(folder + "/")]
        if not recursive:
            depth = folder.count("/") + 1 if folder else 0
            inside = [entry for entry in inside if entry["path"].count("/") == depth]
        if folder and not inside:
            return self._missing("EntryNotFound")
        return self.answer_json(inside)

    def _file(self, files: dict[str, bytes], path: str, commit: str) -> None:
        if path not in files:
            return self._missing("EntryNotFound")
        content = files[path]
        headers = {
            "ETag": f'"{hashlib.sha1(content).hexdigest()}"',
            "X-Repo-Commit": commit,
            "Accept-Ranges": "bytes",
        }
        status = 200
        wanted = self.headers.get("Range", "")
        if wanted.startswith("bytes="):
            first, last = wanted.removeprefix("bytes=").split("-")
            begin, end = int(first), int(last or len(content) - 1)
            headers["Content-Range"] = f"bytes {begin}-{end}/{len(content)}"
            content, status = content[begin : end + 1], 206
        return self.send(content, status, headers)

    def answer_json(self, value: object) -> None:
        self.send(json.dumps(value).encode(), 200, {"Content-Type": "application/json"})

    def send(self, content: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _commit(revision: str) -> str:
    return COMMIT if revision == "main" else hashlib.sha1(revision.encode()).hexdigest()


def _entries(files: dict[str, bytes]) -> list[dict[str, str | int]]:
    folders = {
        "/".join(path.split("/")[:depth])
        for path in files
        for depth in range(1, path.count("/") + 1)
    }
    entries: list[dict[str, str | int]] = [
        {"type": "directory", "path": folder, "oid": hashlib.sha1(folder.encode()).hexdigest()}
        for folder in sorted(folders)
    ]
    for path, content in files.items():
        oid = hashlib.sha1(content).hexdigest()
        entries.append({"type": "file", "path": path, "oid": oid, "size": len(content)})
    return entries


@contextmanager
def serve(
    repositories: Repositories, kind: type[Handler] = Handler
) -> Iterator[tuple[str, list[str]]]:
    """Serve repositories on a free port of this machine; gives the address and the requests."""
    log: list[str] = []
    handler = type("Own", (kind,), {"repositories": repositories, "log": log})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", log
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
