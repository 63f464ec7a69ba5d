"""Files that may be compressed with gzip, told by content: mirrors and browsers rename and unpack them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from fastnet.files import open_regular

GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, section 2.3.1

# DEFLATE cannot expand more than this (https://www.zlib.net/zlib_tech.html, "Maximum Compression Factor"),
# so a header that promises more than this times the size of the file is wrong, and nothing need be allocated.
MAX_EXPANSION = 1032


@contextmanager
def open_plain_or_gzip(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read its uncompressed bytes, front to back.

    A gzip file is checked against its CRC when it has been read to the end, and only then.

    Raises
    ------
    ValueError
        Inside the `with` block, if the compressed data turns out to be damaged.
    OSError
        If there is no regular file that can be read.
    """
    with open_regular(path) as raw:
        is_gzip = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        raw.seek(0)
        if not is_gzip:
            yield raw
            return
        import gzip
        import zlib

        try:
            with gzip.GzipFile(fileobj=raw) as stream:
                yield cast(BinaryIO, stream)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise ValueError(f"{path}: damaged gzip data ({error}): get a new copy of the file") from error
