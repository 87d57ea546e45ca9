"""A captured chain of layers, each a matrix product, a call and a matrix product, for compare.py."""

import ctypes
import statistics

from layer_data import HERE, Layer, dtype_of, stream, torch

STAGES = ("rope", "rope+cache", "rope+cache8")
TOUCHES = ((64, 1), (128, 1), (256, 1), (128, 2))  # threads a block, accesses in flight
KEEP_SET = {"f16": (0x87FF87FF, 0x38003800), "bf16": (0x80FF80FF, 0x3F003F00)}  # numbers of magnitude 0.5 to 2
TILE_BYTES, BLOCKS_OF_UNIT, BLOCK = 64 << 10, 4, 256  # as in bench_gpu.cpp
u32, i64, pointer = ctypes.c_uint32, ctypes.c_int64, ctypes.c_void_p


class ProjectParams(ctypes.Structure):
    _fields_ = ([(name, pointer) for name in ("in_", "weights", "out")] + [("row_stride", i64)]
                + [(name, u32) for name in ("row_accesses", "in_accesses", "weight_accesses", "out_accesses", "steps",
                                            "threads", "keep", "set", "never")])


class TouchTensor(ctypes.Structure):
    _fields_ = ([("in_", pointer), ("out", pointer), ("token_stride", i64), ("head_stride", i64)]
                + [(name, u32) for name in ("units", "heads", "units_multiplier", "units_shift", "heads_multiplier",
                                            "heads_shift")])


class TouchParams(ctypes.Structure):
    _fields_ = [("q", TouchTensor), ("k", TouchTensor)] + [(name, u32) for name in ("q_items", "items", "block_threads",
                                                                                    "signs")]


