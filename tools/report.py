#!/usr/bin/env python3
"""Reads AMD code objects: registers, occupancy, width of memory accesses, and how fast the ALUs could feed the memory."""

import argparse
import json
import math
import pathlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

# Vector registers of one SIMD for one lane, by lanes of a wave; what a wave is given is a multiple of the granule.
@dataclass(frozen=True)
class Registers:
    vgprs: int
    granule: int
    most_waves: int
    sgprs: int = 0  # 0: a wave's scalar registers do not limit how many there are


REGISTERS = {
    "gfx906": Registers(256, 4, 10, 800),
    "gfx908": Registers(256, 4, 10, 800),
    "gfx90a": Registers(512, 8, 8, 800),
    "gfx942": Registers(512, 8, 8, 800),
    "gfx950": Registers(512, 8, 8, 800),
    "gfx1030": Registers(1024, 16, 16),
    "gfx1100": Registers(1536, 24, 16),
    "gfx1101": Registers(1536, 24, 16),
    "gfx1102": Registers(1024, 16, 16),
    "gfx1103": Registers(1024, 16, 16),
    "gfx1151": Registers(1536, 24, 16),
    "gfx1200": Registers(1536, 24, 16),
    "gfx1201": Registers(1536, 24, 16),
}
# Waves a SIMD that 16-byte kernels must reach, by the start of the architecture's name.
LEAST_WAVES = {"gfx90a": 8, "gfx94": 8, "gfx95": 8, "gfx11": 16, "gfx12": 16}


@dataclass(frozen=True)
class Card:
    """Published figures. `clocks` is what one vector instruction of a wave occupies a SIMD for."""

    name: str
    compute_units: int
    simds: int  # of one compute unit
    gigahertz: float
    gigabytes_per_second: float
    clocks: int


CARDS = {
    "gfx90a": Card("MI250X", 220, 4, 1.70, 3277, 4),
    "gfx942": Card("MI300X", 304, 4, 2.10, 5300, 4),
    "gfx950": Card("MI355X", 256, 4, 2.40, 8000, 4),
    "gfx1100": Card("RX 7900 XTX", 96, 2, 2.50, 960, 1),
    "gfx1201": Card("RX 9070 XT", 64, 2, 2.97, 640, 1),
}
MCA_ARCHITECTURES = ("gfx90a", "gfx942")
# Times the card's memory bandwidth, by axes: with several, a thread finds the table row of every pair, which takes its
# arithmetic too.
LEAST_FEED_OF_ONE_AXIS = 2.2
LEAST_FEED_OF_SEVERAL = 2.0

NAME = re.compile(
    r"(?P<function>rope|position_embeddings)_(?P<type>f32|f16|bf16)_(?P<layout>\w+?)_(?P<bytes>\d+)b_(?P<heads>\d)h"
    r"_(?P<scope>in_place|any)$"
)


def find_tool(name):
    for suffix in ("-23", "-22", "-21", "-20", "-19", ""):
        if path := shutil.which(f"llvm-{name}{suffix}"):
            return path
    sys.exit(f"report: there is no llvm-{name}; install llvm-19 or newer")


def output_of(*command, text=None):
    return subprocess.run(command, check=True, capture_output=True, text=True, input=text).stdout


def read_metadata(path):
    """Maps a kernel's name to its metadata, the arguments left out."""
    kernels = []
    for line in output_of(find_tool("readelf"), "--notes", str(path)).splitlines():
        match = re.match(r"^  (  |- )(\.\w+): *(\S*)$", line)
        if match and match[1] == "- ":
            kernels.append({})
        if match and kernels:
            kernels[-1][match[2]] = match[3]
    return {kernel[".name"]: kernel for kernel in kernels if ".name" in kernel}


@dataclass
class Block:
    instructions: list
    next: list  # labels of the blocks that may follow


