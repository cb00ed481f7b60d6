# SPDX-License-Identifier: GPL-3.0-or-later
"""
Sector encryption as dm-crypt does it, through libcrypto and nothing of ours: the offline tests
compare whole plaintexts, and an oracle that shared code with what it judges would share mistakes.
IVs count 512-byte sectors whatever the encryption sector size is.
"""
import ctypes
import ctypes.util
import hashlib
import struct

_crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
for _name in ("EVP_CIPHER_CTX_new", "EVP_get_cipherbyname"):
    getattr(_crypto, _name).restype = ctypes.c_void_p
_crypto.EVP_get_cipherbyname.argtypes = [ctypes.c_char_p]
_crypto.EVP_CipherInit_ex.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_char_p] * 2 + [ctypes.c_int]
_crypto.EVP_CipherUpdate.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int]
_crypto.EVP_CIPHER_CTX_set_padding.argtypes = [ctypes.c_void_p, ctypes.c_int]
_crypto.EVP_CIPHER_CTX_free.argtypes = [ctypes.c_void_p]


class _Context:
    def __init__(self, name, key, encrypt):
        self.handle = ctypes.c_void_p(_crypto.EVP_CIPHER_CTX_new())
        cipher = ctypes.c_void_p(_crypto.EVP_get_cipherbyname(name.encode()))
        if not cipher or _crypto.EVP_CipherInit_ex(self.handle, cipher, None, key, bytes(16),
                                                   encrypt) != 1:
            raise ValueError(f"libcrypto refuses {name} with a key of {len(key)} bytes")
        _crypto.EVP_CIPHER_CTX_set_padding(self.handle, 0)

    def __del__(self):
        _crypto.EVP_CIPHER_CTX_free(self.handle)


def _iv_function(generator, key):
    if generator == "plain64":
        return lambda sector: struct.pack("<QQ", sector, 0)
    if generator == "plain":
        return lambda sector: struct.pack("<QQ", sector & 0xffffffff, 0)
    if generator == "essiv:sha256":
        salt = _Context("aes-256-ecb", hashlib.sha256(key).digest(), 1)

        def essiv(sector):
            out, length = ctypes.create_string_buffer(16), ctypes.c_int()
            block = ctypes.create_string_buffer(struct.pack("<QQ", sector, 0), 16)
            _crypto.EVP_CipherUpdate(salt.handle, out, ctypes.byref(length), block, 16)
            return out.raw
        return essiv
    raise ValueError(f"no IV generator {generator}")


def transform(spec, key, sector_size, data, encrypt, iv_sector=0):
    """@data, whole sectors of it, encrypted or decrypted as the LUKS2 cipher @spec says."""
    if len(data) % sector_size:
        raise ValueError(f"{len(data)} bytes are no whole sectors of {sector_size}")
    algorithm, mode, generator = spec.split("-", 2)
    bits = len(key) * 8 // (2 if mode == "xts" else 1)
    context = _Context(f"{algorithm}-{bits}-{mode}", key, int(encrypt))
    iv_of = _iv_function(generator, key)
    source = (ctypes.c_char * len(data)).from_buffer_copy(data)
    target = ctypes.create_string_buffer(len(data))
    length = ctypes.c_int()
    at = [ctypes.addressof(source), ctypes.addressof(target)]
    for offset in range(0, len(data), sector_size):
        if (_crypto.EVP_CipherInit_ex(context.handle, None, None, None,
                                      iv_of(iv_sector + (offset >> 9)), -1) != 1 or
                _crypto.EVP_CipherUpdate(context.handle, at[1] + offset, ctypes.byref(length),
                                         at[0] + offset, sector_size) != 1 or
                length.value != sector_size):
            raise ValueError(f"{spec}: libcrypto failed at byte {offset}")
    return target.raw
