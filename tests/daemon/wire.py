# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that speaks D-Bus by itself, and so can speak it badly (D-Bus Specification 0.42)."""
import os
import socket
import struct

PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SIGNATURE, UNIX_FDS = (
    1, 2, 3, 4, 5, 6, 8, 9)
CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
LIMIT = 120  # s, as of bus.py


def pad(data, size):
    return data + bytes(-len(data) % size)


def text(s):
    """Bytes go as they are, valid or not."""
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<I", len(s)) + s + b"\0"


def signature(s):
    return bytes([len(s)]) + s.encode() + b"\0"


def header_field(code, kind, value):
    data = bytes([code]) + signature(kind)
    if kind == "u":
        return data + struct.pack("<I", value)
    return data + (signature(value) if kind == "g" else pad_then(data, text(value)))


def pad_then(before, data):
    return bytes(-len(before) % 4) + data


def build(what, serial, body, *header):
    """Of header fields (code, kind, value) those that have a value."""
    fields = b""
    for code, kind, value in header:
        if value:
            fields = pad(fields, 8) + header_field(code, kind, value)
    head = struct.pack("<cBBBII", b"l", what, 0, 1, len(body), serial)
    return pad(head + struct.pack("<I", len(fields)) + fields, 8) + body


def message(serial, destination, path, interface, member, kinds="", body=b"", fds=0):
    return build(CALL, serial, body, (PATH, "o", path), (INTERFACE, "s", interface),
                 (MEMBER, "s", member), (DESTINATION, "s", destination), (SIGNATURE, "g", kinds),
                 (UNIX_FDS, "u", fds))


class Client:
    def __init__(self, address, uid=None):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT)
        self.serial = 0
        before = os.geteuid()
        # The bus takes the credentials of the moment at which it is connected to.
        if uid is not None:
            os.seteuid(uid)
        try:
            self.socket.connect(address.removeprefix("unix:path="))
        finally:
            os.seteuid(before)
        who = str(before if uid is None else uid).encode().hex().encode()
        self.socket.sendall(b"\0AUTH EXTERNAL " + who + b"\r\n")
        reply = self.socket.recv(4096)
        assert reply.startswith(b"OK"), reply
        self.socket.sendall(b"NEGOTIATE_UNIX_FD\r\n")
        assert self.socket.recv(4096).startswith(b"AGREE_UNIX_FD")
        self.socket.sendall(b"BEGIN\r\n")
        self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")

    def call(self, *what, fds=()):
        """Sends, with descriptors, and waits for nothing."""
        self.serial += 1
        self._send(message(self.serial, *what, fds=len(fds)), fds)

    def _send(self, data, fds):
        if fds:
            sent = socket.send_fds(self.socket, [data], fds)
            data = data[sent:]
        self.socket.sendall(data)

    def _read(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise ConnectionError("the bus has hung up")
            data += more
        return data

    def receive(self):
        """The next message: its type, its serial, its header and its body."""
        head = self._read(16)
        body, serial, fields = struct.unpack_from("<III", head, 4)
        header = head + self._read(fields + -fields % 8)
        return header[1], serial, header, self._read(body)

    def fail(self, serial, caller, name):
        """Answers a call with an error without a text."""
        self.serial += 1
        self._send(build(ERROR, self.serial, b"", (ERROR_NAME, "s", name),
                         (REPLY_SERIAL, "u", serial), (DESTINATION, "s", caller)), ())

    def answer(self, serial, caller, kinds, body, fds=()):
        self.serial += 1
        self._send(build(RETURN, self.serial, body, (REPLY_SERIAL, "u", serial),
                         (DESTINATION, "s", caller), (SIGNATURE, "g", kinds),
                         (UNIX_FDS, "u", len(fds))), fds)

    def emit(self, path, interface, member, kinds, body):
        """A signal, to everybody."""
        self.serial += 1
        self._send(build(SIGNAL, self.serial, body, (PATH, "o", path), (INTERFACE, "s", interface),
                         (MEMBER, "s", member), (SIGNATURE, "g", kinds)), ())

    def ask(self, *what):
        """Sends, and returns whether an error answers, and the bytes of that message."""
        self.call(*what)
        wanted = b"\x05\x01u\0" + struct.pack("<I", self.serial)
        while True:
            kind, _, header, body = self.receive()
            if kind in (RETURN, ERROR) and wanted in header:
                return kind == ERROR, header + body

    def drain(self):
        """Throws away what has come."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(1 << 20):
                pass
        except BlockingIOError:
            pass
        finally:
            self.socket.settimeout(LIMIT)

    def close(self):
        self.socket.close()
