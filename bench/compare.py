#!/usr/bin/env python3
"""Times hiprope beside other implementations of rotary embeddings on one GPU: the same tensors, the same process.

Every output is checked against float64 first. Calls are captured in a CUDA graph and replayed; the caches are emptied, or
buffer sets rotated, so that the tensors come from memory. A rival that is not installed is named with how to install it.
"""

import argparse
import ctypes
import importlib.metadata
import importlib.util
import json
import math
import pathlib
import re
import statistics
import sys
from dataclasses import dataclass

import torch

HERE = pathlib.Path(__file__).resolve().parent
MAX_POSITIONS = 131072
BASE = 10000.0
TYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
TYPE_CODES = {"f32": 0, "f16": 1, "bf16": 2}
BANDS = (("1 to 64", 1, 64), ("65 to 8191", 65, 8191), ("8192 and more", 8192, 1 << 62))
LEAST_WORKING_SET = 256 << 20  # bytes
FEWEST_CALLS, MOST_CALLS = 5, 100
CHECKED_TOKENS = 64


@dataclass(frozen=True)
class Shape:
    name: str
    heads: int
    kv_heads: int
    head_dim: int
    rotary_dim: int
    pairing: str
    head_stride: int


def read_shapes():
    row = r'^HIPROPE_SHAPE\("([\w.-]+)", (\d+), (\d+), (\d+), (\d+), (\w+), (\d+)\)'
    found = re.findall(row, (HERE / "shapes.inc").read_text(), re.MULTILINE)
    return [Shape(name, *map(int, numbers[:4]), numbers[4], int(numbers[5])) for name, *numbers in found]


# ---- hiprope through its C interface --------------------------------------------------------------------------------

i32, i64, f64, size_t, pointer = ctypes.c_int32, ctypes.c_int64, ctypes.c_double, ctypes.c_size_t, ctypes.c_void_p


class Scaling(ctypes.Structure):
    _fields_ = ([(name, i32) for name in ("type", "no_truncate", "active_pairs", "factor_count")]
                + [(name, f64) for name in ("factor", "alpha", "mixed_b", "low_freq_factor", "high_freq_factor",
                                            "beta_fast", "beta_slow", "extrapolation_factor", "attention_factor",
                                            "attn_factor", "mscale", "mscale_all_dim", "mscale_coefficient")]
                + [("original_max_positions", i64), ("sequence_length", i64), ("short_mscale", f64),
                   ("long_mscale", f64)]
                + [(name, pointer) for name in ("short_factor", "long_factor", "inv_freq", "freq_factors")])


class Config(ctypes.Structure):
    _fields_ = ([("size", size_t)]
                + [(name, i32) for name in ("head_dim", "rotary_dim", "rotary_offset", "pairing", "pair_block",
                                            "output_pairing", "angles", "axes")]
                + [("max_positions", i64), ("base", f64), ("scaling", Scaling), ("axis_layout", i32),
                   ("frequency_layout", i32), ("sections", i32 * 4), ("axis_of_pair_count", i32),
                   ("axis_of_pair", pointer)])


class Tensor(ctypes.Structure):
    _fields_ = [("size", size_t), ("data", pointer), ("data_type", i32), ("head_dim", i32), ("tokens", i64),
                ("heads", i64), ("token_stride", i64), ("head_stride", i64)]


class Positions(ctypes.Structure):
    _fields_ = [("size", size_t), ("ids", pointer), ("start", i64), ("axis_stride", i64), ("type", i32), ("axes", i32)]


