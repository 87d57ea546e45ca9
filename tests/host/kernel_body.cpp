// Launches of the host-compiled kernel body.
#include "tests/host/kernel_body.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "check.h"
#include "kernels/body.h"

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

using RunThread = void (*)(const KernelParams&, ThreadIndex);
struct BodyRow {
  RunThread of_one, of_two;  // tensors
};

// In the order of internal::kVariants.
constexpr BodyRow kBodies[] = {
#define HIPROPE_VARIANT(element, layout, bytes, heads, scope)                             \
  {&run_thread<Variant<hiprope::element, Layout::layout, bytes, heads, Scope::scope>, 1>, \
   &run_thread<Variant<hiprope::element, Layout::layout, bytes, heads, Scope::scope>, 2>},
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
                         const hiprope_positions& positions, const hiprope_apply_options* options, BodyLaunch& launch,
                         std::int64_t first) {
  internal::CheckedCall call;
  constexpr internal::TensorNames kNames[2] = {{"q", "q_out"}, {"k", "k_out"}};
  auto status = internal::check_call(&rope, kNames, &q, k, &positions, options, call);
  if (status == hiprope_ok && !call.empty()) status = internal::plan_launch(rope, call, first, launch.plan);
  launch.plan.params.table = rope.host_table.get();
  launch.plan.params.axis_of_pair = rope.frequencies.axis_of_pair.get();
  launch.plan.params.out_of_range = launch.out_of_range;
  return status;
}

hiprope_status plan_case(const Case& c, const hiprope_rope& rope, const std::array<std::byte*, kBuffers>& bases,
                         const std::byte* ids, BodyLaunch& launch, std::int64_t first) {
  const CallArguments arguments = arguments_of(c, bases, ids);
  hiprope_apply_options options{};
  options.size = sizeof(options);
  options.direction = static_cast<std::int32_t>(c.direction);
  options.out = c.q_out ? &arguments.q_out : nullptr;
  options.k_out = c.k_out ? &arguments.k_out : nullptr;
  return plan_call(rope, arguments.q, c.k ? &arguments.k : nullptr, arguments.positions, &options, launch, first);
}

bool can_run(const BodyLaunch& launch, int variant) {
  const internal::VariantRow& planned = internal::kVariants[launch.plan.variant];
  const internal::VariantRow& row = internal::kVariants[variant];
  return row.data_type == planned.data_type && row.layout == planned.layout &&
         row.access_bytes <= planned.access_bytes && (row.scope == Scope::any || planned.scope == Scope::in_place);
}

void run_block(BodyLaunch& launch, std::uint32_t block) {
  const BodyRow& body = kBodies[launch.plan.variant];
  const RunThread run = launch.plan.tensors == 2 ? body.of_two : body.of_one;
  const KernelParams& p = launch.plan.params;
  for (std::uint32_t thread = p.block_items * p.block_tokens; thread-- > 0;) {
    run(p, {block, thread % p.block_items, thread / p.block_items});
  }
}

Outcome run_body(const Case& c, const Rope& rope, const BodyChoice& choice, Images& images) {
  const std::vector<std::byte> ids = id_bytes(c);
  BodyLaunch launch;
  Outcome outcome;
  std::int64_t left = c.tokens;
  do {
    outcome.status = plan_case(c, *rope.get(), bases_of(images), ids.data(), launch, c.tokens - left);
    outcome.message = outcome.status == hiprope_ok ? "" : hiprope_last_error();
    if (outcome.status != hiprope_ok || launch.plan.blocks == 0) return outcome;
    if (choice.variant >= 0) {
      EXPECT_EQ(internal::cut_work(choice.variant, choice.block_threads, left, choice.most_blocks, launch.plan),
                hiprope_ok);
    }
    EXPECT_LT(launch.plan.tokens_left, left);
    left = launch.plan.tokens_left;
    set_fences(c, images, true);
    for (std::uint32_t block = 0; block < launch.plan.blocks; ++block) run_block(launch, block);
    set_fences(c, images, false);
  } while (left > 0);
  outcome.out_of_range = launch.out_of_range[0];
  outcome.first_out_of_range = launch.out_of_range[0] == 0 ? -1 : static_cast<std::int64_t>(launch.out_of_range[1]);
  return outcome;
}

namespace {

// Every kernel that can do the launch, in blocks of a size drawn for it, and as several launches every other time.
std::vector<BodyChoice> choices_of(const Case& c, const BodyLaunch& planned) {
  std::vector<BodyChoice> choices(1);
  if (planned.plan.blocks == 0) return choices;
  constexpr std::int32_t blocks[] = {64, 32, 96, 256};
  for (int variant = 0; variant < internal::kVariantCount; ++variant) {
    if (!can_run(planned, variant)) continue;
    const std::uint64_t draw = c.seed + static_cast<std::uint64_t>(variant);
    BodyLaunch one = planned;
    const std::int32_t block_threads = blocks[draw / 2 % std::size(blocks)];
    EXPECT_EQ(internal::cut_work(variant, block_threads, c.tokens, internal::kMostIndex, one.plan), hiprope_ok);
    choices.push_back({variant, block_threads, draw % 2 == 0 ? one.plan.params.item_blocks : internal::kMostIndex});
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
  for (const BodyChoice& choice : choices_of(c, planned)) {
    Images on_body = before;
    const Outcome actual = run_body(c, rope, choice, on_body);
    const char* const name = choice.variant < 0 ? "the planned kernel" : internal::kVariants[choice.variant].name;
    if (actual.status != hiprope_ok) return fmt::format("{}: {}", name, actual.message);
    if (const std::string fault = difference(c, on_cpu, on_body); !fault.empty())
      return fmt::format("{}: {}", name, fault);
    if (actual.out_of_range != expected.out_of_range || actual.first_out_of_range != expected.first_out_of_range) {
      return fmt::format("{}: {} out of range, first {}; the CPU path {}, first {}", name, actual.out_of_range,
                         actual.first_out_of_range, expected.out_of_range, expected.first_out_of_range);
    }
  }
  return {};
}

}  // namespace hiprope::test
