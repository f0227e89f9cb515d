"""Products of windows with gradients of outputs: the gradients of filters.

All windows of some thousand positions, over several samples, are gathered for a few
positions of the filters, and multiplied with the gradients there. Tasks share out the
filter positions, so that no two of them add to the same number.
"""

import numpy as np

from lasagne_next.dispatch.numba.tasks import num_threads, run_tasks
from lasagne_next.dispatch.numba.tiles import (
    PANEL,
    correlate_tiles,
    get,
    make_clear,
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

__all__ = ["make_windows_times_outputs"]

POSITIONS = 2048  # aim for so many positions at once
PANEL_BYTES = 1 << 18  # aim for a panel that stays in the cache
FEW_FLOPS = 4_000_000  # not worth a thread

# Places behind the arguments of the kernel.
AXIS, CHUNK, SAMPLES, ROOM, WIDTH, PITCH, ROWS = range(LENGTH, LENGTH + 7)
SCRATCH, SCRATCH_SIZE, REGION_SIZE, PANEL_SIZE = range(LENGTH + 7, LENGTH + 11)
TASKS, TILE = range(LENGTH + 11, LENGTH + 13)


def make_windows_times_outputs(dtype):
    """Make the kernel, a function of the address of the arguments."""
    length, item = vector_length(dtype), dtype.itemsize
    read, write = number_access(dtype)
    copy_region, list_pieces, copy_pieces = make_copies(dtype)
    clear = make_clear(dtype)
    correlate = correlate_tiles(dtype)

    @compiled
    def add_products(samples, size, x, leading_x, sample_x, y, room, p, k, width, goal):
        """Multiply all filters with filter positions k, k + 1 ... and add them up."""
        filters = get(p, FILTERS)
        taps = (
            get(p, FILTER_SIZES) * get(p, FILTER_SIZES + 1) * get(p, FILTER_SIZES + 2)
        )
        inner, flip = get(p, CHANNELS) * taps, get(p, FLIP)
        sample_y = width * room
        f = 0
        tile_array = np.empty(64, np.float64)
        tile = np.intp(tile_array.ctypes.data)
        while f < filters:
            rows = rows_of_block(filters - f)
            at = 0
            while at < width:
                columns = PANEL if width - at >= PANEL else 1
                correlate(
                    rows,
                    columns,
                    samples,
                    size,
                    x + f * leading_x * item,
                    leading_x,
                    sample_x,
                    y + at * room * item,
                    room,
                    sample_y,
                    tile,
                )
                for column in range(columns):
                    place = k + at + column
                    if flip:
                        place = place // taps * taps + taps - 1 - place % taps
                    for row in range(rows):
                        entry = (f + row) * inner + place
                        value = read(tile, row * columns + column)
                        write(goal, entry, read(goal, entry) + value)
                at += columns
            f += rows
        return tile_array.size

    @compiled
    def fill_panel(
        p, panel, region, pieces, channel, sample_first, k, width, first, count
    ):
        """Gather filter positions k, k + 1 ... of one sample."""
        sizes, step = three(p, X_SIZES), three(p, STRIDE)
        filter_sizes, dilation = three(p, FILTER_SIZES), three(p, DILATION)
        pitch, rows, room = get(p, PITCH), get(p, ROWS), get(p, ROOM)
        taps = filter_sizes[0] * filter_sizes[1] * filter_sizes[2]
        size = sizes[0] * sizes[1] * sizes[2]
        positions = count[0] * count[1] * count[2]
        number = list_pieces(pieces, 0, positions, count, step, rows, pitch)
        extents = (
            (count[0] - 1) * step[0] + (filter_sizes[0] - 1) * dilation[0] + 1,
            rows,
            (count[2] - 1) * step[2] + (filter_sizes[2] - 1) * dilation[2] + 1,
        )
        current = -1
        for at in range(width):
            c, t = (k + at) // taps, (k + at) % taps
            if c != current:
                current = c
                source = channel + (sample_first + c) * size * item
                copy_region(region, source, sizes, first, extents, step[2], pitch)
            u0 = t // (filter_sizes[1] * filter_sizes[2]) * dilation[0]
            u1 = t // filter_sizes[2] % filter_sizes[1] * dilation[1]
            u2 = t % filter_sizes[2] * dilation[2]
            shift = (u0 * rows + u1) * pitch
            shift += u2 % step[2] * (pitch // step[2]) + u2 // step[2]
            target = panel + at * room * item
            copy_pieces(target, region + shift * item, pieces, number)
            if positions < room:
                clear((target + positions * item, room - positions))

    @compiled
    def task(number, thread, p):
        """Compute the gradients of some filter positions of one group."""
        tasks = get(p, TASKS)
        group, k = number // tasks, number % tasks * get(p, WIDTH)
        channels, filters = get(p, CHANNELS), get(p, FILTERS)
        groups, batch = get(p, GROUPS), get(p, BATCH)
        filter_sizes = three(p, FILTER_SIZES)
        inner = channels * filter_sizes[0] * filter_sizes[1] * filter_sizes[2]
        width = min(get(p, WIDTH), inner - k)
        goal = get(p, W_ADDRESS) + group * filters * inner * item
        step, pad = three(p, STRIDE), three(p, PAD)
        all_counts = three(p, Y_SIZES)
        all_positions = all_counts[0] * all_counts[1] * all_counts[2]
        axis, chunk, room = get(p, AXIS), get(p, CHUNK), get(p, ROOM)
        across = all_positions // all_counts[axis]
        region = get(p, SCRATCH) + thread * get(p, SCRATCH_SIZE)
        panel = region + get(p, REGION_SIZE)
        pieces = panel + get(p, PANEL_SIZE)
        for sample in range(0, batch, get(p, SAMPLES)):
            samples = min(get(p, SAMPLES), batch - sample)
            for begin in range(0, all_counts[axis], chunk):
                n = min(chunk, all_counts[axis] - begin)
                count = (
                    n if axis == 0 else all_counts[0],
                    n if axis == 1 else all_counts[1],
                    n if axis == 2 else all_counts[2],
                )
                first = (
                    (begin * step[0] if axis == 0 else 0) - pad[0],
                    (begin * step[1] if axis == 1 else 0) - pad[1],
                    (begin * step[2] if axis == 2 else 0) - pad[2],
                )
                for s in range(samples):
                    fill_panel(
                        p,
                        panel + s * width * room * item,
                        region,
                        pieces,
                        get(p, X_ADDRESS),
                        ((sample + s) * groups + group) * channels,
                        k,
                        width,
                        first,
                        count,
                    )
                at = (
                    sample * groups + group
                ) * filters * all_positions + begin * across
                add_products(
                    samples,
                    n * across,
                    get(p, Y_ADDRESS) + at * item,
                    all_positions,
                    groups * filters * all_positions,
                    panel,
                    room,
                    p,
                    k,
                    width,
                    goal,
                )

    @compiled
    def kernel(arguments):
        p_array = np.empty(2 * LENGTH, np.intp)
        p = np.intp(p_array.ctypes.data)
        for index in range(LENGTH):
            put(p, index, get(arguments, index))
        count, step = three(p, Y_SIZES), three(p, STRIDE)
        sizes, dilation = three(p, FILTER_SIZES), three(p, DILATION)
        inner = get(p, CHANNELS) * sizes[0] * sizes[1] * sizes[2]
        batch, groups, filters = get(p, BATCH), get(p, GROUPS), get(p, FILTERS)
        axis = 0
        while axis < 2 and count[axis] == 1:
            axis += 1
        positions = count[0] * count[1] * count[2]
        across = positions // count[axis]
        chunk = min(count[axis], max(1, POSITIONS // across))
        room = -(-(chunk * across) // length) * length
        samples = 1
        if chunk == count[axis]:
            samples = max(1, min(batch, POSITIONS // room))
        n = (
            chunk if axis == 0 else count[0],
            chunk if axis == 1 else count[1],
            chunk if axis == 2 else count[2],
        )
        rows = (n[1] - 1) * step[1] + (sizes[1] - 1) * dilation[1] + 1
        planes = (n[0] - 1) * step[0] + (sizes[0] - 1) * dilation[0] + 1
        pitch = (n[2] - 1) * step[2] + (sizes[2] - 1) * dilation[2] + 1
        pitch = -(-pitch // step[2]) * step[2]
        flops = 2 * batch * groups * filters * inner * positions
        threads = num_threads() if flops > FEW_FLOPS else 1
        width = max(1, PANEL_BYTES // (samples * room * item))
        width = min(width, -(-inner // max(1, 2 * threads // groups)))
        width = min(inner, -(-width // PANEL) * PANEL)
        tasks = -(-inner // width)
        slack = 4 * length * item
        region_size = (planes * rows * pitch * item + slack) // 64 * 64 + 64
        panel_size = (samples * width * room * item + slack) // 64 * 64 + 64
        pieces_size = 16 * (room + 16)
        scratch_size = region_size + panel_size + pieces_size + 4096
        scratch_size = scratch_size // 64 * 64
        threads = max(1, min(threads, tasks * groups))
        scratch_array = np.empty(threads * scratch_size + 64, np.uint8)
        scratch = (np.intp(scratch_array.ctypes.data) + 63) // 64 * 64
        put(p, AXIS, axis)
        put(p, CHUNK, chunk)
        put(p, SAMPLES, samples)
        put(p, ROOM, room)
        put(p, WIDTH, width)
        put(p, PITCH, pitch)
        put(p, ROWS, rows)
        put(p, SCRATCH, scratch)
        put(p, SCRATCH_SIZE, scratch_size)
        put(p, REGION_SIZE, region_size)
        put(p, PANEL_SIZE, panel_size)
        put(p, TASKS, tasks)
        run_tasks(task, tasks * groups, threads, p)
        # Read at last, so that nothing is freed before.
        return p_array[0] + scratch_array.size

    return kernel
