"""The innermost loops of convolutions, which keep a tile of the result in registers.

They are written in LLVM's language with vectors of a fixed length, because the loops of
an ordinary function are not kept in registers by the compiler. Addresses are integers,
distances are counted in elements unless said otherwise.
"""

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

from lasagne_next.dispatch.numba.symbols import by_name

__all__ = [
    "LIMIT",
    "PANEL",
    "copy_vector",
    "correlate_tiles",
    "get",
    "make_clear",
    "make_copy",
    "multiply_tiles",
    "number_access",
    "put",
    "tile_rows",
    "vector_length",
]

CACHE_VERSION = 2  # raise when anything below changes

LIMIT = 8  # most vectors of a tile
PANEL = 3  # vectors, or columns, of a usual tile

_INTEGER, _SHORT = ir.IntType(64), ir.IntType(32)
_TABLE = _INTEGER.as_pointer()


def _vector_bytes():
    if numba.config.CPU_NAME is not None:
        return 16
    features = numba.config.CPU_FEATURES
    features = get_host_cpu_features() if features is None else features
    if "+avx512f" in features.split(","):
        return 64
    return 32 if "+avx" in features.split(",") else 16


def vector_length(dtype):
    """Return how many numbers a vector of this machine has."""
    return _vector_bytes() // dtype.itemsize


def tile_rows():
    """Return how many rows tiles have that fit into the registers with 3 vectors."""
    return (4, 2, 1) if _vector_bytes() == 32 else (8, 4, 2)


class _Writer:
    """A function of a module, and the vector instructions to fill it with."""

    def __init__(self, module, name, arguments, dtype):
        self.module, self.size = module, dtype.itemsize
        self.length = vector_length(dtype)
        self.number = ir.FloatType() if dtype.itemsize == 4 else ir.DoubleType()
        self.vector = ir.VectorType(self.number, self.length)
        self.mask = ir.VectorType(ir.IntType(1), self.length)
        self.zero = ir.Constant(self.vector, [0.0] * self.length)
        self.suffix = f"v{self.length}f{8 * self.size}"
        kind = ir.FunctionType(ir.VoidType(), [_INTEGER] * arguments)
        self.function = ir.Function(module, kind, name)
        self.function.linkage = "linkonce_odr"
        self.function.attributes.add("noinline")
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))

    def block(self, name):
        return self.function.append_basic_block(name)

    def intrinsic(self, name, result, arguments):
        kind = ir.FunctionType(result, arguments)
        return cgutils.get_or_insert_function(self.module, kind, name)

    def pointer(self, address, kind):
        return self.builder.inttoptr(address, kind.as_pointer())

    def at(self, address, *distances):
        """Add distances, in elements, to an address."""
        for distance in distances:
            step = self.builder.mul(distance, _INTEGER(self.size))
            address = self.builder.add(address, step)
        return address

    def load(self, address):
        value = self.builder.load(self.pointer(address, self.vector))
        value.align = self.size
        return value

    def store(self, value, address):
        self.builder.store(value, self.pointer(address, self.vector)).align = self.size

    def load_number(self, address):
        return self.builder.load(self.pointer(address, self.number))

    def splat(self, value, kind=None):
        kind = kind or self.vector
        nothing = ir.Constant(kind, ir.Undefined)
        one = self.builder.insert_element(nothing, value, _SHORT(0))
        first = ir.Constant(ir.VectorType(_SHORT, self.length), [0] * self.length)
        return self.builder.shuffle_vector(one, nothing, first)

    def fewer(self, count):
        """Return the mask of the first elements."""
        kind = ir.VectorType(_SHORT, self.length)
        numbers = ir.Constant(kind, list(range(self.length)))
        count = self.splat(self.builder.trunc(count, _SHORT), kind)
        return self.builder.icmp_signed("<", numbers, count)

    def masked_load(self, address, mask):
        pointer = self.vector.as_pointer()
        function = self.intrinsic(
            f"llvm.masked.load.{self.suffix}.p0{self.suffix}",
            self.vector,
            [pointer, _SHORT, self.mask, self.vector],
        )
        place = self.pointer(address, self.vector)
        return self.builder.call(function, [place, _SHORT(self.size), mask, self.zero])

    def masked_store(self, value, address, mask):
        pointer = self.vector.as_pointer()
        function = self.intrinsic(
            f"llvm.masked.store.{self.suffix}.p0{self.suffix}",
            ir.VoidType(),
            [self.vector, pointer, _SHORT, self.mask],
        )
        place = self.pointer(address, self.vector)
        self.builder.call(function, [value, place, _SHORT(self.size), mask])

    def multiply_add(self, x, y, z):
        function = self.intrinsic(
            f"llvm.fmuladd.{self.suffix}", self.vector, [self.vector] * 3
        )
        return self.builder.call(function, [x, y, z])

    def sum(self, value):
        function = self.intrinsic(
            f"llvm.vector.reduce.fadd.{self.suffix}",
            self.number,
            [self.number, self.vector],
        )
        start = ir.Constant(self.number, -0.0)
        return self.builder.call(function, [start, value], fastmath=("reassoc",))

    def phis(self, kind, values, block):
        """Make one phi for each value that comes from a block."""
        phis = [self.builder.phi(kind) for _ in values]
        for phi, value in zip(phis, values, strict=True):
            phi.add_incoming(value, block)
        return phis


