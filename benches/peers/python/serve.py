"""Python's ThreadingHTTPServer: hello and files.  usage: serve.py PORT [DIRECTORY]"""

import functools
import http.server
import sys
import time


class Hello(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == "/sleep":
            time.sleep(0.1)
        elif self.path.startswith("/sleep/"):
            time.sleep(int(self.path.removeprefix("/sleep/")) / 1e6)
        self.answer(b"Hello, World!")

    def do_POST(self):
        left = length = int(self.headers["Content-Length"])
        while left > 0:
            left -= len(self.rfile.read(min(left, 65536)))
        self.answer(str(length).encode())

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass


handler = Hello
if len(sys.argv) > 2:
    handler = functools.partial(Files, directory=sys.argv[2])
http.server.ThreadingHTTPServer.request_queue_size = 1024
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler).serve_forever()
