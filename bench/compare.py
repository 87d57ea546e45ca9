#!/usr/bin/env python3
"""Measures what hiprope and its rivals add to a layer of a model: matrix product, call, matrix product, captured 16 times.

Every output is checked against float64 first. bench/carry.sh gathers what this needs on a machine with a GPU. A rival that
is not there is named with how to get it.
"""

import argparse
import json
import os
import pathlib
import sys

from chain import STAGES, Chain
from compare_report import print_means, print_rows, print_table, rank_correlation, write_plot
from implementations import RIVALS, Hiprope, reason_of, version_of
from layer_data import HERE, MAX_POSITIONS, Shared, cos_sin_table, expected, read_models, relative_error, torch

DECODE_TOKENS = 256  # above, positions follow each other
CHECKED_TOKENS = 64
# Relative to a head's root mean square. The table or the products in the tensors' type cost some halves of its steps.
TOLERANCE = {"f16": 2e-2, "bf16": 1.5e-1}
TUNINGS = [None] + [f"accesses={accesses},block={block}" for accesses in (1, 2, 4) for block in (64, 128, 256)]


def find_rivals(names, model, table):
    """The rivals that can be made, and for the others why not."""
    found, missing = {}, {}
    for name in names:
        try:
            found[name] = RIVALS[name](model, table)
        except Exception as error:  # whatever a package raises while it is imported
            missing[name] = f"missing ({reason_of(error)}); {RIVALS[name].install}"
    return found, missing


def tuned_ropes(model, table):
    """hiprope under every choice of HIPROPE_TUNING that it takes."""
    found = {}
    for tuning in TUNINGS:
        os.environ.pop("HIPROPE_TUNING", None)
        if tuning:
            os.environ["HIPROPE_TUNING"] = tuning
        try:
            found["hiprope" + (f" {tuning}" if tuning else "")] = Hiprope(model, table)
        except RuntimeError as error:
            if tuning is None or "HIPROPE_TUNING" not in str(error):
                raise
    os.environ.pop("HIPROPE_TUNING", None)
    return found


def positions_for(tokens, generator):
    if tokens <= DECODE_TOKENS:
        return torch.randint(0, MAX_POSITIONS, (tokens,), device="cuda", generator=generator)
    return torch.arange(tokens, device="cuda") % MAX_POSITIONS


