"""Programs that are started here and ended here, and free ports of 127.0.0.1."""

import atexit
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

_running = []
# What a Debian system has off the path of users.
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/sbin"])
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
    "PATH": PATH,
}


def find(program):
    return shutil.which(program, path=PATH)


def say(text):
    print(text, file=sys.stderr, flush=True)


def start(command, folder, **options):
    """Starts a program in a process group of its own; its output goes to a file, which has its name."""
    with open(pathlib.Path(folder, pathlib.Path(command[0]).name + ".log"), "ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            # Caddy writes there.
            env={**ENVIRONMENT, "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=options.get("stdout", log),
            stderr=log,
            start_new_session=True,
        )
    _running.append(process)
    return process


def end(process):
    """Ends a program and whatever it has started."""
    _running.remove(process)
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


@atexit.register
def end_all():
    while _running:
        end(_running[-1])


def run(command, folder, timeout):
    """Runs a program to its end: its output, or None where it failed, and whether it took too long."""
    process = start(command, folder, stdout=subprocess.PIPE)
    try:
        output, _ = process.communicate(timeout=timeout)
        return (output if process.returncode == 0 else None), False
    except subprocess.TimeoutExpired:
        return None, True
    finally:
        end(process)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_port(port, process, patience=15):
    start_time = time.monotonic()
    while time.monotonic() - start_time < patience and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False
