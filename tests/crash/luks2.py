# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of the LUKS2 header as is needed to say which key a sector is encrypted with."""
import hashlib
import json
import struct

MAGICS = (b'LUKS\xba\xbe', b'SKUL\xba\xbe')
# Offset and length of the checksum in the binary header, LUKS2 specification section 2.1.
CHECKSUM = (448, 64)


def _copy(image, offset, magic):
    head = bytearray(image[offset:offset + 4096])
    if head[:6] != magic:
        return None
    size, seqid = struct.unpack_from('>QQ', head, 8)
    if not 0x4000 <= size <= 0x400000 or offset + size > len(image):
        return None
    stored = bytes(head[CHECKSUM[0]:sum(CHECKSUM)])
    head[CHECKSUM[0]:sum(CHECKSUM)] = bytes(CHECKSUM[1])
    text = bytes(image[offset + 4096:offset + size])
    if hashlib.sha256(bytes(head) + text).digest() != stored[:32]:
        return None
    return seqid, json.loads(text.rstrip(b'\0'))


def header(image):
    """The JSON of the copy that wins, or None when there is no whole one."""
    size = struct.unpack_from('>Q', image, 8)[0]
    copies = [_copy(image, 0, MAGICS[0]), _copy(image, size, MAGICS[1])]
    best = max((c for c in copies if c), key=lambda c: c[0], default=None)
    return best[1] if best else None


def in_reencryption(metadata):
    return any(r.startswith('online-reencrypt')
               for r in metadata['config'].get('requirements', {}).get('mandatory', []))


def area_sector_size(metadata):
    """The unit that the checksums of an interrupted hotzone stand for, or 512."""
    for slot in metadata['keyslots'].values():
        if slot['type'] == 'reencrypt':
            return slot['area'].get('sector_size', 512)
    return 512


class Segment:
    def __init__(self, json_segment, key, hot):
        self.begin = int(json_segment['offset'])
        size = json_segment['size']
        self.end = 1 << 62 if size == 'dynamic' else self.begin + int(size)
        self.iv = int(json_segment['iv_tweak'])
        self.cipher = json_segment['encryption']
        self.sector_size = json_segment['sector_size']
        self.key = key
        self.hot = hot


def segments(metadata):
    """The regular segments; their key is the base64 digest of the volume key."""
    result = []
    final = next((n for n, s in metadata['segments'].items()
                  if 'backup-final' in s.get('flags', [])), None)
    for number, s in metadata['segments'].items():
        flags = s.get('flags', [])
        if any(f.startswith('backup-') for f in flags):
            continue
        digests = [d for d in metadata['digests'].values() if number in d['segments']]
        hot = 'in-reencryption' in flags
        if hot:
            # It belongs to both keys; what is written to it is new.
            digests = [d for d in digests if final in d['segments']]
        result.append(Segment(s, digests[0]['digest'], hot))
    return result
