"""Files with a frame around their content: the content is damaged and the frame made right again, so that a reader looks inside."""

import io
import json
import struct
import zipfile
import zlib
from random import Random

from support.pngs import png_chunk

from fuzz.mutations import damaged, damaged_json, damaged_text

MAT_HEADER = 128
SHAPES = ("(10**9, 8)", "(999999999, 999999999)", "(-1, 8)", "(6, True)", "()", "(0, 0)", "(48,)", "(2.0, 24)", "[6, 8]", "(6, 8, 1)")


def damaged_png(data: bytes, random: Random) -> bytes:
    """A chunk with other content, left out, doubled or moved; with the right checksum, and sometimes a wrong length."""
    chunks = []
    place = 8
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += length + 12
    number = random.randrange(len(chunks))
    kind, content = chunks[number]
    length = None
    match random.randrange(6):
        case 0:
            del chunks[number]
        case 1:
            chunks.insert(random.randrange(len(chunks)), (kind, content))
        case 2:
            length = random.choice((0, 1, 2**31 - 1, 2**32 - 1, 2**32 - 16, len(content) + 1))
        case 3 if kind == b"IDAT":
            chunks[number] = kind, zlib.compress(damaged(zlib.decompress(content), random))
        case _:
            chunks[number] = kind, damaged(content, random)
    wrong = [length if place == number else None for place in range(len(chunks))]
    return data[:8] + b"".join(png_chunk(*chunk, size) for chunk, size in zip(chunks, wrong, strict=True))


def damaged_zip(data: bytes, random: Random) -> bytes:
    """A member with other content, most often the pickle of a PyTorch file; left out; or of another name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    pickled = [name for name in members if name.endswith("data.pkl")]
    name = random.choice([*pickled, *pickled, random.choice(list(members))])
    match random.randrange(8):
        case 0:
            del members[name]
        case 1:
            members[name[:-1]] = members.pop(name)
        case _:
            members[name] = damaged(members[name], random)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return made.getvalue()


def damaged_mat(data: bytes, random: Random) -> bytes:
    """The first variable of a MATLAB file with other content; packed anew, where it was packed."""
    kind, size = struct.unpack_from("<II", data, MAT_HEADER)
    content = data[MAT_HEADER + 8 : MAT_HEADER + 8 + size]
    if kind == 15:
        content = zlib.decompress(content)
    near = None if random.random() < 0.3 else min(len(content), 600)  # where the sizes stand
    content = damaged(content, random, near)
    if kind == 15:
        content = zlib.compress(content)
    return data[:MAT_HEADER] + struct.pack("<II", kind, len(content)) + content


def damaged_safetensors(data: bytes, random: Random) -> bytes:
    """Another header, or the toolkit's own entry in it."""
    (length,) = struct.unpack_from("<Q", data)
    header, tensors = data[8 : 8 + length].decode(), data[8 + length :]
    if random.random() < 0.5:
        entries = json.loads(header)
        own = damaged_json(entries["__metadata__"]["ainet"], random).decode("utf-8", "replace")
        entries["__metadata__"]["ainet"] = own
        changed = json.dumps(entries).encode()
    else:
        changed = damaged_json(header, random)
    return struct.pack("<Q", len(changed)) + changed + tensors


def damaged_npy(data: bytes, random: Random) -> bytes:
    """Another header."""
    length = struct.unpack_from("<H", data, 8)[0]
    header = data[10 : 10 + length].decode().rstrip()
    changed = damaged_text(header, random) if random.random() < 0.5 else damaged(header.encode(), random)
    if random.random() < 0.3:
        changed = header.replace("(6, 8)", random.choice(SHAPES)).encode()
    return data[:8] + struct.pack("<H", len(changed) % 65536) + changed + data[10 + length :]
