"""Products of windows with filters: convolutions and their transposes.

All windows of a few positions are multiplied with all filters at once. The positions
are spread over vectors. Where rows are long these are read in place, otherwise the
windows are gathered in a panel first. The transpose of a convolution with a stride
falls into as many convolutions without one as its outputs have phases.
"""

import numpy as np

from lasagne_next.dispatch.numba.tasks import num_threads, run_tasks
from lasagne_next.dispatch.numba.tiles import (
    LIMIT,
    PANEL,
    get,
    multiply_tiles,
    number_access,
    put,
    vector_length,
)
from lasagne_next.dispatch.numba.windows import (
    BATCH,
    CHANNELS,
    DILATION,
    FILTER_SIZES,
    FILTERS,
    FLIP,
    GROUPS,
    LENGTH,
    PAD,
    STRIDE,
    TRANSPOSED,
    W_ADDRESS,
    X_ADDRESS,
    X_SIZES,
    Y_ADDRESS,
    Y_SIZES,
    compiled,
    make_copies,
    rows_of_block,
    three,
)

__all__ = ["make_windows_times_filters"]

PANEL_INNER = 1024  # most rows of a panel
REGION_BYTES = 1 << 18  # aim for a region that stays in the cache
FEW_FLOPS = 4_000_000  # not worth a thread

# Places in the description of a phase; three entries each at first.
FIRST, STEP, COUNT, START, GAP, REACH = range(0, 18, 3)
TAPS, INNER, BLOCKS, OFFSETS, PLANE, PITCH, ROWS, AXIS = range(18, 26)
CHUNK, CHUNKS, IN_PLACE, TASK = range(26, 30)
PHASE_LENGTH = 32

# Places behind the arguments of the kernel.
PHASES, NUM_PHASES, SCRATCH, SCRATCH_SIZE, PANEL_OFFSETS = range(LENGTH, LENGTH + 5)
REGION_SIZE, TILE_SIZE, PANEL_SIZE = range(LENGTH + 5, LENGTH + 8)
TABLES = 2 * LENGTH


