"""Folders in the shape of the public data sets: images whose pixels tell their number, label files."""

import struct

import av
import cv2
import numpy as np
import openpyxl


def picture(value):
    rows = np.full((6, 8, 3), value % 251, np.uint8)
    rows[0, 0] = value // 251 % 256, value // 251 // 256, 9
    return rows


def put_frames(folder, numbers, name="img{}.png", first=0):
    """Lossless images whose pixels tell their number (plus `first`, to make clips differ)."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        cv2.imwrite(str(folder / name.format(number)), picture(number + first))


def put_xlsx(path, *sheets):
    """Sheets are lists of rows, or (title, rows)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    book = openpyxl.Workbook()
    book.remove(book.active)
    for k, sheet in enumerate(sheets):
        title, rows = sheet if isinstance(sheet, tuple) else (f"Sheet{k + 1}", sheet)
        page = book.create_sheet(title)
        for row in rows:
            page.append(row)
    book.save(path)


HEADER2 = ["Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None, "Action Units",
           "Estimated Emotion"]  # fmt: skip


def row2(subject, clip, onset, apex, offset, aus="4", emotion="others"):
    return [subject, clip, None, onset, apex, offset, None, aus, emotion]


def put_video(path, n_frames):
    """Gray pictures of brightness 20 k."""
    with av.open(str(path), "w") as video:
        stream = video.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.bit_rate = 64, 64, 2_000_000
        for k in range(n_frames):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 20 * k, np.uint8), format="rgb24")
            video.mux(stream.encode(frame))
        video.mux(stream.encode())


def put_xls(path, rows):
    """A BIFF 2 workbook (Excel 2.1): the oldest and smallest `.xls` there is."""
    records = [(0x0009, struct.pack("<HH", 2, 0x10))]
    for r, row in enumerate(rows):
        for c, cell in enumerate(row):
            place = struct.pack("<HH3s", r, c, bytes(3))
            if isinstance(cell, int | float):
                records.append((0x0003, place + struct.pack("<d", cell)))
            elif cell:
                records.append((0x0004, place + struct.pack("<B", len(cell)) + cell.encode("latin-1")))
    records.append((0x000A, b""))
    path.write_bytes(b"".join(struct.pack("<HH", kind, len(body)) + body for kind, body in records))
