"""Write a small TensorFlow Lite file, for the tests of its reader."""

import flatbuffers
import numpy as np

BUILTIN = {
    "add": 0, "concatenation": 2, "conv_2d": 3, "depthwise_conv_2d": 4, "dequantize": 6,
    "max_pool_2d": 17, "relu": 19, "reshape": 22, "pad": 34, "prelu": 54, "tanh": 28,
}  # fmt: skip
TYPES = {np.dtype(np.float32): 0, np.dtype(np.float16): 1, np.dtype(np.int32): 2}
# Kind -> number of the options' union member, and for each option its field, "b" byte or "i" int.
OPTIONS = {
    "conv_2d": (
        1,
        {"padding": (0, "b"), "stride_w": (1, "i"), "stride_h": (2, "i"), "activation": (3, "b")},
    ),
    "depthwise_conv_2d": (
        2,
        {"padding": (0, "b"), "stride_w": (1, "i"), "stride_h": (2, "i"), "multiplier": (3, "i")},
    ),
    "max_pool_2d": (
        5,
        {
            "padding": (0, "b"),
            "stride_w": (1, "i"),
            "stride_h": (2, "i"),
            "width": (3, "i"),
            "height": (4, "i"),
        },
    ),
    "concatenation": (10, {"axis": (0, "i")}),
}


class TfliteFile:
    """Collects tensors and operators; `write` makes the file."""

    def __init__(self):
        self.builder = flatbuffers.Builder(1024)
        self.tensors, self.buffers, self.operators, self.kinds = [], [self._buffer(b"")], [], []

    def tensor(self, shape, array=None):
        """Number of a new tensor; constant where an array is given."""
        b = self.builder
        kind = TYPES[array.dtype] if array is not None else 0
        if array is not None:
            self.buffers.append(self._buffer(array.tobytes()))
        where = len(self.buffers) - 1 if array is not None else 0
        dims = self._ints(shape)
        b.StartObject(4)
        b.PrependUOffsetTRelativeSlot(0, dims, 0)
        b.PrependInt8Slot(1, kind, 0)
        b.PrependUint32Slot(2, where, 0)
        self.tensors.append(b.EndObject())
        return len(self.tensors) - 1

    def constant(self, array):
        return self.tensor(array.shape, array)

    def operator(self, kind, inputs, shape, **options):
        """Number of the tensor that a new operator makes."""
        b = self.builder
        output = self.tensor(shape)
        member, table = self._options(kind, options)
        ins, outs = self._ints(inputs), self._ints([output])
        self.kinds.append(kind)
        b.StartObject(5)
        b.PrependUint32Slot(0, len(self.kinds) - 1, 0)
        b.PrependUOffsetTRelativeSlot(1, ins, 0)
        b.PrependUOffsetTRelativeSlot(2, outs, 0)
        b.PrependUint8Slot(3, member, 0)
        if member:
            b.PrependUOffsetTRelativeSlot(4, table, 0)
        self.operators.append(b.EndObject())
        return output

    def write(self, path, inputs, outputs):
        b = self.builder
        codes = [self._code(BUILTIN[kind]) for kind in self.kinds]
        parts = [self._tables(x) for x in (codes, self.tensors, self.operators, self.buffers)]
        ins, outs = self._ints(inputs), self._ints(outputs)
        b.StartObject(4)
        for slot, part in enumerate((parts[1], ins, outs, parts[2])):
            b.PrependUOffsetTRelativeSlot(slot, part, 0)
        graph = self._tables([b.EndObject()])
        b.StartObject(5)
        b.PrependUint32Slot(0, 3, 0)
        for slot, part in ((1, parts[0]), (2, graph), (4, parts[3])):
            b.PrependUOffsetTRelativeSlot(slot, part, 0)
        b.Finish(b.EndObject(), file_identifier=b"TFL3")
        path.write_bytes(b.Output())

    def _buffer(self, data):
        b = self.builder
        vector = b.CreateByteVector(data) if data else None
        b.StartObject(1)
        if vector:
            b.PrependUOffsetTRelativeSlot(0, vector, 0)
        return b.EndObject()

    def _code(self, number):
        b = self.builder
        b.StartObject(4)
        b.PrependInt8Slot(0, number, 0)
        b.PrependInt32Slot(3, number, 0)
        return b.EndObject()

    def _options(self, kind, options):
        if kind not in OPTIONS:
            return 0, 0
        member, fields = OPTIONS[kind]
        b = self.builder
        b.StartObject(7)
        for option, value in options.items():
            slot, size = fields[option]
            (b.PrependInt8Slot if size == "b" else b.PrependInt32Slot)(slot, value, -1)
        return member, b.EndObject()

    def _ints(self, values):
        return self.builder.CreateNumpyVector(np.asarray(values, np.int32))

    def _tables(self, offsets):
        b = self.builder
        b.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            b.PrependUOffsetTRelative(offset)
        return b.EndVector()