def _callable(name, count, write, dtype):
    """Make a function for Numba of `count` integers from what writes it."""

    def code(context, builder, signature, arguments):
        module = builder.module
        function = module.globals.get(name)
        if function is None:
            writer = _Writer(module, name, count, dtype)
            write(writer)
            function = writer.function
        values = cgutils.unpack_tuple(builder, arguments[0], count)
        builder.call(function, values)
        return context.get_dummy_value()

    @intrinsic
    def call(typing_context, arguments):
        return types.void(types.UniTuple(types.intp, count)), code

    return call


def _make_multiply(rows, vectors, dtype):
    """Make the product of a row-major block and of vectors that lie anywhere.

    The function takes ``(inner, block, offsets, table, shift, leading, accumulate)``.
    The block has the shape (inner, rows). Vector v of the inner index k is read at
    ``table[v] + offsets[k]``, its products are written at ``table[LIMIT + v] + shift``
    and, for further rows, at multiples of `leading` behind that. Only the first
    ``table[2 * LIMIT + v]`` numbers of a product are written.
    """

    def write(w):
        inner, block, offsets, table, shift, leading, accumulate = w.function.args
        b = w.builder
        table = b.inttoptr(table, _TABLE)
        offsets = b.inttoptr(offsets, _TABLE)
        entries = [
            [b.load(b.gep(table, [_INTEGER(part * LIMIT + v)])) for v in range(vectors)]
            for part in range(3)
        ]
        sources, targets, counts = entries
        masks = [w.fewer(count) for count in counts]
        places = [
            w.at(targets[v], shift, b.mul(leading, _INTEGER(row)))
            for row in range(rows)
            for v in range(vectors)
        ]
        masks = masks * rows
        entry, old, loop, end = b.block, w.block("old"), w.block("loop"), w.block("end")
        start = w.block("start")
        b.cbranch(b.icmp_signed("!=", accumulate, _INTEGER(0)), old, start)
        b.position_at_end(old)
        before = [w.masked_load(*each) for each in zip(places, masks, strict=True)]
        b.branch(start)
        b.position_at_end(start)
        sums = w.phis(w.vector, [w.zero] * len(places), entry)
        for phi, value in zip(sums, before, strict=True):
            phi.add_incoming(value, old)
        b.branch(loop)
        b.position_at_end(loop)
        (k,) = w.phis(_INTEGER, [_INTEGER(0)], start)
        sums = w.phis(w.vector, sums, start)
        offset = b.load(b.gep(offsets, [k]))
        values = [w.load(w.at(source, offset)) for source in sources]
        row_start = w.at(block, b.mul(k, _INTEGER(rows)))
        after = []
        for row in range(rows):
            factor = w.splat(w.load_number(w.at(row_start, _INTEGER(row))))
            old_sums = sums[row * vectors : (row + 1) * vectors]
            after += [
                w.multiply_add(factor, value, old_sum)
                for value, old_sum in zip(values, old_sums, strict=True)
            ]
        following = b.add(k, _INTEGER(1))
        for phi, value in zip([k, *sums], [following, *after], strict=True):
            phi.add_incoming(value, loop)
        b.cbranch(b.icmp_signed("<", following, inner), loop, end)
        b.position_at_end(end)
        for value, place, mask in zip(after, places, masks, strict=True):
            w.masked_store(value, place, mask)
        b.ret_void()

    name = f"lasagne_next.multiply.{dtype}.{rows}.{vectors}"
    return _callable(name, 7, write, dtype)


