#!/usr/bin/env python3
"""Checks both code objects of one architecture against the variant list and the parameter struct."""

import argparse
import collections
import pathlib
import re
import subprocess
import sys

SHOWN = 40  # problems; one mistake tends to repeat in every kernel
KERNELS = ("rope", "position_embeddings")
LOAD_16 = {"global_load_dwordx4", "global_load_b128"}
STORE_16 = {"global_store_dwordx4", "global_store_b128"}


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def expected_kernels(program):
    """The bytes of a kernel's argument, and from the end of a kernel's name to the bytes of one memory access."""
    params_size, *variants = output_of(program).splitlines()
    return int(params_size), {suffix: int(width) for suffix, width in map(str.split, variants)}


def kernel_metadata(readelf, path):
    """Maps a kernel's name to its metadata; `.args` is a list, everything else text."""
    kernels = []
    for line in output_of(readelf, "--notes", str(path)).splitlines():
        match = re.match(r"^( *)(- )?(\.\w+): *(\S*)$", line)
        if not match:
            continue
        depth = len(match[1]) + len(match[2] or "")
        key, value = match[3], match[4]
        if depth == 4 and match[2]:
            kernels.append({".args": []})
        if depth == 4 and kernels and key != ".args":
            kernels[-1][key] = value
        elif depth == 8 and kernels:
            if match[2]:
                kernels[-1][".args"].append({})
            kernels[-1][".args"][-1][key] = value
    return {kernel[".name"]: kernel for kernel in kernels}


def memory_instructions(objdump, path):
    """Maps a kernel's name to how often it has each vector memory instruction."""
    counts = collections.defaultdict(collections.Counter)
    name = ""
    for line in output_of(objdump, "-d", str(path)).splitlines():
        label = re.match(r"^[0-9a-f]+ <(\w+)>:", line)
        instruction = re.match(r"^\s+((?:global|flat|buffer|scratch|tbuffer)_\w+)", line)
        if label:
            name = label[1]
        elif instruction:
            counts[name][instruction[1]] += 1
    return counts


def check_metadata(kernel, params_size):
    explicit = [arg for arg in kernel[".args"] if not arg[".value_kind"].startswith("hidden_")]
    found = [(arg[".value_kind"], arg[".size"]) for arg in explicit]
    if found != [("by_value", str(params_size))]:
        yield f"explicit arguments are {found}, expected one by_value of {params_size} bytes"
    for key in (".private_segment_fixed_size", ".sgpr_spill_count", ".vgpr_spill_count"):
        if kernel.get(key) != "0":
            yield f"{key} is {kernel.get(key)}, expected 0"
    if kernel.get(".uses_dynamic_stack", "false") != "false":
        yield "it uses a dynamic stack"


def check_instructions(counts, width):
    for instruction in counts:
        if not instruction.startswith("global_"):
            yield f"it has {instruction}, expected global memory instructions alone"
    loads = {name: n for name, n in counts.items() if name.startswith("global_load_")}
    stores = {name: n for name, n in counts.items() if name.startswith("global_store_")}
    if not loads or not stores:
        yield f"it has loads {loads} and stores {stores}, expected some of both"
    elif width == 16:
        # Both halves of the pairs and the part that is copied.
        if sum(loads.get(name, 0) for name in LOAD_16) < 3:
            yield f"fewer than 3 loads of 16 bytes: {loads}"
        if not set(stores) <= STORE_16:
            yield f"stores other than 16 bytes: {stores}"


def check_file(path, kernel, suffixes, params_size, arguments):
    metadata = kernel_metadata(arguments.readelf, path)
    instructions = memory_instructions(arguments.objdump, path)
    names = {f"{kernel}_{suffix}": width for suffix, width in suffixes.items()}
    for extra in sorted(metadata.keys() - names.keys()):
        yield f"{extra}: not in the variant list"
    for name, width in names.items():
        if name not in metadata:
            yield f"{name}: missing"
            continue
        if metadata[name].get(".symbol") != f"{name}.kd":
            yield f"{name}: symbol {metadata[name].get('.symbol')}, expected {name}.kd"
        for problem in check_metadata(metadata[name], params_size):
            yield f"{name}: {problem}"
        for problem in check_instructions(instructions[name], width):
            yield f"{name}: {problem}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=pathlib.Path, required=True)
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--expected", required=True, help="the program built from expected_kernels.cpp")
    parser.add_argument("--readelf", required=True)
    parser.add_argument("--objdump", required=True)
    arguments = parser.parse_args()

    params_size, suffixes = expected_kernels(arguments.expected)
    problems = [] if suffixes else ["the variant list is empty"]
    for kernel in KERNELS:
        path = arguments.directory / f"{kernel}_kernel.{arguments.architecture}.hsaco"
        if path.exists():
            found = check_file(path, kernel, suffixes, params_size, arguments)
            problems += [f"{path.name}: {problem}" for problem in found]
        else:
            problems.append(f"{path} is missing")
    print(*problems[:SHOWN], sep="\n")
    print(f"{len(suffixes)} variants of {len(KERNELS)} kernels, {params_size} bytes of argument, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
