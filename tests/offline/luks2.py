# SPDX-License-Identifier: GPL-3.0-or-later
"""
Reads and forges LUKS2 headers. A forged header carries right checksums, so that what refuses it has
looked at what it says. Layout: LUKS2 On-Disk Format Specification, section 2.
"""
import hashlib
import io
import json
import struct

MAGICS = (b"LUKS\xba\xbe", b"SKUL\xba\xbe")
CSUM = slice(448, 512)


class BadHeader(Exception):
    pass


def _checksum(copy):
    return hashlib.sha256(copy[:CSUM.start] + bytes(64) + copy[CSUM.stop:]).digest()


def _read_copy(f, which, offset):
    f.seek(offset)
    block = f.read(4096)
    magic, version, size, seqid = struct.unpack_from(">6sHQQ", block)
    if magic != MAGICS[which] or version != 2:
        raise BadHeader(f"no LUKS2 header at byte {offset}")
    block += f.read(size - 4096)
    if block[CSUM][:32] != _checksum(block):
        raise BadHeader(f"wrong checksum of the header copy at byte {offset}")
    text = block[4096:].rstrip(b"\0")
    return seqid, size, json.loads(text)


def copies(path):
    """Both header copies as (seqid, metadata); BadHeader if one of them is damaged."""
    with open(path, "rb") as f:
        seqid, size, metadata = _read_copy(f, 0, 0)
        second_seqid, _, second_metadata = _read_copy(f, 1, size)
    return (seqid, metadata), (second_seqid, second_metadata)


def metadata(path):
    """The metadata of a volume, from the copy that wins."""
    with open(path, "rb") as f:
        tree = winner(f.read(2 * 0x4000))
    if not tree:
        raise BadHeader(f"{path}: neither header copy is whole")
    return tree


# Where the texts of a binary header are, and how long they may be.
FIELDS = {"label": (24, 48), "uuid": (168, 40), "subsystem": (208, 48)}


def forge(path, change=lambda tree: None, text=None, seqid=None, **fields):
    """
    Applies @change to the metadata and writes both copies, with the sequence number @seqid (by
    default one on). @text, a function of bytes, changes the JSON as it is written, into what may be
    no JSON; @fields are bytes for FIELDS.
    """
    with open(path, "r+b") as f:
        before, size, tree = _read_copy(f, 0, 0)
        change(tree)
        written = json.dumps(tree, separators=(",", ":")).encode()
        if text:
            written = text(written)
        for offset in (0, size):
            f.seek(offset)
            copy = bytearray(f.read(size))
            struct.pack_into(">Q", copy, 16, before + 1 if seqid is None else seqid)
            for name, value in fields.items():
                start, length = FIELDS[name]
                copy[start:start + length] = value.ljust(length, b"\0")
            copy[4096:] = written.ljust(size - 4096, b"\0")
            copy[CSUM] = _checksum(bytes(copy)).ljust(64, b"\0")
            f.seek(offset)
            f.write(copy)


def set_token(tree, content, number="9"):
    """For forge(): a token, in place of the one of its type if there is one."""
    for n, token in tree["tokens"].items():
        if token["type"] == content["type"]:
            number = n
    tree["tokens"][number] = {"keyslots": [], **content}


def _whole_copies(header):
    """What _read_copy() has of each copy in the bytes @header; None for one that is torn."""
    found = []
    for which, offset in ((0, 0), (1, 0x4000)):
        try:
            found.append(_read_copy(io.BytesIO(header), which, offset))
        except (BadHeader, ValueError):
            found.append(None)
    return found


def sequence_numbers(header):
    """Of both copies in the bytes @header; None for one that is torn."""
    return tuple(copy and copy[0] for copy in _whole_copies(header))


def winner(header):
    """The metadata in the bytes @header; None where both copies are torn."""
    whole = [copy for copy in _whole_copies(header) if copy]
    return max(whole, key=lambda copy: copy[0])[2] if whole else None


def uuid(path):
    with open(path, "rb") as f:
        f.seek(FIELDS["uuid"][0])
        return f.read(FIELDS["uuid"][1]).rstrip(b"\0").decode()


def damage(path, which):
    """Makes header copy 0 or 1 invalid."""
    with open(path, "r+b") as f:
        _, size, _ = _read_copy(f, 0, 0)
        f.seek(which * size + 4096 + 10)
        byte = f.read(1)
        f.seek(-1, 1)
        f.write(bytes([byte[0] ^ 0x55]))


def regular_segments(tree):
    """Segments that describe the present mapping, in order (no backup segments)."""
    return [s for _, s in sorted(tree["segments"].items(), key=lambda kv: int(kv[0]))
            if not any(flag.startswith("backup") for flag in s.get("flags", []))]


def state(tree):
    """"none", "clean" or "hot", as stock cryptsetup tells them apart."""
    if "requirements" not in tree["config"]:
        return "none"
    hot = any("in-reencryption" in s.get("flags", []) for s in regular_segments(tree))
    return "hot" if hot else "clean"


def reencrypt_slot(tree):
    for number, slot in tree["keyslots"].items():
        if slot["type"] == "reencrypt":
            return number
    return None


def luks_slots(tree):
    return {n for n, slot in tree["keyslots"].items() if slot["type"] == "luks2"}


def digest_of(tree, segment):
    """The number of the digest that the segment with that number belongs to."""
    return next(n for n, d in tree["digests"].items() if segment in d["segments"])


def backup(tree, flag):
    """(number, segment) of the "backup-previous" or "backup-final" segment."""
    return next((n, s) for n, s in tree["segments"].items() if flag in s.get("flags", []))
