"""Rotary embeddings as compare.py measures them: hiprope through its C interface, and its rivals."""

import ctypes
import importlib.metadata
import importlib.util
import pathlib

from layer_data import HERE, MAX_POSITIONS, stream, torch

i32, i64, f64, size_t, pointer = (ctypes.c_int32, ctypes.c_int64, ctypes.c_double, ctypes.c_size_t, ctypes.c_void_p)
TYPE_CODES = {"f16": 1, "bf16": 2}


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


# One is made for a model and its table. bind(layer, stage) returns what to call, which returns Q and K as they then are
# (nothing where they are in place), or None where it does not do that.


class Hiprope:
    """hiprope through its C interface."""

    distribution, install, library = None, "build it and pass --library", None

    def __init__(self, model, table):
        config = Config(size=ctypes.sizeof(Config), head_dim=model.head_dim, rotary_dim=model.rotary_dim,
                        pairing=int(model.interleaved), max_positions=MAX_POSITIONS, base=model.base)
        self.rope = pointer()
        self.check(self.library.hiprope_create(ctypes.byref(config), torch.cuda.current_device(), 1,
                                               ctypes.byref(self.rope)))

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
            raise RuntimeError(f"hiprope: {cls.library.hiprope_last_error().decode()} (status {status})")

    def bind(self, layer, stage):
        if stage != "rope":
            return None
        code = TYPE_CODES[layer.shared.type]
        views = [Tensor(ctypes.sizeof(Tensor), x.data_ptr(), code, x.shape[2], x.shape[0], x.shape[1], x.stride(0),
                        x.stride(1)) for x in (layer.q, layer.k)]
        positions = Positions(ctypes.sizeof(Positions), layer.shared.positions.data_ptr(), 0, 0, 1, 1)
        arguments = [ctypes.byref(struct) for struct in (*views, positions)]
        apply = self.library.hiprope_apply_position_embeddings_device
        return lambda: self.check(apply(self.rope, *arguments, None, stream()))


class Compiled:
    """A rival's CUDA kernels in a library of rivals/, made by carry.sh; a function a stage."""

    distribution, install, functions = None, "run bench/carry.sh", {}

    def __init__(self, model, table):
        self.library = ctypes.CDLL(str(HERE / f"lib{self.name}.so"))

    def bind(self, layer, stage):
        if stage not in self.functions:
            return None
        function = getattr(self.library, self.functions[stage])
        call = layer.rival_call()

        def run():
            call.stream = stream()
            status = function(ctypes.byref(call))
            if status != 0:
                raise RuntimeError(f"{function.__name__} returned {status}")

        # -1 says that there is no kernel for the model; a launch on a few tokens asks.
        return None if function(ctypes.byref(call)) == -1 else run


class FlashInfer(Compiled):
    """BatchQKApplyRotaryPosIdsCosSinCache in place, RopeQuantizeAppendPagedKVCache for the 8-bit cache."""

    name = "flashinfer"
    functions = {"rope": "flashinfer_rope", "rope+cache8": "flashinfer_rope_cache8"}


class SGLang(Compiled):
    """fused_rope_kernel in place, and fused_rope_store_kernel, which writes the cache too."""

    name = "sglang"
    functions = {"rope": "sglang_rope", "rope+cache": "sglang_rope_cache"}


class TorchEager:
    """The Hugging Face formula: q * cos + rotate_half(q) * sin in the tensors' type, out of place."""

    distribution, install = "torch", "pip install torch"

    def __init__(self, model, table):
        self.model = model

    def function(self):
        interleaved, dim = self.model.interleaved, self.model.rotary_dim

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

    def bind(self, layer, stage):
        if stage != "rope":
            return None
        shared, function = layer.shared, self.function()
        spread = (lambda x: x.repeat_interleave(2, -1)) if self.model.interleaved else (lambda x: x.repeat(1, 2))
        cos, sin = (spread(x)[:, None, :].to(layer.q.dtype) for x in (shared.cos, shared.sin))
        return lambda: function(layer.q, layer.k, cos, sin)