def _make_correlate(rows, columns, dtype):
    """Make the sums of products of some rows with some other rows.

    The function takes ``(samples, size, x, leading_x, sample_x, y, leading_y, sample_y,
    result)``. Rows of x have `size` numbers, those of y are filled up with zeros to
    whole vectors. All is summed over the samples, and written row-major.
    """

    def write(w):
        samples, size, x, leading_x, sample_x, y, leading_y, sample_y, result = (
            w.function.args
        )
        b = w.builder
        entry, outer, loop = b.block, w.block("outer"), w.block("loop")
        last, end = w.block("last"), w.block("end")
        b.branch(outer)
        b.position_at_end(outer)
        (sample,) = w.phis(_INTEGER, [_INTEGER(0)], entry)
        outer_sums = w.phis(w.vector, [w.zero] * (rows * columns), entry)
        x_rows = [
            w.at(x, b.mul(sample, sample_x), b.mul(leading_x, _INTEGER(row)))
            for row in range(rows)
        ]
        y_rows = [
            w.at(y, b.mul(sample, sample_y), b.mul(leading_y, _INTEGER(column)))
            for column in range(columns)
        ]
        b.branch(loop)
        b.position_at_end(loop)
        (position,) = w.phis(_INTEGER, [_INTEGER(0)], outer)
        sums = w.phis(w.vector, outer_sums, outer)
        mask = w.fewer(b.sub(size, position))
        lefts = [w.masked_load(w.at(each, position), mask) for each in x_rows]
        rights = [w.load(w.at(each, position)) for each in y_rows]
        pairs = [(left, right) for left in lefts for right in rights]
        after = [
            w.multiply_add(*pair, old) for pair, old in zip(pairs, sums, strict=True)
        ]
        following = b.add(position, _INTEGER(w.length))
        for phi, value in zip([position, *sums], [following, *after], strict=True):
            phi.add_incoming(value, loop)
        b.cbranch(b.icmp_signed("<", following, size), loop, last)
        b.position_at_end(last)
        next_sample = b.add(sample, _INTEGER(1))
        for phi, value in zip(
            [sample, *outer_sums], [next_sample, *after], strict=True
        ):
            phi.add_incoming(value, last)
        b.cbranch(b.icmp_signed("<", next_sample, samples), outer, end)
        b.position_at_end(end)
        for index, value in enumerate(after):
            place = w.pointer(w.at(result, _INTEGER(index)), w.number)
            b.store(w.sum(value), place)
        b.ret_void()

    name = f"lasagne_next.correlate.{dtype}.{rows}.{columns}"
    return _callable(name, 9, write, dtype)


def multiply_tiles(dtype):
    """Return the function of all products: rows and vectors, then as above."""

    def make():
        r0, r1, r2 = tile_rows()
        wide_0, wide_1, wide_2, wide_3 = (
            _make_multiply(rows, PANEL, dtype) for rows in (r0, r1, r2, 1)
        )
        thin_0, thin_1, thin_2, thin_3 = (
            _make_multiply(rows, 1, dtype) for rows in (r0, r1, r2, 1)
        )
        long = _make_multiply(1, LIMIT, dtype)

        @numba.njit
        def multiply(
            rows, vectors, inner, block, offsets, table, shift, leading, accumulate
        ):
            each = (inner, block, offsets, table, shift, leading, accumulate)
            if vectors == LIMIT:
                long(each)
            elif vectors == PANEL:
                if rows == r0:
                    wide_0(each)
                elif rows == r1:
                    wide_1(each)
                elif rows == r2:
                    wide_2(each)
                else:
                    wide_3(each)
            elif rows == r0:
                thin_0(each)
            elif rows == r1:
                thin_1(each)
            elif rows == r2:
                thin_2(each)
            else:
                thin_3(each)

        return multiply

    return by_name(f"lasagne_next_multiply_{dtype}", 9, make, _key())


def correlate_tiles(dtype):
    """Return the function of all sums: rows and columns, then as above."""

    def make():
        r0, r1, r2 = tile_rows()
        wide_0, wide_1, wide_2, wide_3 = (
            _make_correlate(rows, PANEL, dtype) for rows in (r0, r1, r2, 1)
        )
        thin_0, thin_1, thin_2, thin_3 = (
            _make_correlate(rows, 1, dtype) for rows in (r0, r1, r2, 1)
        )

        @numba.njit
        def correlate(
            rows,
            columns,
            samples,
            size,
            x,
            leading_x,
            sample_x,
            y,
            leading_y,
            sample_y,
            result,
        ):
            each = (
                samples,
                size,
                x,
                leading_x,
                sample_x,
                y,
                leading_y,
                sample_y,
                result,
            )
            if columns == PANEL:
                if rows == r0:
                    wide_0(each)
                elif rows == r1:
                    wide_1(each)
                elif rows == r2:
                    wide_2(each)
                else:
                    wide_3(each)
            elif rows == r0:
                thin_0(each)
            elif rows == r1:
                thin_1(each)
            elif rows == r2:
                thin_2(each)
            else:
                thin_3(each)

        return correlate

    return by_name(f"lasagne_next_correlate_{dtype}", 11, make, _key())


