# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes an initial RAM file system from the host's own files, without root.

It holds busybox, programs of the host with the libraries they need, a kernel's modules and whatever
else is asked for. The format is "newc", see the kernel's early-userspace/buffer-format.rst.
"""
import os
import re
import shutil
import stat
import subprocess

# Debian and others keep these as links into /usr.
MERGED = ('bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32')


def _canonical(path):
    parts = path.strip('/').split('/')
    return '/'.join((['usr'] if parts[0] in MERGED else []) + parts)


class Initramfs:
    def __init__(self):
        self.entries = {}
        for name in ('dev', 'proc', 'sys', 'run', 'tmp', 'mnt', 'root', 'etc', 'var/lock', 'usr'):
            self.directory(name)
        for name in ('bin', 'sbin', 'lib', 'lib64'):
            self.directory('usr/' + name)
            self.link(name, 'usr/' + name, raw=True)
        self.write('etc/passwd', b'root:x:0:0:root:/root:/bin/sh\n')
        self.write('etc/group', b'root:x:0:\ndisk:x:6:\n')

    def directory(self, path):
        path = path.strip('/')
        if path and path not in self.entries:
            self.directory(os.path.dirname(path))
            self.entries[path] = (stat.S_IFDIR | 0o755, b'')

    def write(self, path, data, mode=0o644):
        path = _canonical(path)
        self.directory(os.path.dirname(path))
        self.entries[path] = (stat.S_IFREG | mode, data)

    def link(self, path, target, raw=False):
        path = path if raw else _canonical(path)
        self.directory(os.path.dirname(path))
        self.entries[path] = (stat.S_IFLNK | 0o777, target.encode())

    def file(self, host, guest=None):
        """A file of the host under its own name; a chain of links is followed and reproduced."""
        guest = _canonical(guest or host)
        if guest in self.entries:
            return
        if os.path.islink(host):
            target = os.readlink(host)
            self.link('/' + guest, target)
            self.file(os.path.normpath(os.path.join(os.path.dirname(host), target)))
        else:
            with open(host, 'rb') as f:
                self.write('/' + guest, f.read(), stat.S_IMODE(os.stat(host).st_mode))

    def tree(self, host, guest=None, skip=()):
        for root, directories, files in os.walk(host):
            directories[:] = [d for d in directories if d not in skip]
            for name in files:
                path = os.path.join(root, name)
                relative = os.path.relpath(path, host)
                self.file(path, os.path.join(guest or host, relative))

    def program(self, path):
        """A program with its libraries; a script for which ldd has no answer goes without."""
        self.file(path)
        ldd = subprocess.run(['ldd', os.path.realpath(path)], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True, check=False)
        for library in re.findall(r'(/\S+) \(0x', ldd.stdout):
            self.file(library)

    def programs(self, names):
        path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
        for name in names:
            found = shutil.which(name, path=path)
            if not found:
                raise FileNotFoundError(f'no program {name} on this host')
            self.program(found)

    def busybox(self):
        """Every applet, where the host's own program of that name was not taken before."""
        self.programs(['busybox'])
        applets = subprocess.run(['busybox', '--list'], stdout=subprocess.PIPE, text=True, check=True)
        for name in applets.stdout.split():
            if not any(f'usr/{d}/{name}' in self.entries for d in ('bin', 'sbin')):
                self.link('usr/bin/' + name, 'busybox')

    def modules(self, directory, release, folders):
        """The modules in some folders of a kernel, and all that they depend on."""
        depends = {}
        with open(os.path.join(directory, 'modules.dep'), encoding='utf-8') as f:
            for line in f:
                module, _, needs = line.partition(':')
                depends[module] = needs.split()
        wanted = set()
        for module, needs in depends.items():
            if module.startswith(tuple('kernel/' + folder for folder in folders)):
                wanted.update([module], needs)
        for name in os.listdir(directory):
            if name.startswith('modules.'):
                wanted.add(name)
        for name in sorted(wanted):
            self.file(os.path.join(directory, name), f'/usr/lib/modules/{release}/{name}')

    def save(self, path):
        with open(path, 'wb') as out:
            # A directory comes before what is in it.
            for number, name in enumerate(sorted(self.entries), 1):
                _entry(out, number, name, *self.entries[name])
            _entry(out, 0, 'TRAILER!!!', 0, b'')


def _entry(out, number, name, mode, data):
    name = name.encode() + b'\0'
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    head = b'070701' + b''.join(b'%08x' % f for f in fields) + name
    out.write(head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4))
