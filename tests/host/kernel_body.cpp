// Launches of the host-compiled kernel body.
#include "tests/host/kernel_body.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "check.h"
#include "kernels/rotate.h"

#if defined(__SANITIZE_ADDRESS__)
#define HIPROPE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HIPROPE_ASAN 1
#endif
#endif
#if defined(HIPROPE_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace hiprope::test {
namespace {

using RunThread = void (*)(const KernelParams&, std::uint32_t, std::uint32_t, std::uint32_t);
struct BodyRow {
  RunThread of_one, of_two;  // tensors
};

// In the order of internal::kVariants.
constexpr BodyRow kBodies[] = {
#define HIPROPE_VARIANT(element, layout, bytes, heads, angles)                                       \
  {&run_thread<Variant<hiprope::element, Layout::layout, bytes, heads, AngleInput::of_##angles>, 1>, \
   &run_thread<Variant<hiprope::element, Layout::layout, bytes, heads, AngleInput::of_##angles>, 2>},
#include "kernels/variants.inc"
#undef HIPROPE_VARIANT
};

// Calls see(first byte, length) for each run of bytes that the call may neither read nor write.
template <typename See>
void for_forbidden_runs(const Case& c, Images& images, const See& see) {
  const auto bytes = static_cast<std::size_t>(format_of(c.type).bytes);
  std::array<std::vector<bool>, kBuffers> allowed;
  for (std::size_t i = 0; i < allowed.size(); ++i) allowed[i].resize(images[i].size());
  for (const Flow& flow : flows(c)) {
    const bool in_place = flow.in.buffer == flow.out.buffer && flow.in.offset == flow.out.offset;
    const std::int64_t first = in_place ? c.config.rotary_offset : 0;
    const std::int64_t count = in_place ? c.rotary_dim() : c.config.head_dim;
    for (const Side& side : {flow.in, flow.out}) {
      auto& mask = allowed[static_cast<std::size_t>(side.buffer)];
      for (std::int64_t token = 0; token < c.tokens; ++token) {
        for (std::int64_t head = 0; head < side.heads; ++head) {
          const std::size_t at = byte_of(c, side, token, head, first);
          std::fill_n(mask.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::size_t>(count) * bytes, true);
        }
      }
    }
  }
  for (std::size_t i = 0; i < allowed.size(); ++i) {
    for (auto run = allowed[i].begin(); run != allowed[i].end();) {
      run = std::find(run, allowed[i].end(), false);
      const auto end = std::find(run, allowed[i].end(), true);
      if (run != end) see(images[i].data() + (run - allowed[i].begin()), static_cast<std::size_t>(end - run));
      run = end;
    }
  }
}

void set_fences([[maybe_unused]] const Case& c, [[maybe_unused]] Images& images, [[maybe_unused]] bool up) {
#if defined(HIPROPE_ASAN)
  for_forbidden_runs(c, images, [up](std::byte* run, std::size_t length) {
    up ? __asan_poison_memory_region(run, length) : __asan_unpoison_memory_region(run, length);
  });
#endif
}

}  // namespace

hiprope_status plan_call(const hiprope_rope& rope, const hiprope_tensor& q, const hiprope_tensor* k,
                         const hiprope_positions& positions, const hiprope_apply_options* options, BodyLaunch& launch) {
  internal::CheckedCall call;
  constexpr internal::TensorNames kNames[2] = {{"q", "q_out"}, {"k", "k_out"}};
  auto status = internal::check_call(&rope, kNames, &q, k, &positions, options, call);
  if (status == hiprope_ok && !call.empty()) status = internal::plan_launch(rope, call, launch.plan);
  launch.tensors = call.tensors;
  launch.plan.params.axis = rope.frequencies.axis_of_pair.get();
  launch.plan.params.refused = launch.refused;
  return status;
}

hiprope_status plan_case(const Case& c, const hiprope_rope& rope, const std::array<std::byte*, kBuffers>& bases,
                         const std::byte* ids, BodyLaunch& launch) {
  const CallArguments arguments = arguments_of(c, bases, ids);
  hiprope_apply_options options{};
  options.size = sizeof(options);
  options.direction = static_cast<std::int32_t>(c.direction);
  options.out = c.q_out ? &arguments.q_out : nullptr;
  options.k_out = c.k_out ? &arguments.k_out : nullptr;
  return plan_call(rope, arguments.q, c.k ? &arguments.k : nullptr, arguments.positions, &options, launch);
}

bool can_run(const hiprope_rope& rope, const BodyLaunch& launch, int variant) {
  const internal::VariantRow& planned = internal::kVariants[launch.plan.variant];
  const internal::VariantRow& row = internal::kVariants[variant];
  if (multiplies(row.angles) && rope.config.angles != hiprope_angles_exact) return false;
  return row.data_type == planned.data_type && row.layout == planned.layout &&
         (axes_of(row.angles) > 1) == (axes_of(planned.angles) > 1) && axes_of(row.angles) >= axes_of(planned.angles) &&
         row.access_bytes <= planned.access_bytes;
}

void retarget(const Case& c, BodyLaunch& launch, const BodyChoice& choice) {
  const KernelParams& p = launch.plan.params;
  const bool in_place = !c.q_out && !c.k_out;
  const std::int64_t bytes = format_of(c.type).bytes;
  internal::WorkShape shape{.variant = choice.variant,
                            .tokens = p.tokens,
                            .q_heads = p.q_heads,
                            .k_heads = p.k_heads,
                            .copied = in_place ? 0 : (c.config.head_dim - c.rotary_dim()) * bytes,
                            .pairs = p.pairs,
                            .half_block = p.half_block,
                            .block_threads = choice.block_threads,
                            .most_items = internal::kMostItems};
  launch.plan.params.ahead = choice.ahead;
  EXPECT_EQ(internal::cut_work(shape, launch.plan), hiprope_ok);
  const std::int64_t units = p.rotate_units + p.copy_units;
  shape.most_items = choice.chunk_tokens * p.head_groups * units;
  EXPECT_EQ(internal::cut_work(shape, launch.plan), hiprope_ok);
  EXPECT_EQ(p.chunk_tokens, std::min(choice.chunk_tokens, p.tokens));
}

void BodyTables::give(TileShifts tiles, BodyLaunch& launch) {
  internal::Tables& tables = of_tiles_[tiles.table][tiles.factors];
  if (tables.table == nullptr) {
    ASSERT_EQ(
        internal::make_tables(rope_->frequencies, rope_->config.max_positions, rope_->config.angles, tiles, tables),
        hiprope_ok)
        << hiprope_last_error();
  }
  KernelParams& p = launch.plan.params;
  p.table = tables.table.get();
  p.coarse = tables.coarse.get();
  p.fine = tables.fine.get();
  p.tiles = tiles;
}

void run_block(BodyLaunch& launch, std::uint32_t block, std::uint32_t chunk) {
  struct Waits {};
  const BodyRow& body = kBodies[launch.plan.variant];
  const RunThread run = launch.tensors == 2 ? body.of_two : body.of_one;
  const auto threads = static_cast<std::uint32_t>(launch.plan.params.block_threads);
  const std::size_t ids = launch.plan.shared_bytes / sizeof(SeenId);
  const auto shared = std::make_unique<SeenId[]>(ids), early = std::make_unique<SeenId[]>(ids);
  constexpr SeenId unknown{-1, nullptr};
  std::fill_n(shared.get(), ids, unknown);
  block_memory = shared.get();
  std::uint32_t waiting = 0;
  when_thread_waits_for_block = [] { throw Waits{}; };
  for (std::uint32_t thread = threads; thread-- > 0;) {
    try {
      run(launch.plan.params, block, chunk, thread);
    } catch (const Waits&) {
      ++waiting;
    }
  }
  std::uint32_t through = 0;
  when_thread_waits_for_block = [&] {
    block_memory = shared.get();
    ++through;
  };
  for (std::uint32_t thread = threads; waiting != 0 && thread-- > 0;) {
    std::fill_n(early.get(), ids, unknown);
    block_memory = early.get();
    run(launch.plan.params, block, chunk, thread);
  }
  when_thread_waits_for_block = nullptr;
  block_memory = nullptr;
  EXPECT_TRUE(waiting == 0 || waiting == threads) << waiting << " of " << threads << " threads wait for their block";
  EXPECT_EQ(through, waiting) << "a thread waits for its block more than once";
}

Outcome run_body(const Case& c, const Rope& rope, BodyTables& tables, const BodyChoice& choice, Images& images) {
  const std::vector<std::byte> final_ids = id_bytes(c);
  std::vector<std::byte> early_ids = final_ids, ids = final_ids;
  if (!ids.empty()) std::rotate(early_ids.begin(), early_ids.begin() + c.ids_bytes, early_ids.end());
  BodyLaunch launch;
  Outcome outcome;
  outcome.status = plan_case(c, *rope.get(), bases_of(images), ids.data(), launch);
  outcome.message = outcome.status == hiprope_ok ? "" : hiprope_last_error();
  if (outcome.status != hiprope_ok) return outcome;
  if (launch.plan.blocks != 0 && choice.variant >= 0) retarget(c, launch, choice);
  // The order of the tables goes with case and kernel: entries must fill the tiles, and factors of a unit's pairs,
  // which are 8 at most, must lie in one; so must their entries of the table with several axes.
  const internal::VariantRow& row = internal::kVariants[launch.plan.variant];
  const bool of_eight_pairs = row.layout == internal::Layout::half_split && c.type != DataType::f32;
  const std::uint64_t draw = c.seed + static_cast<std::uint64_t>(choice.variant);
  TileShifts tiles = {};
  if (choice.variant >= 0) tiles = {static_cast<std::int32_t>(draw % 3), of_eight_pairs || draw % 2 == 0 ? 3 : 2};
  const std::int32_t pairs = rope.get()->frequencies.pairs;
  const std::int64_t elements = row.access_bytes / format_of(c.type).bytes;
  const std::int64_t unit_pairs = vectors_of_unit(row.layout == internal::Layout::interleaved, elements) * elements / 2;
  if (axes_of(row.angles) > 1 && (!kDealsAxes || unit_pairs > (2 << tiles.table))) tiles.table = 0;
  if (pairs % (2 << tiles.table) != 0) tiles.table = 0;
  if (draw % 5 == 0 || pairs % (1 << tiles.factors) != 0) tiles.factors = 0;
  tables.give(tiles, launch);
  set_fences(c, images, true);
  when_thread_begins = [&] { std::copy(early_ids.begin(), early_ids.end(), ids.begin()); };
  when_wait_ends = [&] { std::copy(final_ids.begin(), final_ids.end(), ids.begin()); };
  for (std::uint32_t chunk = 0; chunk < launch.plan.chunks; ++chunk) {
    for (std::uint32_t block = 0; block < launch.plan.blocks; ++block) run_block(launch, block, chunk);
  }
  when_thread_begins = when_wait_ends = nullptr;
  set_fences(c, images, false);
  outcome.refused = launch.refused[0];
  outcome.first_refused = launch.refused[0] == 0 ? -1 : static_cast<std::int64_t>(launch.refused[1]);
  return outcome;
}

namespace {

std::vector<BodyChoice> choices_of(const Case& c, const hiprope_rope& rope, const BodyLaunch& planned) {
  std::vector<BodyChoice> choices(1);
  if (planned.plan.blocks == 0) return choices;
  for (int variant = 0; variant < internal::kVariantCount; ++variant) {
    if (!can_run(rope, planned, variant)) continue;
    // A bit that does not go with the order of variants.inc.
    const std::uint64_t draw = c.seed + (static_cast<std::uint64_t>(variant) * 0x9E3779B97F4A7C15U >> 63);
    const std::int64_t chunk_tokens = draw % 2 == 0 ? 2 : c.tokens;
    choices.push_back({variant, chunk_tokens, Ahead::nothing});
    constexpr std::int32_t blocks[] = {64, 32, 96, 256};
    const std::int32_t block_threads = blocks[(c.seed + static_cast<std::uint64_t>(variant)) % std::size(blocks)];
    if (works_ahead(internal::kVariants[variant].angles)) {
      choices.push_back({variant, chunk_tokens, Ahead::heads, block_threads});
    }
  }
  return choices;
}

}  // namespace

std::string body_mismatch(const Case& c) {
  const Images before = make_images(c);
  const Rope rope(c.config, Device::cpu());
  Images on_cpu = before;
  set_fences(c, on_cpu, true);
  const Outcome expected = run_cpu(c, rope, on_cpu);
  set_fences(c, on_cpu, false);
  if (expected.status != hiprope_ok) return "the CPU path refused it: " + expected.message;
  BodyLaunch planned;
  const std::vector<std::byte> ids = id_bytes(c);
  if (plan_case(c, *rope.get(), bases_of(on_cpu), ids.data(), planned) != hiprope_ok) return hiprope_last_error();
  BodyTables tables(*rope.get());
  for (const BodyChoice& choice : choices_of(c, *rope.get(), planned)) {
    Images on_body = before;
    const Outcome actual = run_body(c, rope, tables, choice, on_body);
    const char* const name = choice.variant < 0 ? "the planned kernel" : internal::kVariants[choice.variant].name;
    if (actual.status != hiprope_ok) return fmt::format("{}: {}", name, actual.message);
    if (const std::string fault = difference(c, on_cpu, on_body); !fault.empty())
      return fmt::format("{}: {}", name, fault);
    if (actual.refused != expected.refused || actual.first_refused != expected.first_refused) {
      return fmt::format("{}: refused {} first {}, the CPU path {} first {}", name, actual.refused,
                         actual.first_refused, expected.refused, expected.first_refused);
    }
  }
  return {};
}

}  // namespace hiprope::test