class Hiprope:
    """One Rope on the current GPU."""

    library = None

    def __init__(self, shape):
        self.rope = pointer()
        config = Config(size=ctypes.sizeof(Config), head_dim=shape.head_dim, rotary_dim=shape.rotary_dim,
                        pairing=1 if shape.pairing == "interleaved" else 0, max_positions=MAX_POSITIONS, base=BASE)
        device = torch.cuda.current_device()
        self.check(self.library.hiprope_create(ctypes.byref(config), device, 1, ctypes.byref(self.rope)))

    def __del__(self):
        self.library.hiprope_destroy(self.rope)

    @classmethod
    def load(cls, path):
        cls.library = ctypes.CDLL(str(path))
        cls.library.hiprope_last_error.restype = ctypes.c_char_p
        cls.library.hiprope_version.restype = ctypes.c_char_p
        cls.library.hiprope_destroy.argtypes = [pointer]
        cls.library.hiprope_apply_position_embeddings_device.argtypes = [pointer] * 6

    @classmethod
    def check(cls, status):
        if status != 0:
            sys.exit(f"compare: hiprope: {cls.library.hiprope_last_error().decode()} (status {status})")

    def bind(self, data):
        """What to call for one set of tensors; the structs are made once."""
        views = [Tensor(ctypes.sizeof(Tensor), x.data_ptr(), TYPE_CODES[data.type], x.shape[2], x.shape[0], x.shape[1],
                        x.stride(0), x.stride(1)) for x in (data.q, data.k)]
        positions = Positions(ctypes.sizeof(Positions), data.positions.data_ptr(), 0, 0, 1, 1)
        apply = self.library.hiprope_apply_position_embeddings_device
        arguments = [ctypes.byref(struct) for struct in (*views, positions)]

        def call():
            stream = torch.cuda.current_stream().cuda_stream
            status = apply(self.rope, *arguments, None, stream)
            if status != 0:
                self.check(status)

        return call, lambda: (data.q, data.k)


# ---- Tensors and the float64 answer ---------------------------------------------------------------------------------


class Data:
    """Q, K and positions of one call, and the cos and sin that the rivals take."""

    def __init__(self, shape, type_name, tokens, generator):
        self.shape, self.type, self.tokens = shape, type_name, tokens
        dtype = TYPES[type_name]
        storage = torch.randn(tokens, shape.heads, shape.head_stride, device="cuda", dtype=dtype, generator=generator)
        self.q = storage[:, :, : shape.head_dim]
        self.k = torch.randn(tokens, shape.kv_heads, shape.head_dim, device="cuda", dtype=dtype, generator=generator)
        self.positions = torch.randint(0, MAX_POSITIONS, (tokens,), device="cuda", generator=generator)
        self.bytes = storage.numel() * storage.element_size() + self.k.numel() * self.k.element_size()
        self.cos = self.sin = None

    def gather(self, table):
        """cos and sin rows of this call's tokens, [tokens, R/2], float32: made once a forward pass, so not timed."""
        self.cos, self.sin = table[self.positions].chunk(2, dim=-1)
        self.cos, self.sin = self.cos.contiguous(), self.sin.contiguous()