def divisor(value):
    """The multiplier and shift of kernels/params.h."""
    shift = 31
    while 1 << (shift - 31) < value:
        shift += 1
    return -(-(1 << shift) // value), shift


def touch_tensor(x, rotary_dim):
    run, heads = 2 * rotary_dim, x.shape[1]
    if 2 * x.stride(1) == run:
        run, heads = run * heads, 1
    return TouchTensor(x.data_ptr(), x.data_ptr(), 2 * x.stride(0), 2 * x.stride(1), run // 16, heads,
                       *divisor(run // 16), *divisor(heads))


class Chain:
    """Memory of one case: weights and caches of every layer, two rows of QKV that layers take turns through."""

    neighbours = None  # rivals/neighbours.cu

    def __init__(self, shared, hidden_size, layers):
        if Chain.neighbours is None:
            Chain.neighbours = ctypes.CDLL(str(HERE / "libneighbours.so"))
        self.shared, model, dtype = shared, shared.model, dtype_of(shared.type)
        new = lambda rows, columns: torch.randn(rows, columns, device="cuda", dtype=dtype) / rows**0.5
        self.qkv_weights = [new(hidden_size, model.row) for _ in range(layers)]
        self.out_weights = [new(model.q_columns, hidden_size) for _ in range(layers)]
        self.start = torch.randn(shared.tokens, hidden_size, device="cuda", dtype=dtype)
        self.hidden = torch.empty_like(self.start)
        rows = [torch.randn(shared.tokens, model.row, device="cuda", dtype=dtype) for _ in range(2)]
        q8 = torch.empty(shared.tokens * model.heads * model.head_dim, device="cuda", dtype=torch.uint8)
        k_run, v_run = ((model.head_dim, 512) if model.latent else (model.kv_heads * model.head_dim,) * 2)
        self.layers = []
        for layer in range(layers):
            caches = [torch.zeros(shared.slot_count * run, device="cuda", dtype=dtype) for run in (k_run, v_run)]
            self.layers.append(Layer(shared, rows[layer % 2], *caches, q8))
        self.units = torch.cuda.get_device_properties(0).multi_processor_count

    def bind(self, layer, implementation, stage):
        """A call of the stage; where an implementation has none with a cache, its rope and then a copy."""
        call = implementation.bind(layer, stage)
        if call is not None or stage != "rope+cache":
            return call
        rope = implementation.bind(layer, "rope")
        if rope is None:
            return None

        def run():
            outputs = rope()
            copy = layer.rival_call(outputs[1] if outputs else None)
            if status := self.neighbours.bench_copy(ctypes.byref(copy)):
                raise RuntimeError(f"bench_copy returned {status}")
            return outputs

        return run

    def bind_touch(self, layer, block, in_flight):
        model = self.shared.model
        tensors = [touch_tensor(x, model.rotary_dim) for x in (layer.q, layer.k)]
        q_items, k_items = (self.shared.tokens * heads * model.rotary_dim // 8 for heads in (model.heads, model.kv_heads))
        params = TouchParams(*tensors, q_items, q_items + k_items, block, 0x80008000)

        def run():
            if status := self.neighbours.bench_touch(ctypes.byref(params), in_flight, pointer(stream())):
                raise RuntimeError(f"bench_touch returned {status}")

        return run

    def project(self, rows, row_bytes, source, weights, out):
        """The bench's kernel in the place of a matrix product."""
        threads = self.units * BLOCKS_OF_UNIT * BLOCK
        out_bytes = out.numel() * 2
        params = ProjectParams(source.data_ptr(), weights.data_ptr(), out.data_ptr(), source.stride(0) * 2, row_bytes // 16,
                               rows * row_bytes // 16, weights.numel() // 8, out_bytes // 16,
                               -(-out_bytes // (self.units * TILE_BYTES)), threads, *KEEP_SET[self.shared.type], 1)
        if status := self.neighbours.bench_project(ctypes.byref(params), pointer(stream())):
            raise RuntimeError(f"bench_project returned {status}")

    def run(self, calls, neighbours):
        """All layers; `calls`: one a layer, or nothing."""
        model, tokens, source = self.shared.model, self.shared.tokens, self.start
        for number, layer in enumerate(self.layers):
            qkv_weights, out_weights = self.qkv_weights[number], self.out_weights[number]
            if neighbours:
                self.project(tokens, source.shape[1] * 2, source, qkv_weights, layer.qkv)
            else:
                torch.mm(source, qkv_weights, out=layer.qkv)
            outputs = calls[number]() if calls else None
            if neighbours:
                columns = model.row - (512 if model.latent else model.kv_heads * model.head_dim)
                self.project(tokens, columns * 2, layer.qkv, out_weights, self.hidden)
            else:
                fits = outputs is not None and not model.latent
                q = outputs[0].reshape(tokens, -1) if fits else layer.qkv[:, : model.q_columns]
                torch.mm(q, out_weights, out=self.hidden)
            source = self.hidden

    def capture(self, calls, neighbours):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self.run(calls, neighbours)
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.run(calls, neighbours)
        return graph

    def measure(self, implementations, rounds, neighbours):
        """Microseconds that each adds to a layer, by stage and name, those of touch, and a layer's without any."""
        graphs = {"without": self.capture(None, neighbours)}
        kept = []  # what calls hold, such as a table in the tensors' type, is read by every replay
        for block, in_flight in TOUCHES:
            calls = [self.bind_touch(layer, block, in_flight) for layer in self.layers]
            graphs["touch", block, in_flight] = self.capture(calls, neighbours)
            kept.append(calls)
        for key, implementation in implementations.items():
            calls = [self.bind(layer, implementation, key[1]) for layer in self.layers]
            if None in calls:
                continue
            kept.append(calls)
            try:
                graphs[key] = self.capture(calls, neighbours)
            except Exception as error:  # a rival that cannot be captured is named, the others go on
                torch.cuda.synchronize()
                print(f"{key}: {self.shared.model.name} at {self.shared.tokens}: not captured: {error}")
        times = replay(graphs, rounds, len(self.layers))
        added = {key: statistics.median(x - y for x, y in zip(times[key], times["without"])) for key in graphs
                 if key != "without"}
        us = {stage: {name: added[name, stage] for name, of in implementations if of == stage and (name, of) in added}
              for stage in STAGES}
        return {"layer": statistics.median(times["without"]), "us": us,
                "touch": min(value for key, value in added.items() if key[0] == "touch")}


def replay(graphs, rounds, layers):
    """Microseconds a layer of each round: all graphs in turn, each round beginning with another."""
    names, times = list(graphs), {name: [] for name in graphs}
    for number in range(-2, rounds):  # two rounds for the clocks to rise
        graphs["without"].replay()
        turns = [names[(number + i) % len(names)] for i in range(len(names))]
        events = [torch.cuda.Event(enable_timing=True) for _ in range(len(names) + 1)]
        events[0].record()
        for name, event in zip(turns, events[1:]):
            graphs[name].replay()
            event.record()
        torch.cuda.synchronize()
        for i, name in enumerate(turns):
            if number >= 0:
                times[name].append(1e3 * events[i].elapsed_time(events[i + 1]) / layers)
    return times
