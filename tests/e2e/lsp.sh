#!/usr/bin/env python3
"""The language server as an editor starts it: a process, a site on the disk, unsaved texts, broken input.

    lsp.sh SOURCE BUILD
"""
import json
import pathlib
import subprocess
import sys
import time

source, build = map(pathlib.Path, sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

SITE = source / "examples/quickstart"
URI = "file://" + str(SITE.resolve()) + "/channels/adt_in.channel"


class Client:
    def __init__(self):
        self.process = subprocess.Popen([str(build / "kiln"), "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.published = {}

    def write(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def send(self, method, params=None, number=None):
        message = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        if number is not None:
            message["id"] = number
        text = json.dumps(message)
        self.write(f"Content-Length: {len(text.encode())}\r\n\r\n{text}")

    def read(self):
        length = None
        while True:
            line = self.process.stdout.readline().strip()
            if not line:
                if length is None:
                    raise SystemExit("the server ended")
                return json.loads(self.process.stdout.read(length))
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])

    def answer(self, number):
        while True:
            message = self.read()
            if message.get("method") == "textDocument/publishDiagnostics":
                self.published[message["params"]["uri"]] = message["params"]["diagnostics"]
            elif message.get("id") == number:
                return message

    def findings(self):
        while True:
            message = self.read()
            if message.get("method") == "textDocument/publishDiagnostics":
                return message["params"]


client = Client()
client.send("initialize", {"capabilities": {}}, 1)
capabilities = client.answer(1)["result"]["capabilities"]
assert capabilities["hoverProvider"] and capabilities["textDocumentSync"]["change"] == 2, capabilities
client.send("initialized")

# A channel that is not saved: `prot` is no option, and completion offers what the connector has.
text = (SITE / "channels/adt_in.channel").read_text()
at = text.index("port ")
wrong = text[:at] + "prot " + text[at + 5:]
client.send("textDocument/didOpen", {"textDocument": {"uri": URI, "languageId": "hmap", "version": 1, "text": wrong}})
found = client.findings()
assert found["uri"] == URI, found["uri"]
codes = {one["code"] for one in found["diagnostics"]}
assert "E0904" in codes, codes
line = wrong[:at].count("\n")
column = at - (wrong.rfind("\n", 0, at) + 1)
place = {"textDocument": {"uri": URI}, "position": {"line": line, "character": column + 1}}
client.send("textDocument/completion", place, 2)
labels = {item["label"] for item in client.answer(2)["result"]["items"]}
assert {"port"} <= labels, labels

# The change that repairs it clears the findings; a burst of changes is answered once or more, and ends right.
begin = time.monotonic()
for version in range(2, 12):
    client.send("textDocument/didChange", {"textDocument": {"uri": URI, "version": version},
                                           "contentChanges": [{"text": wrong if version < 11 else text}]})
while client.findings()["diagnostics"]:
    pass
print(f"ten changes and the findings of the whole site: {(time.monotonic() - begin) * 1000:.0f} ms")

# Nothing that is no message ends the server.
client.write("Content-Length: 4\r\n\r\n{\"a\"")
assert client.answer(None)["error"]["code"] == -32700
client.write("garbage\r\nContent-Length: nine\r\n\r\n")
client.send("textDocument/hover", place, 3)
client.answer(3)
client.send("no/such/method", {}, 4)
assert client.answer(4)["error"]["code"] == -32601

client.send("shutdown", None, 5)
assert client.answer(5)["result"] is None
client.send("exit")
assert client.process.wait(10) == 0

# A client that just goes away.
client = Client()
client.process.stdin.close()
assert client.process.wait(10) == 1
print("kiln lsp: ok")
