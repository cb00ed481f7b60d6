# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands to a running QEMU, see its "QEMU Machine Protocol Specification"."""
import json
import socket
import time


class Qmp:
    """Give fileno() of .far to QEMU before it is started, then close() that end and hello()."""

    def __init__(self):
        self.near, self.far = socket.socketpair()
        self.near.settimeout(60)

    def options(self):
        return ['-chardev', f'socket,id=qmp,fd={self.far.fileno()}',
                '-mon', 'chardev=qmp,mode=control']

    def hello(self):
        self.far.close()
        self.file = self.near.makefile('rw', encoding='utf-8')
        self.file.readline()
        self.command('qmp_capabilities')

    def command(self, name, **arguments):
        json.dump({'execute': name, 'arguments': arguments}, self.file)
        self.file.flush()
        while True:
            line = self.file.readline()
            if not line:
                raise EOFError('QEMU ended')
            answer = json.loads(line)
            if 'error' in answer:
                raise OSError(f'{name}: {answer["error"]["desc"]}')
            # The rest are events.
            if 'return' in answer:
                return answer['return']

    def wait(self, name, key, wanted, limit):
        """Until @key of the answer to the query @name is one of @wanted."""
        end = time.monotonic() + limit
        while (value := self.command(name).get(key)) not in wanted:
            if time.monotonic() > end:
                raise TimeoutError(f'{name}: {key} is {value}')
            time.sleep(0.02)
        return value
