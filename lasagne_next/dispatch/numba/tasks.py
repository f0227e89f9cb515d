"""Tasks that are shared out among a few threads, from inside compiled code.

Threads of the operating system are started for each call and joined at its end, which
takes some ten microseconds. So nothing spins or waits between two calls and competes
with the threads of BLAS for the cores, and a process may be forked or used from several
threads at any time; pools of threads give up on one or the other.
"""

import ctypes
import sys

import numba
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["MOST_THREADS", "num_threads", "run_tasks"]

MOST_THREADS = 64

_INTEGER = ir.IntType(64)
_POINTER = ir.IntType(8).as_pointer()
_HAS_THREADS = sys.platform != "win32"


@ctypes.CFUNCTYPE(ctypes.c_int64)
def _num_threads():
    return min(numba.config.NUMBA_NUM_THREADS, MOST_THREADS) if _HAS_THREADS else 1


# Known by name, so that machine code that calls it can be cached.
binding.add_symbol(
    "lasagne_next_num_threads", ctypes.cast(_num_threads, ctypes.c_void_p).value
)
num_threads = types.ExternalFunction("lasagne_next_num_threads", types.intp())


@intrinsic
def run_tasks(typing_context, task, count, threads, argument):
    """Call ``task(number, thread, argument)`` for all numbers below the count.

    The tasks must not raise.
    """
    signature = types.void(task, types.intp, types.intp, types.intp)
    inner = types.void(types.intp, types.intp, types.intp)
    task.get_call_type(typing_context, inner.args, {})

    def code(context, builder, _, arguments):
        compiled = task.dispatcher.overloads[inner.args]
        context.add_linking_libs([compiled.library])
        module = builder.module
        worker = _make_worker(context, module, compiled, inner)
        _, count, threads, argument = arguments
        # Shared: next number, count, next thread, argument.
        shared = cgutils.alloca_once(builder, ir.ArrayType(_INTEGER, 4))
        for index, value in enumerate((_INTEGER(0), count, _INTEGER(0), argument)):
            builder.store(value, cgutils.gep_inbounds(builder, shared, 0, index))
        shared = builder.bitcast(shared, _POINTER)
        if not _HAS_THREADS:
            builder.call(worker, [shared])
            return context.get_dummy_value()
        _spawn_and_join(builder, worker, shared, count, threads)
        return context.get_dummy_value()

    return signature, code


def _make_worker(context, module, compiled, signature):
    """Make ``void *worker(void *shared)``, which takes tasks until none is left."""
    name = f"worker.{compiled.fndesc.mangled_name}"
    worker = ir.Function(module, ir.FunctionType(_POINTER, [_POINTER]), name)
    worker.linkage = "internal"
    builder = ir.IRBuilder(worker.append_basic_block("entry"))
    shared = builder.bitcast(worker.args[0], _INTEGER.as_pointer())
    field = [builder.gep(shared, [_INTEGER(index)]) for index in range(4)]
    thread = builder.atomic_rmw("add", field[2], _INTEGER(1), "monotonic")
    count, argument = builder.load(field[1]), builder.load(field[3])
    head = builder.append_basic_block("head")
    body, end = builder.append_basic_block("body"), builder.append_basic_block("end")
    builder.branch(head)
    builder.position_at_end(head)
    number = builder.atomic_rmw("add", field[0], _INTEGER(1), "monotonic")
    builder.cbranch(builder.icmp_signed("<", number, count), body, end)
    builder.position_at_end(body)
    context.call_internal_no_propagate(
        builder, compiled.fndesc, signature, (number, thread, argument)
    )
    builder.branch(head)
    builder.position_at_end(end)
    builder.ret(ir.Constant(_POINTER, None))
    return worker


def _spawn_and_join(builder, worker, shared, count, threads):
    """Start helpers, work along, and wait for those that did start."""
    module, integer32 = builder.module, ir.IntType(32)
    create = cgutils.get_or_insert_function(
        module,
        ir.FunctionType(
            integer32,
            [_INTEGER.as_pointer(), _POINTER, worker.type, _POINTER],
        ),
        "pthread_create",
    )
    join = cgutils.get_or_insert_function(
        module,
        ir.FunctionType(integer32, [_INTEGER, _POINTER.as_pointer()]),
        "pthread_join",
    )
    handles = cgutils.alloca_once(builder, ir.ArrayType(_INTEGER, MOST_THREADS))
    most = builder.select(builder.icmp_signed("<", count, threads), count, threads)
    helpers = builder.sub(most, _INTEGER(1))
    started = cgutils.alloca_once_value(builder, _INTEGER(0))
    no_attributes = ir.Constant(_POINTER, None)
    with cgutils.for_range(builder, helpers):
        number = builder.load(started)
        handle = cgutils.gep_inbounds(builder, handles, 0, number)
        failed = builder.call(create, [handle, no_attributes, worker, shared])
        succeeded = builder.icmp_signed("==", failed, integer32(0))
        one_more = builder.add(number, builder.zext(succeeded, _INTEGER))
        builder.store(one_more, started)
    builder.call(worker, [shared])
    nowhere = ir.Constant(_POINTER.as_pointer(), None)
    with cgutils.for_range(builder, builder.load(started)) as loop:
        handle = builder.load(cgutils.gep_inbounds(builder, handles, 0, loop.index))
        builder.call(join, [handle, nowhere])
