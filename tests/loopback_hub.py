"""A Hugging Face Hub on 127.0.0.1 for the real client, which can be made to fail."""

import base64
import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants

from microgpt.hub import download, fetch

TOKEN = "hf_loopback"  # the only token with write access
# A slow response sends half of a file at once and the rest slowly; a stalled one sends no more.
# After 429, the client has to wait for a day.
Fault = Literal[
    *("hang", "disconnect", "slow headers", "slow", "stall", "truncate", "wrong bytes"),
    *("401", "403", "413", "429", "503", "not a hub", "{}", "[]", "bad card"),
]


class Request(NamedTuple):
    method: str
    path: str
    authorization: str | None


@dataclass
class Repo:
    """A repo: the files of each commit by its hash, and the commit of each branch."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    gated: bool = False


class LoopbackHub:
    """The server, a context manager; at its end every hanging request is released.

    sizes: the size that HEAD reports for a file name, if not the real one.
    requests: every request so far.
    trickling: set once a slow, stalled or hanging response has begun.
    gone: set once the client has closed the connection of a slow response.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.uploads: dict[str, bytes] = {}
        self.sizes: dict[str, int] = {}
        self.requests: list[Request] = []
        self._requested = threading.Condition()
        self.trickling, self.gone = threading.Event(), threading.Event()
        self.released = threading.Event()
        self._faults: list[tuple[Fault, str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.hub = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "LoopbackHub":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening; every later connection is refused."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def add(self, repo_id: str, files: Path | Mapping[str, bytes], branch: str = "main") -> str:
        """Make a commit with exactly these files on a branch; return its hash."""
        if isinstance(files, Path):
            files = {path.name: path.read_bytes() for path in files.iterdir()}
        repo = self.repos.setdefault(repo_id, Repo())
        digest = hashlib.sha1(f"{repo_id} {branch} {len(repo.commits)}".encode())
        for name in sorted(files):
            digest.update(name.encode() + hashlib.sha1(files[name]).digest())
        commit = digest.hexdigest()
        repo.commits[commit] = dict(files)
        repo.branches[branch] = commit
        return commit

    def fail(self, fault: Fault, method: str = "", name: str = "") -> None:
        """Make later requests fail: all, or those with a method, or with a name in their path."""
        self._faults.append((fault, method, name))

    def heal(self) -> None:
        self._faults.clear()

    def fault(self, method: str, path: str) -> Fault | None:
        matching = (f for f, m, name in self._faults if method.startswith(m) and name in path)
        return next(matching, None)

    def count(self, method: str, name: str) -> int:
        """Count the requests with a method and a path that ends in name."""
        return sum(r.method == method and r.path.endswith(name) for r in self.requests)

    def add_request(self, request: Request) -> None:
        with self._requested:
            self.requests.append(request)
            self._requested.notify_all()

    def wait_for(self, count: int, method: str, name: str) -> None:
        """Wait until there were that many requests with a method and a path that ends in name."""
        with self._requested:
            assert self._requested.wait_for(lambda: self.count(method, name) >= count, 30)

    def environment(self, home: Path) -> dict[str, str]:
        """Return an environment for a subprocess in which this is the only Hub."""
        return os.environ | {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home / "hf"),
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_XET": "1",  # real uploads use Xet, which this Hub lacks
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_OFFLINE": "0",  # tests of exports set it for this process
            "MICROGPT_CACHE": str(home / "cache"),
        }


@contextmanager
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """Run a Hub for the client in this process, which read the environment when it was imported.

    The limits for its answers are so high that a busy machine never reaches them.
    """
    monkeypatch.setattr(fetch, "ANSWER_S", 600.0)
    monkeypatch.setattr(download, "PROBE_S", 600.0)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)  # or it asks the real Hub
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # tests of exports set it
    with LoopbackHub() as hub:
        url = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)
        yield hub


