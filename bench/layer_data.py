"""Models, and what one layer of them hands to a call, for compare.py."""

import ctypes
import math
import pathlib
import re
from dataclasses import dataclass

try:
    import torch
except ImportError:  # enough to list what there is
    torch = None

HERE = pathlib.Path(__file__).resolve().parent
MAX_POSITIONS = 131072
PAGE_SLOTS = 16  # as in rivals/flashinfer.cu
i32, i64, pointer = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p


@dataclass(frozen=True)
class Model:
    name: str
    heads: int
    kv_heads: int
    head_dim: int
    rotary_dim: int
    base: float
    interleaved: bool
    latent: bool

    # Elements of a row of QKV: Q heads, K heads, V heads; or Q heads of 128 + D and a latent row of 512 + D.
    @property
    def head_stride(self):
        return 128 + self.head_dim if self.latent else self.head_dim

    @property
    def q_columns(self):
        return self.heads * self.head_stride

    @property
    def row(self):
        return self.q_columns + (512 + self.head_dim if self.latent else 2 * self.kv_heads * self.head_dim)


def read_models():
    """The measured models of the tools' one list; a copy may lie beside this file."""
    path = next(p for p in (HERE / "models.inc", HERE.parent / "tools/models.inc") if p.exists())
    row = r'^HIPROPE_MODEL\("([\w.-]+)", \d+, (\d+), (\d+), (\d+), (\d+), ([\w.]+), \d+, (\w+), (\w+), .*, 1\)$'
    return [Model(name, *map(int, numbers), float(base), pairing == "interleaved", layout == "latent")
            for name, *numbers, base, pairing, layout in re.findall(row, path.read_text(), re.MULTILINE)]


def dtype_of(type_name):
    return {"f16": torch.float16, "bf16": torch.bfloat16}[type_name]


def stream():
    return torch.cuda.current_stream().cuda_stream


# ---- What a layer hands to a call -----------------------------------------------------------------------------------


class Shared:
    """Of all layers of a case: positions, slots, tables, and a cache's pages."""

    def __init__(self, model, type_name, tokens, positions, table):
        self.model, self.type, self.tokens, self.table, self.positions = model, type_name, tokens, table, positions
        self.slot_count = -(-max(2 * tokens, 4096) // PAGE_SLOTS) * PAGE_SLOTS
        self.slots = torch.randperm(self.slot_count, device="cuda")[:tokens].contiguous()
        self.slots32 = self.slots.int()
        pages = self.slot_count // PAGE_SLOTS
        self.pages = torch.arange(pages, device="cuda", dtype=torch.int32)
        self.page_range = torch.tensor([0, pages], device="cuda", dtype=torch.int32)
        self.last_page = torch.tensor([PAGE_SLOTS], device="cuda", dtype=torch.int32)
        self.batch = torch.zeros(tokens, device="cuda", dtype=torch.int32)
        # Rows of each token, made once a forward pass, so not timed.
        self.cos, self.sin = (x.contiguous() for x in table[positions].chunk(2, dim=-1))


class Layer:
    """Q, K and V inside one row of QKV, and one layer's cache."""

    def __init__(self, shared, qkv, k_cache, v_cache, q8):
        model, tokens = shared.model, shared.tokens
        self.shared, self.qkv, self.k_cache, self.v_cache, self.q8 = shared, qkv, k_cache, v_cache, q8
        rest = qkv[:, model.q_columns:]
        q = qkv[:, : model.q_columns].view(tokens, model.heads, model.head_stride)
        self.q = q[:, :, model.head_stride - model.head_dim:]
        if model.latent:
            self.k, self.v = rest[:, None, 512:], rest[:, None, :512]
        else:
            k_columns = model.kv_heads * model.head_dim
            self.k, self.v = (x.view(tokens, model.kv_heads, model.head_dim)
                              for x in (rest[:, :k_columns], rest[:, k_columns:]))

    def rival_call(self, k=None):
        """The struct of rivals/rival.h; `k`: K where it is not in the row."""
        shared, model, k = self.shared, self.shared.model, self.k if k is None else k
        return RivalCall(
            self.q.data_ptr(), k.data_ptr(), self.v.data_ptr(), self.k_cache.data_ptr(), self.v_cache.data_ptr(),
            self.q8.data_ptr(), shared.table.data_ptr(), shared.positions.data_ptr(), shared.slots.data_ptr(),
            shared.slots32.data_ptr(), shared.pages.data_ptr(), shared.page_range.data_ptr(),
            shared.last_page.data_ptr(), shared.batch.data_ptr(), stream(), self.q.stride(0), self.q.stride(1),
            k.stride(0), self.v.stride(0), k.shape[1] * k.shape[2], self.v.shape[1] * self.v.shape[2], shared.tokens,
            model.heads, model.kv_heads, model.head_dim, model.rotary_dim, model.interleaved, shared.type == "f16")


class RivalCall(ctypes.Structure):
    _fields_ = ([(name, pointer) for name in ("q", "k", "v", "k_cache", "v_cache", "q8", "table", "positions", "slots",
                                              "slots32", "pages", "page_range", "last_page", "batch", "stream")]
                + [(name, i64) for name in ("q_row", "q_head", "k_row", "v_row")]
                + [(name, i32) for name in ("k_run", "v_run", "tokens", "heads", "kv_heads", "head_dim", "rotary_dim",
                                            "interleaved", "is_f16")])


def inverse_frequencies(model):
    pairs = torch.arange(model.rotary_dim // 2, dtype=torch.float64, device="cuda")
    return model.base ** (-2 * pairs / model.rotary_dim)


def cos_sin_table(model):
    """[max_positions, R]: cos of every pair, then sin, float32 rounded from float64."""
    angles = torch.arange(MAX_POSITIONS, dtype=torch.float64, device="cuda")[:, None] * inverse_frequencies(model)
    return torch.cat((angles.cos(), angles.sin()), dim=-1).float()


def expected(model, x, positions):
    """What x [tokens, heads, head_dim] becomes, in float64."""
    angles = positions.double()[:, None] * inverse_frequencies(model)
    cos, sin = angles.cos()[:, None, :], angles.sin()[:, None, :]
    x = x.double()
    turned, rest = x[..., : model.rotary_dim], x[..., model.rotary_dim:]
    if model.interleaved:
        first, second = turned[..., 0::2], turned[..., 1::2]
        turned = torch.stack((first * cos - second * sin, second * cos + first * sin), dim=-1).flatten(-2)
    else:
        first, second = turned.chunk(2, dim=-1)
        turned = torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
    return torch.cat((turned, rest), dim=-1)


def relative_error(found, wanted):
    """The largest error relative to the root mean square of its head."""
    scale = wanted.norm(dim=-1, keepdim=True) / math.sqrt(wanted.shape[-1])
    return ((found.double() - wanted).abs() / scale).max().item()
