# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Read BTF from a kernel's image without booting it."""
import gzip
import lzma
import struct
import subprocess

BZIMAGE_MAGIC = (0x202, b'HdrS')  # Documentation/arch/x86/boot.rst
ZBOOT_MAGIC = (4, b'zimg')        # drivers/firmware/efi/libstub/zboot-header.S
# The beginning of struct btf_header (include/uapi/linux/btf.h), little endian: magic, version, flags, hdr_len and
# type_off, which is 0. type_len, str_off and str_len follow.
BTF_START = struct.pack('<HBBII', 0xeb9f, 1, 0, 24, 0)


class NoBtf(Exception):
    pass


def tool(*command):
    """A decompressor that ignores whatever follows the data: a kernel's image appends the length."""
    def decompress(data):
        done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return done.stdout
    return decompress


DECOMPRESSORS = (
    (b'\x1f\x8b', lambda data: gzip.decompress(data)),
    (b'\xfd7zXZ\0', lambda data: lzma.LZMADecompressor().decompress(data)),
    (b'\x28\xb5\x2f\xfd', tool('zstd', '-dcq')),
    (b'\x02\x21\x4c\x18', tool('lz4', '-dcq')),
)


def payload(image):
    """The compressed kernel in an x86 bzImage or an EFI zboot image; any other image is the payload itself."""
    def has(magic):
        return image[magic[0]:magic[0] + len(magic[1])] == magic[1]
    if has(BZIMAGE_MAGIC):
        setup_sectors = image[0x1f1] or 4
        offset, length = struct.unpack_from('<II', image, 0x248)
        start = (setup_sectors + 1) * 512 + offset
        return image[start:start + length - 4]  # the uncompressed length follows
    if has(ZBOOT_MAGIC):
        start, length = struct.unpack_from('<II', image, 8)
        return image[start:start + length]
    return image


def decompressed(data):
    for magic, decompress in DECOMPRESSORS:
        if data.startswith(magic):
            return decompress(data)
    return data


def of_kernel(path):
    """The content of section .BTF of the kernel whose image is at path."""
    with open(path, 'rb') as file:
        kernel = decompressed(payload(file.read()))
    at = kernel.find(BTF_START)
    while at >= 0:
        type_length, string_offset, string_length = struct.unpack_from('<III', kernel, at + len(BTF_START))
        end = at + 24 + string_offset + string_length
        if string_offset == type_length and string_length and end <= len(kernel) and kernel[end - 1] == 0:
            return kernel[at:end]
        at = kernel.find(BTF_START, at + 1)
    raise NoBtf(f'{path}: no BTF in it')