def inverse_frequencies(shape):
    pairs = torch.arange(shape.rotary_dim // 2, dtype=torch.float64, device="cuda")
    return BASE ** (-2 * pairs / shape.rotary_dim)


def cos_sin_table(shape):
    """[max_positions, R]: cos of every pair, then sin, float32 rounded from float64."""
    angles = torch.arange(MAX_POSITIONS, dtype=torch.float64, device="cuda")[:, None] * inverse_frequencies(shape)
    return torch.cat((angles.cos(), angles.sin()), dim=-1).float()


def expected(shape, x, positions):
    angles = positions.double()[:, None] * inverse_frequencies(shape)
    cos, sin = angles.cos()[:, None, :], angles.sin()[:, None, :]
    x = x.double()
    turned, rest = x[..., : shape.rotary_dim], x[..., shape.rotary_dim :]
    if shape.pairing == "interleaved":
        first, second = turned[..., 0::2], turned[..., 1::2]
        turned = torch.stack((first * cos - second * sin, second * cos + first * sin), dim=-1).flatten(-2)
    else:
        first, second = turned.chunk(2, dim=-1)
        turned = torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
    return torch.cat((turned, rest), dim=-1)


# ---- Rivals ---------------------------------------------------------------------------------------------------------
# A rival is made once a shape; bind(data) returns what to call and what the outputs then are, or None where it does not
# support the case.


class TorchEager:
    """The Hugging Face formula: q * cos + rotate_half(q) * sin in the tensors' type, out of place."""

    install = "pip install torch"

    def __init__(self, shape, table):
        self.shape = shape

    def function(self):
        interleaved, dim = self.shape.pairing == "interleaved", self.shape.rotary_dim

        def rotate(x, cos, sin):
            turned, rest = x[..., :dim], x[..., dim:]
            if interleaved:
                swapped = torch.stack((-turned[..., 1::2], turned[..., 0::2]), dim=-1).flatten(-2)
            else:
                first, second = turned.chunk(2, dim=-1)
                swapped = torch.cat((-second, first), dim=-1)
            turned = turned * cos + swapped * sin
            return torch.cat((turned, rest), dim=-1) if rest.shape[-1] else turned

        return lambda q, k, cos, sin: (rotate(q, cos, sin), rotate(k, cos, sin))

    def bind(self, data):
        spread = (lambda x: x.repeat_interleave(2, -1)) if self.shape.pairing == "interleaved" else (lambda x: x.repeat(1, 2))
        cos, sin = (spread(x)[:, None, :].to(data.q.dtype) for x in (data.cos, data.sin))
        function, results = self.function(), {}

        def call():
            results["out"] = function(data.q, data.k, cos, sin)

        return call, lambda: results["out"]


class TorchCompile(TorchEager):
    """The same through torch.compile, for any number of tokens."""

    def __init__(self, shape, table):
        super().__init__(shape, table)
        torch._dynamo.reset()
        self.compiled = torch.compile(super().function(), dynamic=True)

    def function(self):
        return self.compiled


class FlashInfer:
    """flashinfer.rope.apply_rope_with_cos_sin_cache_inplace: in place, float32 table, f16 and bf16."""

    install = "pip install flashinfer-python"

    def __init__(self, shape, table):
        from flashinfer.rope import apply_rope_with_cos_sin_cache_inplace

        self.shape, self.table, self.apply = shape, table, apply_rope_with_cos_sin_cache_inplace

    def bind(self, data):
        shape = self.shape
        dense = shape.head_stride == shape.head_dim
        if data.type == "f32" or not dense or shape.head_dim not in (64, 128, 256, 512):
            return None
        q, k = (x.view(data.tokens, -1) for x in (data.q, data.k))

        def call():
            self.apply(data.positions, q, k, shape.head_dim, self.table, is_neox=shape.pairing == "half_split")

        return call, lambda: (data.q, data.k)


class Liger:
    """liger_kernel.ops.rope: Triton, in place, half_split over the whole head."""

    install = "pip install liger-kernel"

    def __init__(self, shape, table):
        from liger_kernel.ops.rope import rope_forward

        self.shape, self.forward = shape, rope_forward

    def bind(self, data):
        shape = self.shape
        if shape.pairing != "half_split" or shape.rotary_dim != shape.head_dim:
            return None
        # [1, heads, tokens, head_dim] as views; the function turns them back and needs no copy.
        q, k = (x[None].transpose(1, 2) for x in (data.q, data.k))
        cos, sin = (x.repeat(1, 2)[None].to(data.q.dtype) for x in (data.cos, data.sin))
        results = {}

        def call():
            results["out"] = self.forward(q, k, cos, sin)[:2]

        return call, lambda: tuple(x[0].transpose(0, 1) for x in results["out"])


class FlashAttention:
    """flash_attn.ops.triton.rotary.apply_rotary: Triton, in place, a launch a tensor."""

    install = "pip install flash-attn (its triton/rotary.py alone is enough)"

    def __init__(self, shape, table):
        # The package imports its CUDA extension, which the Triton kernel does not need.
        package = importlib.util.find_spec("flash_attn")
        if package is None:
            raise ImportError("no module named flash_attn")
        path = pathlib.Path(package.submodule_search_locations[0]) / "ops/triton/rotary.py"
        spec = importlib.util.spec_from_file_location("flash_attn_rotary", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.shape, self.apply = shape, module.apply_rotary

    def bind(self, data):
        q, k = data.q[None], data.k[None]
        cos, sin = (x.to(data.q.dtype) for x in (data.cos, data.sin))
        interleaved = self.shape.pairing == "interleaved"

        def call():
            for x in (q, k):
                self.apply(x, cos, sin, interleaved=interleaved, inplace=True)

        return call, lambda: (data.q, data.k)


class Vllm:
    """vllm._custom_ops.rotary_embedding: in place, table in the tensors' type."""

    install = "pip install vllm"

    def __init__(self, shape, table):
        from vllm import _custom_ops

        self.shape, self.table, self.apply = shape, table, _custom_ops.rotary_embedding

    def bind(self, data):
        shape = self.shape
        if shape.head_stride != shape.head_dim:
            return None
        q, k = (x.view(data.tokens, -1) for x in (data.q, data.k))
        table = self.table.to(data.q.dtype)

        def call():
            self.apply(data.positions, q, k, shape.head_dim, table, shape.pairing == "half_split")

        return call, lambda: (data.q, data.k)


RIVALS = {
    "flashinfer": (FlashInfer, "flashinfer-python"),
    "vllm": (Vllm, "vllm"),
    "liger": (Liger, "liger-kernel"),
    "flash-attn": (FlashAttention, "flash-attn"),
    "torch.compile": (TorchCompile, "torch"),
    "torch": (TorchEager, "torch"),
}


def version_of(distribution):
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "unpacked"


def reason_of(error):
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:160]


# ---- Correctness and time -------------------------------------------------------------------------------------------


def worst_error(shape, implementation, type_name, generator, table):
    """The largest error against float64 relative to the pair's magnitude, or None where the case is not supported."""
    data = Data(shape, type_name, CHECKED_TOKENS, generator)
    data.gather(table)
    right = [expected(shape, x, data.positions) for x in (data.q, data.k)]
    bound = implementation.bind(data)
    if bound is None:
        return None
    bound[0]()
    torch.cuda.synchronize()
    worst = 0.0
    for found, wanted in zip(bound[1](), right):
        scale = wanted.norm(dim=-1, keepdim=True) / math.sqrt(wanted.shape[-1])
        worst = max(worst, ((found.double() - wanted).abs() / scale).max().item())
    return worst


# Relative to a head's root mean square. The table or the products in the tensors' type cost some halves of its steps.
TOLERANCE = {"f32": 1e-4, "f16": 2e-2, "bf16": 1.5e-1}


class Evictor:
    """Leaves the caches full of other memory, all of it clean."""

    def __init__(self, working_set):
        self.words = torch.ones(working_set // 4, device="cuda", dtype=torch.int32)
        self.sum = torch.zeros((), device="cuda", dtype=torch.int64)

    def __call__(self):
        torch.sum(self.words, dim=0, out=self.sum)


def time_calls(calls, count, rounds, evict):
    """Median microseconds of a call, from replays of one graph of `count` calls that take turns through `calls`."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for call in calls[:3]:
            call()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for i in range(count):
            calls[i % len(calls)]()
    graph.replay()
    times = []
    for _ in range(rounds):
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        if evict:
            evict()
        start.record()
        graph.replay()
        stop.record()
        times.append((start, stop))
    torch.cuda.synchronize()
    return statistics.median(1e3 * start.elapsed_time(stop) / count for start, stop in times)


def measure(implementations, shape, type_name, tokens, arguments, generator, table, evictor, working_set):
    sample = Data(shape, type_name, tokens, generator)
    calls = min(max(-(-2 * working_set // sample.bytes), FEWEST_CALLS), MOST_CALLS)
    sets = min(max(-(-working_set // sample.bytes), 1), calls)
    data = [sample] + [Data(shape, type_name, tokens, generator) for _ in range(sets - 1)]
    for one in data:
        one.gather(table)
    evict = evictor if sets * sample.bytes < working_set else None
    row = {}
    for name, implementation in implementations.items():
        bound = [implementation.bind(one) for one in data]
        if None in bound:
            continue
        try:
            row[name] = time_calls([call for call, _ in bound], calls, arguments.rounds, evict)
        except Exception as error:  # a rival that cannot be captured is reported, the others go on
            torch.cuda.synchronize()
            print(f"{name}: {shape.name} at {tokens}: {reason_of(error)}", file=sys.stderr)
    return row


# ---- Output ---------------------------------------------------------------------------------------------------------


def print_table(lines):
    widths = [max(len(str(line[column])) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = [str(cell).ljust(width) if column == 0 else str(cell).rjust(width)
                 for column, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def print_results(results, names):
    for type_name in dict.fromkeys(result["type"] for result in results):
        chosen = [result for result in results if result["type"] == type_name]
        print(f"\n{type_name}, caches cold, microseconds a call; in brackets: hiprope's time / this one's")
        lines = [("shape", "tokens", *names)]
        for result in chosen:
            row = result["us"]
            cells = [f"{row[name]:.2f}" + ("" if name == "hiprope" else f" ({row['hiprope'] / row[name]:.2f})")
                     if name in row else "-" for name in names]
            lines.append((result["shape"], result["tokens"], *cells))
        print_table(lines)
        print(f"\n{type_name}, geometric mean of hiprope's time / this one's (below 1: hiprope is faster)")
        lines = [("tokens", *names)]
        for band, first, last in BANDS:
            cells = []
            for name in names:
                ratios = [result["us"]["hiprope"] / result["us"][name] for result in chosen
                          if first <= result["tokens"] <= last and name in result["us"]]
                cells.append(f"{geometric_mean(ratios):.2f} of {len(ratios)}" if ratios else "-")
            lines.append((band, *cells))
        print_table(lines)


COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


def write_plot(results, names, path):
    """Points: hiprope's time over a rival's, by tokens; above the line hiprope is slower."""
    left, right, top, bottom = 60, 640, 30, 400
    tokens = sorted({result["tokens"] for result in results})
    x_of = {count: left + (right - left) * (i + 0.5) / len(tokens) for i, count in enumerate(tokens)}
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 450" font-family="sans-serif" font-size="12">'
           f'<rect width="100%" height="100%" fill="#fff"/>'
           f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#444"/>'
           f'<text x="{left}" y="20">time of hiprope / time of a rival</text>']

    def y_of(ratio):
        return bottom - (bottom - top) * min(ratio, 1.25) / 1.25

    for ratio in (0.25, 0.5, 0.75, 1.0, 1.25):
        stroke = "#444" if ratio == 1.0 else "#ddd"
        svg.append(f'<path d="M{left} {y_of(ratio):.0f}H{right}" stroke="{stroke}"/>'
                   f'<text x="{left - 8}" y="{y_of(ratio) + 4:.0f}" text-anchor="end">{ratio}</text>')
    for count in tokens:
        svg.append(f'<text x="{x_of[count]:.0f}" y="{bottom + 18}" text-anchor="middle">{count}</text>')
    svg.append(f'<text x="{(left + right) / 2:.0f}" y="{bottom + 38}" text-anchor="middle">tokens</text>')
    for i, name in enumerate(name for name in names if name != "hiprope"):
        colour = COLOURS[i % len(COLOURS)]
        svg.append(f'<circle cx="{right + 20}" cy="{top + 20 * i}" r="4" fill="{colour}"/>'
                   f'<text x="{right + 32}" y="{top + 20 * i + 4}">{name}</text>')
        for result in results:
            if name in result["us"]:
                x = x_of[result["tokens"]] + 6 * (i - len(names) / 2)
                svg.append(f'<circle cx="{x:.1f}" cy="{y_of(result["us"]["hiprope"] / result["us"][name]):.1f}" r="3" '
                           f'fill="{colour}" fill-opacity="0.6"/>')
    pathlib.Path(path).write_text("\n".join(svg) + "\n</svg>\n")


def find_rivals(names, shape, table):
    """The rivals that can be made, and for the others why not."""
    found, missing = {}, {}
    for name in names:
        rival, distribution = RIVALS[name]
        try:
            found[name] = rival(shape, table)
        except Exception as error:  # whatever a package raises while it is imported
            missing[name] = f"missing ({reason_of(error)}); {rival.install}"
    return found, missing


def check_all(implementations, shape, arguments, generator, table):
    """Drops what is wrong or fails; returns the errors against float64."""
    errors = {}
    for name in list(implementations):
        for type_name in arguments.dtype:
            try:
                error = worst_error(shape, implementations[name], type_name, generator, table)
            except Exception as failure:
                print(f"{name}: {shape.name} {type_name}: left out, it fails: {reason_of(failure)}", file=sys.stderr)
                implementations.pop(name)
                break
            if error is None:
                continue
            errors[f"{shape.name} {type_name} {name}"] = error
            if error > TOLERANCE[type_name]:
                print(f"{name}: {shape.name} {type_name}: left out, it is wrong by {error:.2e}", file=sys.stderr)
                implementations.pop(name)
                break
    if "hiprope" not in implementations:
        sys.exit("compare: hiprope's own output is wrong")
    return errors


def main():
    shapes = read_shapes()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=pathlib.Path, default=HERE.parent / "build/libhiprope.so")
    parser.add_argument("--shape", default="all", help="names separated by commas: " + ", ".join(s.name for s in shapes))
    parser.add_argument("--tokens", default="1,8,64,512,4096,16384,65536")
    parser.add_argument("--dtype", default="bf16", help="f32, f16, bf16, separated by commas")
    parser.add_argument("--rivals", default=",".join(RIVALS), help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=21, help="replays that the median is of")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", help="write the results to this file")
    parser.add_argument("--plot", help="write the ratios to this file as an SVG")
    arguments = parser.parse_args()
    arguments.dtype = arguments.dtype.split(",")
    if not torch.cuda.is_available():
        sys.exit("compare: PyTorch sees no GPU")
    if not arguments.library.exists():
        sys.exit(f"compare: {arguments.library} is missing; build hiprope or pass --library")
    Hiprope.load(arguments.library)

    properties = torch.cuda.get_device_properties(0)
    working_set = max(LEAST_WORKING_SET, 2 * properties.L2_cache_size)
    generator = torch.Generator("cuda").manual_seed(arguments.seed)
    evictor = Evictor(working_set)
    facts = {"device": properties.name, "torch": torch.__version__, "hiprope": Hiprope.library.hiprope_version().decode(),
             "command": " ".join(sys.argv), "rivals": {}}
    results, errors, names = [], {}, ["hiprope", *arguments.rivals.split(",")]
    for shape in shapes:
        if arguments.shape != "all" and shape.name not in arguments.shape.split(","):
            continue
        table = cos_sin_table(shape)
        found, missing = find_rivals(names[1:], shape, table)
        facts["rivals"] |= missing | {name: version_of(RIVALS[name][1]) for name in found}
        implementations = {"hiprope": Hiprope(shape)} | found
        errors |= check_all(implementations, shape, arguments, generator, table)
        for type_name in arguments.dtype:
            for tokens in map(int, arguments.tokens.split(",")):
                us = measure(implementations, shape, type_name, tokens, arguments, generator, table, evictor, working_set)
                results.append({"shape": shape.name, "type": type_name, "tokens": tokens, "us": us})
                if sys.stderr.isatty():
                    print(f"\r\033[K{shape.name} {type_name} {tokens}", end="", file=sys.stderr)
    for name, value in facts.items():
        if name != "rivals":
            print(f"{name:<14} {value}")
    for name, value in facts["rivals"].items():
        print(f"{name:<14} {value}")
    print_results(results, [name for name in names if any(name in result["us"] for result in results)])
    print("\nlargest error against float64, relative to the root mean square of a head:")
    for name in names:
        own = {case: error for case, error in errors.items() if case.endswith(" " + name)}
        if own:
            print(f"  {name:<14} " + ", ".join(f"{max(e for c, e in own.items() if f' {t} ' in c):.1e} {t}"
                                                for t in arguments.dtype if any(f" {t} " in c for c in own)))
    if arguments.json:
        text = json.dumps({"machine": facts, "errors": errors, "results": results}, indent=1)
        pathlib.Path(arguments.json).write_text(text)
    if arguments.plot:
        write_plot(results, names, arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