def worst_error(chain, implementation, stage):
    """The largest error against float64 of what a call leaves, or None where it does not do that."""
    layer, shared = chain.layers[0], chain.shared
    call = chain.bind(layer, implementation, stage)
    if call is None:
        return None
    layer.qkv.normal_()
    for cache in (layer.k_cache, layer.v_cache):
        cache.zero_()
    q, k = (expected(shared.model, x, shared.positions) for x in (layer.q, layer.k))
    v = layer.v.double()
    found_q, found_k = call() or (layer.q, layer.k)
    torch.cuda.synchronize()
    if stage == "rope+cache8":  # e4m3 keeps 4 bits
        bytes_of = lambda x, y: x.view(torch.float8_e4m3fn).float()[: y.numel() // y.shape[0] * shared.slot_count]
        rows = [(bytes_of(x, y).view(-1, *y.shape[1:])[shared.slots], y) for x, y in ((layer.k_cache, k), (layer.v_cache, v))]
        rows.append((layer.q8.view(torch.float8_e4m3fn).float().view(q.shape), q))
        return max(relative_error(found, wanted) for found, wanted in rows) / 4
    worst = max(relative_error(found_q, q), relative_error(found_k, k))
    if stage == "rope+cache":
        worst = max(worst, relative_error(layer.k_cache.view(-1, *k.shape[1:])[shared.slots], k),
                    relative_error(layer.v_cache.view(-1, *v.shape[1:])[shared.slots], v))
    return worst


def check_all(model, type_name, found, table, generator):
    """What is right, by name and stage, and its errors; hiprope must be."""
    shared = Shared(model, type_name, CHECKED_TOKENS, positions_for(CHECKED_TOKENS, generator), table)
    chain = Chain(shared, hidden_size=64, layers=1)
    right, errors = {}, {}
    for name, implementation in found.items():
        for stage in STAGES:
            try:
                error = worst_error(chain, implementation, stage)
            except Exception as failure:
                print(f"{name}, {stage}: {model.name} {type_name}: left out, it fails: {reason_of(failure)}", file=sys.stderr)
                continue
            if error is None:
                continue
            errors[f"{model.name} {type_name} {name} {stage}"] = error
            if error <= TOLERANCE[type_name]:
                right[name, stage] = implementation
            else:
                print(f"{name}, {stage}: {model.name} {type_name}: left out, it is wrong by {error:.2e}", file=sys.stderr)
    if ("hiprope", "rope") not in right:
        sys.exit("compare: hiprope's own output is wrong")
    return right, errors


def hidden_size_for(tokens, arguments):
    """Small, so that noise of the weights does not drown the call; of more than 512 elements only where tokens are few."""
    if arguments.hidden_size:
        return arguments.hidden_size
    return 2048 if tokens <= DECODE_TOKENS else 512


def run_case(model, type_name, tokens, right, table, arguments, generator):
    shared = Shared(model, type_name, tokens, positions_for(tokens, generator), table)
    chain = Chain(shared, hidden_size_for(tokens, arguments), arguments.layers)
    result = {"model": model.name, "type": type_name, "tokens": tokens}
    calls = {(name, stage): implementation for (name, stage), implementation in right.items()
             if not arguments.neighbours or stage == "rope"}
    result |= chain.measure(calls, arguments.rounds, neighbours=False)
    if arguments.neighbours:
        result["bench"] = chain.measure(calls, arguments.rounds, neighbours=True)
    return result


def print_neighbours(results):
    """What each implementation adds behind matrix products and behind the bench's kernels, and how alike they rank them."""
    correlations = []
    for result in results:
        ours, theirs = result["bench"]["us"]["rope"], result["us"]["rope"]
        ours, theirs = ours | {"touch": result["bench"]["touch"]}, theirs | {"touch": result["touch"]}
        names = [name for name in theirs if name in ours]
        correlations.append(rank_correlation([ours[n] for n in names], [theirs[n] for n in names]))
        print(f"\n{result['model']} {result['type']} {result['tokens']} tokens: rank correlation {correlations[-1]:.3f}")
        print_rows([["added, us", "matrix products", "bench's kernels", "ratio"]]
                   + [[n, f"{theirs[n]:.2f}", f"{ours[n]:.2f}", f"{ours[n] / theirs[n]:.2f}"]
                      for n in sorted(names, key=theirs.get)])
    print(f"\nrank correlation (Spearman): mean {sum(correlations) / len(correlations):.3f}, lowest {min(correlations):.3f}, "
          f"{len(correlations)} cases")


def list_all(models):
    print_rows([["model", "Q heads", "KV heads", "head_dim", "rotary_dim", "row"]]
               + [[m.name, m.heads, m.kv_heads, m.head_dim, m.rotary_dim, m.row] for m in models])
    print()
    for name, rival in RIVALS.items():
        print(f"{name:<14} {rival.__doc__.splitlines()[0]}\n{'':<14} {version_of(name)}; {rival.install}")
    print("\nPyTorch is missing, so nothing can be measured here" if torch is None else f"\ntorch {torch.__version__}")


def parse_arguments(models):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = HERE / "libhiprope.so.0"
    parser.add_argument("--library", type=pathlib.Path, default=beside if beside.exists() else HERE.parent / "build/libhiprope.so")
    parser.add_argument("--model", default="all", help="names separated by commas: " + ", ".join(m.name for m in models))
    parser.add_argument("--tokens", default="1,8,64,256,1024,2048,4096,8192,16384")
    parser.add_argument("--dtype", default="bf16", help="f16, bf16, separated by commas")
    parser.add_argument("--rivals", default=",".join(RIVALS), help="default: %(default)s")
    parser.add_argument("--hidden-size", type=int, help="default: 2048 up to 256 tokens, 512 above")
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=31, help="replays that the median is of")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--neighbours", action="store_true",
                        help="also behind the kernels of `hiprope bench`, under every HIPROPE_TUNING, to compare the ranks")
    parser.add_argument("--json", help="write the results to this file")
    parser.add_argument("--plot", help="write the ratios to this file as an SVG")
    parser.add_argument("--list", action="store_true", help="list models and rivals")
    arguments = parser.parse_args()
    arguments.dtype, arguments.rivals = arguments.dtype.split(","), [r for r in arguments.rivals.split(",") if r]
    wanted = {name.lower() for name in arguments.model.split(",")}
    arguments.models = [m for m in models if "all" in wanted or m.name.lower() in wanted]
    for unknown in wanted - {"all"} - {m.name.lower() for m in models}:
        parser.error(f"no measured model is called {unknown}; they are " + ", ".join(m.name for m in models))
    for unknown in set(arguments.rivals) - set(RIVALS):
        parser.error(f"no rival is called {unknown}; they are " + ", ".join(RIVALS))
    return arguments


def main():
    models = read_models()
    arguments = parse_arguments(models)
    if arguments.list:
        return list_all(models)
    if torch is None or not torch.cuda.is_available():
        sys.exit("compare: PyTorch is missing or sees no GPU")
    if not arguments.library.exists():
        sys.exit(f"compare: {arguments.library} is missing; build hiprope for platform nvidia or pass --library")
    Hiprope.load(arguments.library)
    generator = torch.Generator("cuda").manual_seed(arguments.seed)
    torch.manual_seed(arguments.seed)
    facts = {"device": torch.cuda.get_device_properties(0).name, "torch": torch.__version__,
             "hiprope": Hiprope.library.hiprope_version().decode(), "command": " ".join(sys.argv), "rivals": {}}
    results, errors = [], {}
    for model in arguments.models:
        table = cos_sin_table(model)
        found, missing = find_rivals(arguments.rivals, model, table)
        facts["rivals"] |= missing | {name: version_of(name) for name in found}
        own = tuned_ropes(model, table) if arguments.neighbours else {"hiprope": Hiprope(model, table)}
        for type_name in arguments.dtype:
            right, new_errors = check_all(model, type_name, own | found, table, generator)
            errors |= new_errors
            for tokens in map(int, arguments.tokens.split(",")):
                results.append(run_case(model, type_name, tokens, right, table, arguments, generator))
                print(f"{model.name} {type_name} {tokens} done", file=sys.stderr, flush=True)
    for name, value in (facts | facts["rivals"]).items():
        if name != "rivals":
            print(f"{name:<14} {value}")
    if arguments.neighbours:
        print_neighbours(results)
    else:
        for stage in STAGES:
            print_table(results, stage)
        print_means(results)
    print("\nlargest error against float64, relative to the root mean square of a head:")
    for name in ("hiprope", *arguments.rivals):
        own_errors = [error for case, error in errors.items() if case.split()[2] == name]
        if own_errors:
            print(f"  {name:<14} {max(own_errors):.1e}")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps({"machine": facts, "errors": errors, "results": results}, indent=1))
    if arguments.plot:
        write_plot(results, arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