def read_blocks(path):
    """Maps a kernel's name to its basic blocks by label; the first has the label ''."""
    kernels, blocks, block = {}, {}, None
    text = output_of(find_tool("objdump"), "-d", "--no-show-raw-insn", "--symbolize-operands", str(path))
    for line in text.splitlines():
        if label := re.match(r"^(?:[0-9a-f]+ )?<(\w+)>:", line):
            is_kernel = NAME.match(label[1]) is not None
            if is_kernel:
                blocks = kernels[label[1]] = {}
            name = "" if is_kernel else label[1]
            if block is not None and not is_kernel:
                block.next.append(name)
            block = blocks[name] = Block([], [])
        elif (match := re.match(r"^\s+([a-z]\w+.*?)\s*(?://.*)?$", line)) and block is not None:
            instruction = match[1]
            mnemonic = instruction.split()[0]
            block.instructions.append(instruction)
            if mnemonic in ("s_endpgm", "s_code_end"):
                block = None
            elif mnemonic.startswith(("s_branch", "s_cbranch")):
                block.next.append(instruction.split()[1])
                if mnemonic == "s_branch":
                    block = None
                else:  # what follows a branch that is not taken is a block of its own
                    name = f"{instruction.split()[1]}@{len(blocks)}"
                    block.next.append(name)
                    block = blocks[name] = Block([], [])
    return kernels


def is_valu(instruction):
    return instruction.startswith("v_")


def fmas_of(instruction):
    """Fused multiply-adds of float32 that an instruction does for a lane; mixed ones round the sum to float16."""
    found = re.findall(r"v_(pk_|dual_)?(?:fma|fmac)(?:_f32|ak_f32|mk_f32|_mixlo_f16|_mixhi_f16|_mix_f32)", instruction)
    return sum(2 if kind == "pk_" else 1 for kind in found)


def is_load(instruction):
    return instruction.startswith("global_load")


def loads_before_wait(route):
    """Loads that a thread asks for before it first waits for one that is not among the newest left open."""
    return 0


def memory_bytes(instruction):
    """Bytes a lane moves with a global load or store; None for other instructions."""
    match = re.match(r"global_(?:load|store)_(?:d16_hi_|d16_)?(\w+)", instruction)
    if not match:
        return None
    sizes = {"dwordx4": 16, "b128": 16, "dwordx3": 12, "b96": 12, "dwordx2": 8, "b64": 8, "dword": 4, "b32": 4}
    return sizes.get(match[1], 1 if "byte" in match[1] or match[1] in ("u8", "i8", "b8") else 2)


def main_route(blocks, expected_bytes, expected_fmas):
    """The instructions of a thread that rotates: of all routes through the kernel, each loop body taken once, those with
    `expected_fmas`, which only whole rotations have; of them that which loads a number of bytes nearest to
    `expected_bytes`, which leaves out what a thread never does one after the other; then that with the fewest
    instructions. None if there is no such route."""
    memory = {}

    def shortest_from(label, above):
        if label in memory:
            return memory[label]
        block = blocks[label]
        loaded = sum(map(memory_bytes, filter(is_load, block.instructions)))
        fmas = sum(map(fmas_of, block.instructions))
        found = {}
        following = [name for name in block.next if name not in above and name in blocks]
        for routes in [shortest_from(name, above | {label}) for name in following] or [{(0, 0): (0, [])}]:
            for (later_bytes, later_fmas), (length, route) in routes.items():
                key = (loaded + later_bytes, fmas + later_fmas)
                if key[1] <= expected_fmas and (key not in found or length + len(block.instructions) < found[key][0]):
                    found[key] = (length + len(block.instructions), [label, *route])
        memory[label] = found
        return found

    routes = {key: route for key, route in shortest_from("", frozenset()).items() if key[1] == expected_fmas}
    if not routes:
        return None
    chosen = min(routes, key=lambda key: (abs(key[0] - expected_bytes), routes[key][0]))
    return [instruction for label in routes[chosen][1] for instruction in blocks[label].instructions]