def _key():
    return f"{CACHE_VERSION}-{_vector_bytes()}"


def make_copy(dtype):
    """Make the copy of some numbers: ``(target, source, count)``.

    Exactly these are read and written, however short the row.
    """

    def write(w):
        target, source, count = w.function.args
        b, length = w.builder, _INTEGER(w.length)
        entry, loop, rest = b.block, w.block("loop"), w.block("rest")
        whole = b.sub(count, length)
        b.cbranch(b.icmp_signed("<=", _INTEGER(0), whole), loop, rest)
        b.position_at_end(loop)
        (done,) = w.phis(_INTEGER, [_INTEGER(0)], entry)
        w.store(w.load(w.at(source, done)), w.at(target, done))
        following = b.add(done, length)
        done.add_incoming(following, loop)
        b.cbranch(b.icmp_signed("<=", following, whole), loop, rest)
        b.position_at_end(rest)
        (done,) = w.phis(_INTEGER, [_INTEGER(0)], entry)
        done.add_incoming(following, loop)
        mask = w.fewer(b.sub(count, done))
        value = w.masked_load(w.at(source, done), mask)
        w.masked_store(value, w.at(target, done), mask)
        b.ret_void()

    return _callable(f"lasagne_next.copy.{dtype}", 3, write, dtype)


def make_clear(dtype):
    """Make what sets some vectors, and up to one more, to zero: ``(target, count)``."""

    def write(w):
        target, count = w.function.args
        b = w.builder
        entry, loop, end = b.block, w.block("loop"), w.block("end")
        b.branch(loop)
        b.position_at_end(loop)
        (done,) = w.phis(_INTEGER, [_INTEGER(0)], entry)
        w.store(w.zero, w.at(target, done))
        following = b.add(done, _INTEGER(w.length))
        done.add_incoming(following, loop)
        b.cbranch(b.icmp_signed("<", following, count), loop, end)
        b.position_at_end(end)
        b.ret_void()

    return _callable(f"lasagne_next.clear.{dtype}", 2, write, dtype)


def copy_vector(dtype):
    """Make the copy of one vector, from and to any addresses."""
    length, size = vector_length(dtype), dtype.itemsize
    number = ir.FloatType() if size == 4 else ir.DoubleType()
    pointer = ir.VectorType(number, length).as_pointer()

    @intrinsic
    def copy(typing_context, target, source):
        def code(context, builder, signature, arguments):
            target, source = (builder.inttoptr(each, pointer) for each in arguments)
            value = builder.load(source)
            value.align = size
            builder.store(value, target).align = size
            return context.get_dummy_value()

        return types.void(types.intp, types.intp), code

    return copy


@intrinsic
def get(typing_context, table, index):
    """Read an integer of a table, given by its address, without any checks."""

    def code(context, builder, signature, arguments):
        table = builder.inttoptr(arguments[0], _TABLE)
        return builder.load(builder.gep(table, [arguments[1]]))

    return types.intp(types.intp, types.intp), code


@intrinsic
def put(typing_context, table, index, value):
    """Write an integer into a table, given by its address, without any checks."""

    def code(context, builder, signature, arguments):
        table = builder.inttoptr(arguments[0], _TABLE)
        builder.store(arguments[2], builder.gep(table, [arguments[1]]))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), code


def number_access(dtype):
    """Make functions that read and write a number behind an address, unchecked."""
    number = ir.FloatType() if dtype.itemsize == 4 else ir.DoubleType()
    kind = types.float32 if dtype.itemsize == 4 else types.float64

    @intrinsic
    def read(typing_context, address, index):
        def code(context, builder, signature, arguments):
            start = builder.inttoptr(arguments[0], number.as_pointer())
            return builder.load(builder.gep(start, [arguments[1]]))

        return kind(types.intp, types.intp), code

    @intrinsic
    def write(typing_context, address, index, value):
        def code(context, builder, signature, arguments):
            start = builder.inttoptr(arguments[0], number.as_pointer())
            builder.store(arguments[2], builder.gep(start, [arguments[1]]))
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, kind), code

    return read, write
