"""The clients: each posts a file and prints the status, a line feed, and the body of the answer."""

import pathlib
import re
import subprocess
import sys

from processes import ENVIRONMENT, find, say

PROGRAMS = pathlib.Path(__file__).parent / "programs"


class Client:
    def __init__(self, name, command, version, knows_expect=True):
        self.name, self.command = name, command
        self.version = version and number_in(version)
        self.knows_expect = knows_expect


def number_in(text):
    """The version in what a program tells about itself."""
    number = re.search(r"\d+(\.\d+)+", text)
    return number[0] if number else "?"


def output(*command, **options):
    """What a program prints, or None if it is missing or fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=600, env=ENVIRONMENT, check=True, **options
        )
        return done.stdout.decode(errors="replace").strip()
    except (OSError, subprocess.SubprocessError):
        return None


def curl(url, file, expects, *more):
    field = ["-H", "Expect: 100-continue"] if expects else []
    # Its status goes in front, where that of others is.
    script = 'status=$(curl -q -sS -o "$0" -w "%{http_code}" "$@") && echo "$status" && cat "$0"'
    answer = f"{file}.answer"
    return ["sh", "-c", script, answer, "--data-binary", f"@{file}", *field, *more, url]


def curl_at_once(url, file, expects):
    return curl(url, file, expects, "-H", "Expect:")


def wget(url, file, expects):
    script = (
        'wget -q --no-config -t 1 --content-on-error -O "$0" --save-headers "$@" || [ $? -eq 8 ] || exit 1; '
        'head -n 1 "$0" | cut -d " " -f 2; sed "1,/^\\r*$/d" "$0"'
    )
    return ["sh", "-c", script, f"{file}.answer", f"--post-file={file}", url]


def interpreted(*command):
    def build(url, file, expects):
        return [*command, url, file, *(["expect"] if expects else [])]

    return build


def python_client(name, module):
    version = output(sys.executable, "-c", f"import {module}; print({module}.__version__)")
    command = interpreted(sys.executable, str(PROGRAMS / f"{module}_client.py"))
    return Client(name, command, version)


def go(folder):
    built = find("go") and output(
        "go", "build", "-o", f"{folder}/go-client", str(PROGRAMS / "main.go"), cwd=folder
    )
    version = output("go", "version") if built is not None else None
    return Client("Go", interpreted(f"{folder}/go-client"), version)


def rust(folder):
    manifest = pathlib.Path(__file__).parent / "rust" / "Cargo.toml"
    target = manifest.parent / "target"
    built = output("cargo", "build", "--release", "--locked", "--manifest-path", str(manifest),
                   "--target-dir", str(target))
    lock = (manifest.parent / "Cargo.lock").read_text().split("\n\n")
    for name in ["ureq", "reqwest"]:
        versions = [part.split('"')[3] for part in lock if f'name = "{name}"\n' in part]
        version = versions[0] if built is not None else None
        yield Client(name, interpreted(f"{target}/release/upload-clients", name), version)


def all_clients(folder):
    """Those that are there; the others are named."""
    curl_version = output("curl", "--version")
    clients = [
        Client("curl", curl, curl_version),
        Client("curl without Expect", curl_at_once, curl_version, knows_expect=False),
        Client("wget", wget, output("wget", "--version"), knows_expect=False),
        Client("http.client", interpreted(sys.executable, str(PROGRAMS / "http_client.py")),
               sys.version),
        python_client("requests", "requests"),
        python_client("aiohttp", "aiohttp"),
        Client("Node", interpreted("node", str(PROGRAMS / "node.js")), output("node", "--version")),
        go(folder),
        *rust(folder),
        Client("LWP", interpreted("perl", str(PROGRAMS / "lwp.pl")),
               output("perl", "-MLWP", "-e", "print $LWP::VERSION")),
    ]
    for client in clients:
        if not client.version:
            say(f"skipped: {client.name} is missing")
    return [client for client in clients if client.version]