class _Handler(BaseHTTPRequestHandler):
    server: Any
    protocol_version = "HTTP/1.1"  # the connection stays open for the next request

    @property
    def hub(self) -> LoopbackHub:
        return self.server.hub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _handle(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.add_request(Request(self.command, path, self.headers.get("Authorization")))
        fault = self.hub.fault(self.command, path)
        self.close_connection = bool(fault) or self.command in ("POST", "PUT")
        if fault == "hang":
            self._wait()
        if fault in ("hang", "disconnect"):
            return
        if fault == "slow headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Padding: ")
            return self._trickle(b"x" * 10_000)
        if fault == "429":
            self._send(b"", 429, Retry_After="86400")
        elif fault in ("401", "403", "413", "503"):
            self._error(int(fault))
        elif fault == "not a hub":
            self._send(b"<h1>Welcome</h1>")
        elif fault in ("{}", "[]"):
            self._send(fault.encode())
        elif fault == "bad card":
            self._json({"errors": [{"message": '"license" must be a text'}]}, 400)
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/(.+)/([^/]+)", path):
            self._resolve(*match.groups(), fault)
        elif self.command in ("POST", "PUT") and self.headers.get("Authorization") is None:
            if not path.startswith("/upload/"):
                return self._error(401, "RepoNotFound" if "/models/" in path else None)
            self._upload(path, body)
        elif self.command == "POST":
            self._write(path, body)
        else:
            self._error(404)

    do_HEAD = do_GET = do_POST = do_PUT = _handle

    def _send(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _json(self, value: Any, status: int = 200) -> None:
        self._send(json.dumps(value).encode(), status, Content_Type="application/json")

    def _error(self, status: int, code: str | None = None) -> None:
        self._send(b"", status, **({"X_Error_Code": code} if code else {}))

    def _resolve(self, repo_id: str, revision: str, name: str, fault: Fault | None) -> None:
        repo = self.hub.repos.get(repo_id)
        if repo is None:
            return self._error(404, "RepoNotFound")
        if repo.gated:
            return self._error(403, "GatedRepo")
        commit = repo.branches.get(revision, revision)
        if commit not in repo.commits:
            return self._error(404, "RevisionNotFound")
        content = repo.commits[commit].get(name)
        if content is None:
            return self._error(404, "EntryNotFound")
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X_Repo_Commit": commit}
        if fault == "wrong bytes":
            content = content[:-8] + bytes(byte ^ 0xFF for byte in content[-8:])
        if self.command == "HEAD":
            size = self.hub.sizes.get(name, len(content))
            self._send(b"", Content_Length=str(size), **headers)
        elif fault in ("truncate", "slow", "stall"):
            self._send(content[: len(content) // 2], Content_Length=str(len(content)), **headers)
            if fault == "slow":
                self._trickle(content[len(content) // 2 :])
            elif fault == "stall":
                self._wait()
        else:
            self._send(content, **headers)

    def _wait(self) -> None:
        self.hub.trickling.set()
        self.hub.released.wait()

    def _trickle(self, content: bytes) -> None:
        self.hub.trickling.set()
        for byte in content:
            if self.hub.released.wait(0.02):
                break
            try:
                self.wfile.write(bytes([byte]))
            except OSError:
                self.hub.gone.set()
                break

    def _upload(self, path: str, body: bytes) -> None:
        oid = path.removeprefix("/upload/")
        if hashlib.sha256(body).hexdigest() != oid:
            return self._error(400)
        self.hub.uploads[oid] = body
        self._send(b"")

    def _write(self, path: str, body: bytes) -> None:
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._error(403)
        elif path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif path == "/api/repos/create":
            wanted = json.loads(body)
            repo_id = f"{wanted['organization']}/{wanted['name']}"
            status = 409 if repo_id in self.hub.repos else 200
            self.hub.repos.setdefault(repo_id, Repo())
            self._json({"url": f"{self.hub.url}/{repo_id}"}, status)
        elif "/preupload/" in path:
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            self._json({"files": files})
        elif path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {
                    **wanted,
                    "actions": {"upload": {"href": f"{self.hub.url}/upload/{wanted['oid']}"}},
                }
                for wanted in json.loads(body)["objects"]
            ]
            self._json({"transfer": "basic", "objects": objects})
        elif match := re.fullmatch(r"/api/models/(.+)/commit/main", path):
            self._commit(match[1], [json.loads(line) for line in body.splitlines()])
        else:
            self._error(404)

    def _commit(self, repo_id: str, lines: list[dict[str, Any]]) -> None:
        repo = self.hub.repos[repo_id]
        files = dict(repo.commits.get(repo.branches.get("main", ""), {}))
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.uploads[value["oid"]]
        commit = self.hub.add(repo_id, files)
        url = f"{self.hub.url}/{repo_id}/commit/{commit}"
        self._json({"commitOid": commit, "commitUrl": url})
