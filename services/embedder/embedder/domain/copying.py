"""Rows in PostgreSQL's binary COPY format, for types that asyncpg has no binary encoder for, and for speed."""

import struct
from collections.abc import Iterable, Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">II", 0, 0)
TRAILER = struct.pack(">h", -1)
_INT4_OID = 23
_TEXT_OID = 25


def row(*values: bytes) -> bytes:
    return beginning(len(values)) + fields(*values)


def beginning(count: int) -> bytes:
    """Of a row of so many fields; what follows may be made in pieces."""
    return struct.pack(">h", count)


def fields(*values: bytes) -> bytes:
    """Some of a row's fields, one after another."""
    return b"".join(part for value in values for part in (len(value).to_bytes(4, "big"), value))


def int4(value: int) -> bytes:
    return struct.pack(">i", value)


def text(value: str) -> bytes:
    """Also the binary form of ``json``. A NUL, which Postgres cannot hold, becomes a replacement character."""
    return value.replace("\0", "\ufffd").encode()


def jsonb(value: str) -> bytes:
    return b"\x01" + text(value)


def uuid(value: UUID) -> bytes:
    return value.bytes


def text_array(values: Sequence[str]) -> bytes:
    return _array(_TEXT_OID, [text(value) for value in values])


def int4_array(values: Sequence[int]) -> bytes:
    if not values:
        return _array(_INT4_OID, [])
    elements = np.empty((len(values), 2), ">i4")
    elements[:, 0], elements[:, 1] = 4, values
    return struct.pack(">iiIii", 1, 0, _INT4_OID, len(values), 1) + elements.tobytes()


def _array(oid: int, elements: Sequence[bytes]) -> bytes:
    if not elements:
        return struct.pack(">iiI", 0, 0, oid)
    head = struct.pack(">iiIii", 1, 0, oid, len(elements), 1)
    return head + b"".join(struct.pack(">i", len(element)) + element for element in elements)


# How a position carries its weight, in its two highest bits.
_WEIGHTS = {"A": 3 << 14, "B": 2 << 14, "C": 1 << 14, "D": 0}


def tsvector(words: Iterable[tuple[str, int, str]]) -> bytes:
    """Lexemes as (word, position from 1, weight ``A`` to ``D``)."""
    places: dict[str, bytes] = {}
    for word, position, weight in words:
        places[word] = places.get(word, b"") + (position | _WEIGHTS[weight]).to_bytes(2, "big")
    parts = [struct.pack(">I", len(places))]
    for name, found in sorted([(text(word), found) for word, found in places.items()]):
        parts += (name, b"\0", (len(found) // 2).to_bytes(2, "big"), found)
    return b"".join(parts)


# One row of postings as it travels: the number of fields, then each field behind its size in bytes.
_POSTING = np.dtype(
    [
        ("fields", ">i2"),
        ("term_id_size", ">i4"),
        ("term_id", ">i4"),
        ("chunk_number_size", ">i4"),
        ("chunk_number", ">i4"),
        ("asset_number_size", ">i4"),
        ("asset_number", ">i4"),
        ("tf_size", ">i4"),
        ("tf", ">i2"),
        ("len_size", ">i4"),
        ("len", ">i2"),
    ]
)
_MOST = 32_767


def postings(
    term_ids: NDArray[np.int32],
    chunk_numbers: NDArray[np.int32],
    asset_numbers: NDArray[np.int32],
    tf: NDArray[np.int32],
    lengths: NDArray[np.int32],
) -> bytes:
    """Rows of ``postings`` from columns of equal length; counts above a smallint are cut to its most."""
    rows = np.zeros(len(term_ids), _POSTING)
    rows["fields"] = 5
    for name, values, size in (
        ("term_id", term_ids, 4),
        ("chunk_number", chunk_numbers, 4),
        ("asset_number", asset_numbers, 4),
        ("tf", np.minimum(tf, _MOST), 2),
        ("len", np.minimum(lengths, _MOST), 2),
    ):
        rows[f"{name}_size"], rows[name] = size, values
    return rows.tobytes()


def embeddings(chunk_numbers: Sequence[int], asset_numbers: int | Sequence[int], vectors: NDArray[np.float32]) -> bytes:
    """Rows of ``embeddings_<model>``; ``vectors`` of shape (chunks, dimensions), one asset for all or one for each."""
    count, dimensions = vectors.shape
    rows = np.zeros(count, _embedding(dimensions))
    rows["fields"] = 3
    rows["chunk_number_size"], rows["chunk_number"] = 4, chunk_numbers
    rows["asset_number_size"], rows["asset_number"] = 4, asset_numbers
    rows["embedding_size"], rows["dimensions"], rows["embedding"] = 4 + 2 * dimensions, dimensions, vectors
    return rows.tobytes()


def _embedding(dimensions: int) -> np.dtype[np.void]:
    """One row as it travels; a halfvec is its dimensions, two bytes of nothing, and its numbers."""
    return np.dtype(
        [
            ("fields", ">i2"),
            ("chunk_number_size", ">i4"),
            ("chunk_number", ">i4"),
            ("asset_number_size", ">i4"),
            ("asset_number", ">i4"),
            ("embedding_size", ">i4"),
            ("dimensions", ">u2"),
            ("unused", ">u2"),
            ("embedding", ">f2", (dimensions,)),
        ]
    )