def waves_per_simd(architecture, vgprs, sgprs):
    rule = REGISTERS.get(architecture)
    if rule is None:
        return None
    given = max(math.ceil(vgprs / rule.granule) * rule.granule, rule.granule)
    waves = min(rule.most_waves, rule.vgprs // given)
    if rule.sgprs:
        waves = min(waves, rule.sgprs // (math.ceil(max(sgprs, 16) / 16) * 16))
    return waves


def mca_cycles(architecture, instructions):
    """Cycles that one wave keeps its SIMD's issue busy, from llvm-mca's scheduling model."""
    text = "\n".join(line for line in instructions if not line.startswith(("s_branch", "s_cbranch", "s_endpgm")))
    output = output_of(find_tool("mca"), "-mtriple=amdgcn", f"-mcpu={architecture}", "-iterations=1",
                       "-instruction-info=0", "-resource-pressure=0", text=text)
    return float(re.search(r"Block RThroughput: *([\d.]+)", output)[1])


def read_route(architecture, name, metadata, blocks, axes):
    """What a kernel has, and what the route of a thread takes that reads `axes` positions of its token."""
    part = NAME.match(name)
    access, heads, element = int(part["bytes"]), int(part["heads"]), 4 if part["type"] == "f32" else 2
    pairs = max(access // element, 2)  # of a tile, whose two vectors have as many elements each
    accesses = 2 * pairs * element // access * heads
    # A position of 8 bytes an axis, 8 bytes of angles a pair, and with several axes a byte that says a pair's.
    angle_bytes = 8 * axes + 8 * pairs + (pairs if axes > 1 else 0)
    route = main_route(blocks, accesses * access + angle_bytes, 2 * pairs * heads)
    if route is None:
        sys.exit(f"report: no route through {name} for {architecture} has {2 * pairs * heads} fused multiply-adds")
    everything = [instruction for block in blocks.values() for instruction in block.instructions]
    stores = [memory_bytes(line) for line in everything if line.startswith("global_store")]
    lane_bytes = 2 * accesses * access  # read and written
    wave = int(metadata[".wavefront_size"])
    valu = sum(map(is_valu, route))
    row = {
        "architecture": architecture,
        "kernel": name,
        "axes": axes,
        "access_bytes": access,
        "vgprs": int(metadata[".vgpr_count"]),
        "sgprs": int(metadata[".sgpr_count"]),
        "scratch_bytes": int(metadata[".private_segment_fixed_size"]),
        "spills": int(metadata[".vgpr_spill_count"]) + int(metadata[".sgpr_spill_count"]),
        "lds_bytes": int(metadata[".group_segment_fixed_size"]),
        "narrowest_store_bytes": min(stores, default=0),
        "tensor_loads_of_full_width": sum(memory_bytes(line) == access for line in route if is_load(line)),
        "loads_before_wait": loads_before_wait(route),
        "accesses": accesses,
        "valu": valu,
        "valu_per_16_bytes": valu / (lane_bytes / 16),
        "route_instructions": len(route),
        "other_memory_instructions": sum(line.startswith(("flat_", "scratch_", "buffer_")) for line in everything),
    }
    row["waves_per_simd"] = waves_per_simd(architecture, row["vgprs"], row["sgprs"])
    if card := CARDS.get(architecture):
        cycles = mca_cycles(architecture, route) if architecture in MCA_ARCHITECTURES else float(valu)
        waves_per_second = card.compute_units * card.simds * card.gigahertz * 1e9 / (cycles * card.clocks)
        row["card"] = card.name
        row["cycles_per_wave"] = cycles
        row["cycles_by"] = "llvm-mca" if architecture in MCA_ARCHITECTURES else "VALU count"
        row["alu_feed"] = waves_per_second * wave * lane_bytes / (card.gigabytes_per_second * 1e9)
    return row


def problems_of(row):
    if row["scratch_bytes"] or row["spills"]:
        yield f"{row['scratch_bytes']} bytes of scratch and {row['spills']} spills, expected none"
    if row["other_memory_instructions"]:
        yield f"{row['other_memory_instructions']} flat, scratch or buffer instructions, expected none"
    if row["access_bytes"] != 16:
        return
    if row["narrowest_store_bytes"] != 16:
        yield f"a store of {row['narrowest_store_bytes']} bytes, expected 16 alone"
    if row["tensor_loads_of_full_width"] < row["accesses"]:
        yield f"{row['tensor_loads_of_full_width']} loads of 16 bytes, expected {row['accesses']} or more"
    for start, waves in LEAST_WAVES.items():
        if row["architecture"].startswith(start) and row["waves_per_simd"] is not None and row["waves_per_simd"] < waves:
            yield f"{row['waves_per_simd']} waves a SIMD with {row['vgprs']} VGPRs, expected {waves}"
    # Two accesses a thread are for launches too short to be bound by memory (src/tuning_table.inc).
    least_feed = LEAST_FEED_OF_ONE_AXIS if row["axes"] == 1 else LEAST_FEED_OF_SEVERAL
    if row["accesses"] > 2 and row.get("alu_feed", least_feed) < least_feed:
        yield f"the ALUs feed {row['alu_feed']:.2f} times the bandwidth of {row['card']}, expected {least_feed}"


def print_table(rows):
    headings = ("arch", "kernel", "VGPR", "SGPR", "scratch", "LDS", "waves", "bytes", "VALU", "VALU/16B", "cycles/wave",
                "ALU feed")
    table = [headings]
    for row in rows:
        waves = row["waves_per_simd"]
        cycles = f"{row['cycles_per_wave']:.0f}" if "card" in row else "-"
        feed = f"{row['alu_feed']:.1f}x {row['card']}" if "card" in row else "-"
        table.append((row["architecture"], row["kernel"], row["vgprs"], row["sgprs"], row["scratch_bytes"],
                      row["lds_bytes"], "?" if waves is None else waves, row["access_bytes"], row["valu"],
                      f"{row['valu_per_16_bytes']:.1f}", cycles, feed))
    widths = [max(len(str(line[column])) for line in table) for column in range(len(headings))]
    for line in table:
        cells = [str(cell).ljust(width) if column < 2 or column == 11 else str(cell).rjust(width)
                 for column, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())
    print("waves: of one SIMD, as registers allow (?: rule not known). bytes: of one memory access of a lane. VALU: on the "
          "route of a thread that rotates.\ncycles/wave: llvm-mca's for gfx90a and gfx942, else the VALU count. ALU feed: "
          "tensor bytes the ALUs could serve over the card's memory bandwidth, published clocks and compute units:")
    for card in CARDS.values():
        print(f"  {card.name}: {card.compute_units} CUs of {card.simds} SIMDs at {card.gigahertz} GHz, "
              f"{card.gigabytes_per_second} GB/s")


def read_rows(arguments):
    rows = []
    for path in sorted(arguments.directory.glob("*_kernel.*.hsaco")):
        architecture = path.name.split(".")[1]
        if arguments.arch and architecture not in arguments.arch.split(","):
            continue
        metadata, kernels = read_metadata(path), read_blocks(path)
        for name in metadata:
            if NAME.match(name) and re.search(arguments.variants, name):
                for axes in (1,) if NAME.match(name)["scope"] == "in_place" else (1, 4):
                    rows.append(read_route(architecture, name, metadata[name], kernels[name], axes))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=pathlib.Path, help="where the code objects are: build/kernels")
    parser.add_argument("--arch", help="only these architectures, separated by commas")
    parser.add_argument("--variants", default="_16b_", help="only kernels whose name has this regular expression")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="print and fail on what falls short of the project's limits")
    arguments = parser.parse_args()
    rows = read_rows(arguments)
    if not rows:
        sys.exit(f"report: no kernel in {arguments.directory} matches; build with -DHIPROPE_PLATFORM=amd first")
    if arguments.json:
        print(json.dumps(rows, indent=1))
    elif not arguments.check:
        print_table(rows)
    if not arguments.check:
        return 0
    problems = [f"{row['architecture']} {row['kernel']}: {problem}" for row in rows for problem in problems_of(row)]
    print(*problems, sep="\n")
    print(f"{len(rows)} kernels, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
