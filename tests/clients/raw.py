"""A client that reads while it sends, as a browser does: what it loses, the proxy or the server has lost."""

import socket
import threading
import time

BLOCK = b"x" * 65536


class Lost(Exception):
    """The connection ended before its answer was whole."""


class Connection:
    def __init__(self, port, timeout):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def line(self):
        line = self.file.readline(65536)
        if not line.endswith(b"\n"):
            raise Lost("in the head")
        return line.rstrip(b"\r\n").decode("latin-1")

    def head(self):
        status = int(self.line().split()[1])
        fields = {}
        while line := self.line():
            name, value = line.split(":", 1)
            fields[name.lower()] = value.strip()
        return status, fields

    def whole(self, count):
        body = self.file.read(count)
        if len(body) < count:
            raise Lost("in the body")
        return body

    def body(self, fields):
        if "chunked" in fields.get("transfer-encoding", ""):
            body = b""
            while size := int(self.line().split(";")[0], 16):
                body += self.whole(size)
                self.line()
            while self.line():
                pass
            return body
        if "content-length" in fields:
            return self.whole(int(fields["content-length"]))
        fields["connection"] = "close"
        return self.file.read()

    def answer(self):
        """The status, the body, and whether the connection is kept."""
        status, fields = self.head()
        while status < 200:
            status, fields = self.head()
        return status, self.body(fields), fields.get("connection", "").lower() != "close"

    def send_body(self, size, pause):
        """In two parts with a pause between them, or as fast as it goes. An end is seen by who reads."""
        try:
            for number, left in enumerate(range(size, 0, -len(BLOCK))):
                if number == 1 and pause:
                    time.sleep(pause)
                self.socket.sendall(BLOCK[: min(left, len(BLOCK))])
        except OSError:
            pass

    def post(self, path, size, expects=False, pause=0):
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n"
        head += "Expect: 100-continue\r\n\r\n" if expects else "\r\n"
        self.socket.sendall(head.encode())
        if expects:
            status, fields = self.head()
            if status >= 200:
                return status, self.body(fields), False
        sender = threading.Thread(target=self.send_body, args=(size, pause), daemon=True)
        sender.start()
        answer = self.answer()
        sender.join(self.socket.gettimeout())
        return answer

    def get(self, path):
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return self.answer()