class TorchCompile(TorchEager):
    """The same through torch.compile, for any number of tokens."""

    def __init__(self, model, table):
        super().__init__(model, table)
        torch._dynamo.reset()
        self.compiled = torch.compile(super().function(), dynamic=True)

    def function(self):
        return self.compiled


class Liger:
    """liger_kernel.ops.rope: Triton, half_split over the whole head; it copies what is not contiguous."""

    distribution, install = "liger-kernel", "pip install liger-kernel"

    def __init__(self, model, table):
        from liger_kernel.ops.rope import rope_forward

        self.model, self.forward = model, rope_forward

    def bind(self, layer, stage):
        if stage != "rope" or self.model.interleaved or self.model.rotary_dim != self.model.head_dim:
            return None
        # [1, heads, tokens, head_dim] as views; the function turns them back.
        q, k = (x[None].transpose(1, 2) for x in (layer.q, layer.k))
        cos, sin = (x.repeat(1, 2)[None].to(layer.q.dtype) for x in (layer.shared.cos, layer.shared.sin))
        return lambda: tuple(x[0].transpose(0, 1) for x in self.forward(q, k, cos, sin)[:2])


class FlashAttention:
    """flash_attn.ops.triton.rotary.apply_rotary: Triton, in place, a launch a tensor."""

    distribution, install = "flash-attn", "pip install flash-attn, or put its ops/triton/rotary.py beside this file"

    def __init__(self, model, table):
        # The package imports its CUDA extension, which the Triton kernel does not need.
        path = HERE / "rotary.py"
        if not path.exists():
            package = importlib.util.find_spec("flash_attn")
            if package is None:
                raise ImportError("no module named flash_attn")
            path = pathlib.Path(package.submodule_search_locations[0]) / "ops/triton/rotary.py"
        spec = importlib.util.spec_from_file_location("flash_attn_rotary", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.model, self.apply = model, module.apply_rotary

    def bind(self, layer, stage):
        if stage != "rope":
            return None
        cos, sin = (x.to(layer.q.dtype) for x in (layer.shared.cos, layer.shared.sin))

        def run():
            for x in (layer.q[None], layer.k[None]):
                self.apply(x, cos, sin, interleaved=self.model.interleaved, inplace=True)

        return run


class Vllm:
    """vllm._custom_ops.rotary_embedding: in place, table in the tensors' type."""

    distribution, install = "vllm", "pip install vllm (its wheel of 320 MB holds a library for one version of torch)"

    def __init__(self, model, table):
        from vllm import _custom_ops

        self.model, self.table, self.apply = model, table, _custom_ops.rotary_embedding

    def bind(self, layer, stage):
        model = self.model
        if stage != "rope" or model.latent:
            return None
        table = self.table.to(layer.q.dtype)
        q, k = (x.flatten(1) for x in (layer.q, layer.k))  # views of the row, since heads lie side by side
        return lambda: self.apply(layer.shared.positions, q, k, model.head_dim, table, not model.interleaved)


RIVALS = {"flashinfer": FlashInfer, "sglang": SGLang, "vllm": Vllm, "liger": Liger, "flash-attn": FlashAttention,
          "torch.compile": TorchCompile, "torch": TorchEager}


def version_of(name):
    """The version of a rival, as carry.sh wrote it down or as it is installed."""
    written = HERE / "versions.txt"
    for line in written.read_text().splitlines() if written.exists() else []:
        if line.split()[0] == name:
            return line.split(maxsplit=1)[1]
    try:
        return importlib.metadata.version(RIVALS[name].distribution)
    except (importlib.metadata.PackageNotFoundError, ValueError, TypeError):
        return "unpacked"


def reason_of(error):
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else ''}"[:160]