def make_windows_times_filters(dtype):
    """Make the kernel, a function of the address of the arguments."""
    length, item = vector_length(dtype), dtype.itemsize
    width = PANEL * length
    kind, zero = dtype.type, dtype.type(0)
    read, write = number_access(dtype)
    copy_region, list_pieces, copy_pieces = make_copies(dtype)
    multiply_tile = multiply_tiles(dtype)

    @compiled
    def multiply(
        filters, inner, all_inner, done, blocks, offsets, table, leading, vectors
    ):
        """Multiply all filters with the vectors of the table."""
        m = 0
        accumulate = np.intp(done > 0)
        while m < filters:
            rows = rows_of_block(filters - m)
            block = blocks + (m * all_inner + done * rows) * item
            shift = m * leading
            if vectors in (PANEL, LIMIT):
                step = vectors
            else:
                step = 1
            for v in range(0, vectors, step):
                multiply_tile(
                    rows,
                    step,
                    inner,
                    block,
                    offsets,
                    table + 8 * v,
                    shift,
                    leading,
                    accumulate,
                )
            m += rows

    @compiled
    def describe(p, phase, r):
        """Describe what one phase computes: where it reads, where it writes."""
        transposed = get(p, TRANSPOSED)
        for axis in range(3):
            stride, pad = get(p, STRIDE + axis), get(p, PAD + axis)
            size, dilation = get(p, FILTER_SIZES + axis), get(p, DILATION + axis)
            if not transposed:
                put(phase, FIRST + axis, -pad)
                put(phase, STEP + axis, stride)
                put(phase, COUNT + axis, get(p, Y_SIZES + axis))
                put(phase, START + axis, 0)
                put(phase, GAP + axis, 1)
                put(phase, REACH + axis, (size - 1) * dilation)
                continue
            # Position i of x, padded j = i + pad = stride * q + r, gets y[q - e] of all
            # filter positions u with dilation * u = stride * e + r.
            low, high = -1, -1
            for u in range(size):
                if (dilation * u - r[axis]) % stride == 0 and dilation * u >= r[axis]:
                    high = (dilation * u - r[axis]) // stride
                    low = high if low < 0 else low
            begin = -((r[axis] - pad) // stride)
            last = (pad + get(p, X_SIZES + axis) - 1 - r[axis]) // stride
            put(phase, FIRST + axis, begin - high)
            put(phase, STEP + axis, 1)
            put(phase, COUNT + axis, max(0, last - begin + 1))
            put(phase, START + axis, stride * begin + r[axis] - pad)
            put(phase, GAP + axis, stride)
            put(phase, REACH + axis, high - low if low >= 0 else -1)

    @compiled
    def list_taps(p, phase, r, taps):
        """List the filter positions of a phase: pairs of index and three shifts."""
        transposed, flip = get(p, TRANSPOSED), get(p, FLIP)
        sizes, stride = three(p, FILTER_SIZES), three(p, STRIDE)
        dilation, reach = three(p, DILATION), three(phase, REACH)
        total = sizes[0] * sizes[1] * sizes[2]
        first = three(phase, FIRST)
        pad = three(p, PAD)
        number = 0
        for index in range(total):
            u = (
                index // (sizes[1] * sizes[2]),
                index // sizes[2] % sizes[1],
                index % sizes[2],
            )
            fits = True
            for axis in range(3):
                shift = dilation[axis] * u[axis]
                if transposed:
                    ahead = shift - r[axis]
                    fits = fits and ahead >= 0 and ahead % stride[axis] == 0
                    begin = -((r[axis] - pad[axis]) // stride[axis])
                    shift = begin - first[axis] - ahead // stride[axis]
                put(taps, 4 * number + 1 + axis, shift)
            if fits and reach[0] >= 0 and reach[1] >= 0 and reach[2] >= 0:
                put(taps, 4 * number, total - 1 - index if flip else index)
                number += 1
        put(phase, TAPS, number)

    @compiled
    def lay_out(p, phase, channels, filters, tasks_wanted):
        """Choose the chunks, and how the region of a chunk lies in memory."""
        count, step, reach = (
            three(phase, COUNT),
            three(phase, STEP),
            three(phase, REACH),
        )
        axis = 0
        while axis < 2 and count[axis] == 1:
            axis += 1
        positions = count[0] * count[1] * count[2]
        across = positions // count[axis]
        chunk = count[axis]
        units = get(p, BATCH) * get(p, GROUPS)
        while True:
            n = (
                chunk if axis == 0 else count[0],
                chunk if axis == 1 else count[1],
                chunk if axis == 2 else count[2],
            )
            rows = (n[1] - 1) * step[1] + reach[1] + 1
            planes = (n[0] - 1) * step[0] + reach[0] + 1
            pitch = (n[2] - 1) * step[2] + reach[2] + 1
            pitch = -(-pitch // step[2]) * step[2]
            # An odd number of vectors, so that channels meet all sets of the cache.
            plane = (-(-(planes * rows * pitch) // length) | 1) * length
            chunks = -(-count[axis] // chunk)
            large = plane * channels * item > REGION_BYTES
            few = units * chunks < tasks_wanted
            if not (large or few) or chunk * across < 4 * width or chunk == 1:
                break
            chunk = (chunk + 1) // 2
            if axis == 2:
                chunk = -(-chunk // width) * width
        put(phase, AXIS, axis)
        put(phase, CHUNK, chunk)
        put(phase, CHUNKS, chunks)
        put(phase, PLANE, plane)
        put(phase, PITCH, pitch)
        put(phase, ROWS, rows)
        in_place = count[0] * count[1] * -(-count[2] // length) * max(2, filters)
        # Gathering costs about as much as some filters, more for short rows.
        pieces = 3 + 2 * length // min(count[2], length)
        gathered = -(-positions // length) * (filters + pieces)
        put(phase, IN_PLACE, np.intp(in_place <= gathered))

    @compiled
    def fill_blocks(p, phase, taps, channels, filters):
        """Bring the filters into the order in which they are read."""
        inner, T = get(phase, INNER), get(phase, TAPS)
        sizes = three(p, FILTER_SIZES)
        total = sizes[0] * sizes[1] * sizes[2]
        # The distances of sums (source channels) and of results in W.
        if get(p, TRANSPOSED):
            source, result = get(p, CHANNELS) * total, total
        else:
            source, result = total, get(p, CHANNELS) * total
        for group in range(get(p, GROUPS)):
            W = get(p, W_ADDRESS)
            W += group * get(p, FILTERS) * get(p, CHANNELS) * total * item
            blocks = get(phase, BLOCKS) + group * filters * inner * item
            m = 0
            while m < filters:
                rows = rows_of_block(filters - m)
                place = m * inner
                for c in range(channels):
                    for t in range(T):
                        start = m * result + c * source + get(taps, 4 * t)
                        for row in range(rows):
                            write(blocks, place, read(W, start + row * result))
                            place += 1
                m += rows

    @compiled
    def fill_offsets(phase, taps, channels):
        T, step = get(phase, TAPS), get(phase, STEP + 2)
        pitch, rows = get(phase, PITCH), get(phase, ROWS)
        k = 0
        for c in range(channels):
            for t in range(T):
                at = get(taps, 4 * t + 1) * rows + get(taps, 4 * t + 2)
                shift = get(taps, 4 * t + 3)
                at = at * pitch + shift % step * (pitch // step) + shift // step
                put(get(phase, OFFSETS), k, c * get(phase, PLANE) + at)
                k += 1

    @compiled
    def place_of(position, count, start, gap, sizes):
        """Return where a position of the phase lies in a channel of the result."""
        column = position % count[2]
        row = position // count[2]
        at = start[0] + row // count[1] * gap[0]
        at = at * sizes[1] + start[1] + row % count[1] * gap[1]
        return at * sizes[2] + start[2] + column * gap[2]

    @compiled
    def scatter(tile, filters, columns, places, result, leading):
        for m in range(filters):
            for column in range(columns):
                value = read(tile, m * width + column)
                write(result, m * leading + get(places, column), value)

    @compiled
    def fill_up(table, vectors):
        """Let the rest of the table repeat a vector, and write nothing."""
        for v in range(vectors, LIMIT):
            put(table, v, get(table, 0))
            put(table, LIMIT + v, get(table, LIMIT))
            put(table, 2 * LIMIT + v, 0)

    @compiled
    def task(number, thread, p):
        """Compute some positions of one sample and group, for all filters."""
        phases = get(p, PHASES)
        phase = phases
        while number >= get(phase, TASK):
            number -= get(phase, TASK)
            phase += PHASE_LENGTH * 8
        chunks = get(phase, CHUNKS)
        begin = number % chunks * get(phase, CHUNK)
        group = number // chunks % get(p, GROUPS)
        sample = number // chunks // get(p, GROUPS)
        if get(p, TRANSPOSED):
            source, result, filters = Y_ADDRESS, X_ADDRESS, get(p, CHANNELS)
            sizes, result_sizes = three(p, Y_SIZES), three(p, X_SIZES)
            channels = get(p, FILTERS)
        else:
            source, result, filters = X_ADDRESS, Y_ADDRESS, get(p, FILTERS)
            sizes, result_sizes = three(p, X_SIZES), three(p, Y_SIZES)
            channels = get(p, CHANNELS)
        axis = get(phase, AXIS)
        step, reach, gap = three(phase, STEP), three(phase, REACH), three(phase, GAP)
        count, first = three(phase, COUNT), three(phase, FIRST)
        start = three(phase, START)
        n = min(get(phase, CHUNK), count[axis] - begin)
        count = (
            n if axis == 0 else count[0],
            n if axis == 1 else count[1],
            n if axis == 2 else count[2],
        )
        skip = (
            begin if axis == 0 else 0,
            begin if axis == 1 else 0,
            begin if axis == 2 else 0,
        )
        first = (
            first[0] + skip[0] * step[0],
            first[1] + skip[1] * step[1],
            first[2] + skip[2] * step[2],
        )
        start = (
            start[0] + skip[0] * gap[0],
            start[1] + skip[1] * gap[1],
            start[2] + skip[2] * gap[2],
        )
        extents = (
            (count[0] - 1) * step[0] + reach[0] + 1,
            (count[1] - 1) * step[1] + reach[1] + 1,
            (count[2] - 1) * step[2] + reach[2] + 1,
        )
        leading = result_sizes[0] * result_sizes[1] * result_sizes[2]
        unit = sample * get(p, GROUPS) + group
        target = get(p, result) + unit * filters * leading * item
        region = get(p, SCRATCH) + thread * get(p, SCRATCH_SIZE)
        panel = region + get(p, REGION_SIZE)
        tile = panel + get(p, PANEL_SIZE)
        table = tile + get(p, TILE_SIZE)
        places = table + 8 * TABLES
        pieces = places + 8 * LIMIT * length
        inner, pitch, rows = get(phase, INNER), get(phase, PITCH), get(phase, ROWS)
        positions = count[0] * count[1] * count[2]
        if inner == 0:
            for m in range(filters):
                for position in range(positions):
                    at = place_of(position, count, start, gap, result_sizes)
                    write(target, m * leading + at, zero)
            return
        size = sizes[0] * sizes[1] * sizes[2]
        origin = get(p, source) + unit * channels * size * item
        # As many rows as in the region of a whole chunk.
        extents = (extents[0], rows, extents[2])
        for c in range(channels):
            copy_region(
                region + c * get(phase, PLANE) * item,
                origin + c * size * item,
                sizes,
                first,
                extents,
                step[2],
                pitch,
            )
        blocks = get(phase, BLOCKS) + group * filters * inner * item
        offsets = get(phase, OFFSETS)
        vectors = 0
        if get(phase, IN_PLACE):
            most = LIMIT if filters == 1 else PANEL
            used = 0
            for position in range(0, positions, count[2]):
                row = position // count[2]
                at = row // count[1] * step[0] * rows + row % count[1] * step[1]
                for column in range(0, count[2], length):
                    put(table, vectors, region + (at * pitch + column) * item)
                    number_here = min(length, count[2] - column)
                    put(table, 2 * LIMIT + vectors, number_here)
                    at_result = place_of(
                        position + column, count, start, gap, result_sizes
                    )
                    if gap[2] == 1:
                        put(table, LIMIT + vectors, target + at_result * item)
                    else:
                        put(table, LIMIT + vectors, tile + vectors * length * item)
                        for index in range(length):
                            put(
                                places,
                                vectors * length + index,
                                at_result + index * gap[2],
                            )
                    vectors += 1
                    used += number_here
                    if vectors == most or used == positions:
                        ld = leading if gap[2] == 1 else width
                        if filters == 1:
                            fill_up(table, vectors)
                            vectors = LIMIT
                        multiply(
                            filters,
                            inner,
                            inner,
                            0,
                            blocks,
                            offsets,
                            table,
                            ld,
                            vectors,
                        )
                        if gap[2] != 1:
                            for v in range(vectors):
                                scatter(
                                    tile + v * length * item,
                                    filters,
                                    get(table, 2 * LIMIT + v),
                                    places + v * length * 8,
                                    target,
                                    leading,
                                )
                        vectors = 0
            return
        dense = gap[0] == 1 and gap[1] == 1 and gap[2] == 1
        for position in range(0, positions, width):
            columns = min(width, positions - position)
            vectors = -(-columns // length)
            number_of_pieces = list_pieces(
                pieces, position, columns, count, step, rows, pitch
            )
            at_result = place_of(position, count, start, gap, result_sizes)
            for v in range(vectors):
                put(table, v, panel + v * length * item)
                put(table, 2 * LIMIT + v, min(length, columns - v * length))
                goal = target + at_result * item if dense else tile
                put(table, LIMIT + v, goal + v * length * item)
            if not dense:
                for column in range(columns):
                    at = place_of(position + column, count, start, gap, result_sizes)
                    put(places, column, at)
            for done in range(0, inner, PANEL_INNER):
                here = min(PANEL_INNER, inner - done)
                for k in range(here):
                    copy_pieces(
                        panel + k * width * item,
                        region + get(offsets, done + k) * item,
                        pieces,
                        number_of_pieces,
                    )
                multiply(
                    filters,
                    here,
                    inner,
                    done,
                    blocks,
                    get(p, PANEL_OFFSETS),
                    table,
                    leading if dense else width,
                    vectors,
                )
            if not dense:
                scatter(tile, filters, columns, places, target, leading)

    @compiled
    def kernel(arguments):
        p_array = np.empty(LENGTH * 2, np.intp)
        p = np.intp(p_array.ctypes.data)
        for index in range(LENGTH):
            put(p, index, get(arguments, index))
        channels, filters = get(p, CHANNELS), get(p, FILTERS)
        num_phases = 1
        stride, sizes = three(p, STRIDE), three(p, FILTER_SIZES)
        if get(p, TRANSPOSED):
            channels, filters = filters, channels
            num_phases = stride[0] * stride[1] * stride[2]
        groups, batch = get(p, GROUPS), get(p, BATCH)
        taps_total = sizes[0] * sizes[1] * sizes[2]
        phases_array = np.empty(num_phases * PHASE_LENGTH, np.intp)
        blocks_array = np.empty(groups * filters * channels * taps_total, kind)
        offsets_array = np.empty(channels * taps_total + PANEL_INNER, np.intp)
        taps_array = np.empty(4 * taps_total + 4, np.intp)
        taps, phases = (
            np.intp(taps_array.ctypes.data),
            np.intp(phases_array.ctypes.data),
        )
        blocks, offsets = (
            np.intp(blocks_array.ctypes.data),
            np.intp(offsets_array.ctypes.data),
        )
        threads = num_threads()
        tasks, region_size, flops = 0, 0, 0
        for number in range(num_phases):
            r = (
                number // (stride[1] * stride[2]),
                number // stride[2] % stride[1],
                number % stride[2],
            )
            phase = phases + number * PHASE_LENGTH * 8
            describe(p, phase, r)
            count = three(phase, COUNT)
            positions = count[0] * count[1] * count[2]
            list_taps(p, phase, r, taps)
            inner = get(phase, TAPS) * channels
            put(phase, INNER, inner)
            put(phase, BLOCKS, blocks)
            put(phase, OFFSETS, offsets)
            put(phase, TASK, 0)
            if positions == 0:
                continue
            if inner == 0:
                for axis in range(3):
                    put(phase, REACH + axis, 0)
            lay_out(p, phase, channels, filters, 4 * threads)
            fill_blocks(p, phase, taps, channels, filters)
            fill_offsets(phase, taps, channels)
            blocks += groups * filters * inner * item
            offsets += inner * 8
            region_size = max(region_size, channels * get(phase, PLANE) * item)
            put(phase, TASK, batch * groups * get(phase, CHUNKS))
            tasks += get(phase, TASK)
            flops += 2 * batch * groups * filters * inner * positions
        panel_offsets = np.intp(offsets_array.ctypes.data) + channels * taps_total * 8
        for k in range(PANEL_INNER):
            put(panel_offsets, k, k * width)
        most_inner = min(PANEL_INNER, channels * taps_total)
        slack = LIMIT * length * item
        region_size = (region_size + slack) // 64 * 64 + 64
        panel_size = ((most_inner + 2) * width * item + slack) // 64 * 64
        tile_size = (filters * width * item + slack) // 64 * 64
        tables_size = (TABLES + LIMIT * length + 4 * width) * 8
        scratch_size = region_size + panel_size + tile_size + tables_size + 4096
        threads = min(threads, tasks) if flops > FEW_FLOPS else 1
        scratch_array = np.empty(threads * scratch_size + 64, np.uint8)
        scratch = (np.intp(scratch_array.ctypes.data) + 63) // 64 * 64
        put(p, PHASES, phases)
        put(p, NUM_PHASES, num_phases)
        put(p, SCRATCH, scratch)
        put(p, SCRATCH_SIZE, scratch_size // 64 * 64)
        put(p, PANEL_OFFSETS, panel_offsets)
        put(p, REGION_SIZE, region_size)
        put(p, PANEL_SIZE, panel_size)
        put(p, TILE_SIZE, tile_size)
        run_tasks(task, tasks, threads, p)
        # Read at last, so that nothing is freed before.
        return (
            p_array[0]
            + phases_array.size
            + blocks_array.size
            + offsets_array.size
            + taps_array.size
            + scratch_array.size
        )

    return kernel
