// Calls that are refused: each with its own status and a sentence with argument and values; nothing is written.
#include "tests/host/refusals.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace hiprope::test {
namespace {

struct BadCall {
  const char* name;
  hiprope_status status;
  const char* says[2];
  void (*spoil)(Call&);
};

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

const BadCall kBadCalls[] = {
    {"rope_null", hiprope_error_null_argument, {"rope", "null"}, [](Call& c) { c.with_rope = false; }},
    {"q_null", hiprope_error_null_argument, {"q", "null"}, [](Call& c) { c.with_q = false; }},
    {"positions_null", hiprope_error_null_argument, {"positions", "null"}, [](Call& c) { c.with_positions = false; }},
    {"q_data_null", hiprope_error_null_argument, {"q.data", "null"}, [](Call& c) { c.q.data = nullptr; }},
    {"k_data_null", hiprope_error_null_argument, {"k.data", "null"}, [](Call& c) { c.k.data = nullptr; }},
    {"out_data_null",
     hiprope_error_null_argument,
     {"out.data", "null"},
     [](Call& c) {
       c.out_of_place();
       c.q_out.data = nullptr;
     }},
    {"k_out_without_k",
     hiprope_error_null_argument,
     {"k", "k_out"},
     [](Call& c) {
       c.out_of_place();
       c.with_k = false;
     }},
    {"q_size", hiprope_error_struct_size, {"q.size", "0"}, [](Call& c) { c.q.size = 0; }},
    {"q_size_of_the_future", hiprope_error_struct_size, {"q.size", "sizeof"}, [](Call& c) { c.q.size += 8; }},
    {"k_size", hiprope_error_struct_size, {"k.size", "7"}, [](Call& c) { c.k.size = 7; }},
    {"out_size",
     hiprope_error_struct_size,
     {"out.size", "sizeof"},
     [](Call& c) {
       c.out_of_place();
       c.q_out.size += 1;
     }},
    {"positions_size", hiprope_error_struct_size, {"positions.size", "4096"}, [](Call& c) { c.positions.size = 4096; }},
    {"options_size", hiprope_error_struct_size, {"options.size", "0"}, [](Call& c) { c.options.size = 0; }},
    {"q_data_type", hiprope_error_enum_value, {"q.data_type", "3"}, [](Call& c) { c.q.data_type = 3; }},
    {"k_data_type", hiprope_error_enum_value, {"k.data_type", "-1"}, [](Call& c) { c.k.data_type = -1; }},
    {"positions_type", hiprope_error_enum_value, {"positions.type", "2"}, [](Call& c) { c.positions.type = 2; }},
    {"direction", hiprope_error_enum_value, {"options.direction", "2"}, [](Call& c) { c.options.direction = 2; }},
    {"q_head_dim", hiprope_error_head_dim, {"q.head_dim 128", "64"}, [](Call& c) { c.q.head_dim = 128; }},
    {"k_head_dim", hiprope_error_head_dim, {"k.head_dim 32", "64"}, [](Call& c) { c.k.head_dim = 32; }},
    {"out_head_dim",
     hiprope_error_head_dim,
     {"out.head_dim 66", "64"},
     [](Call& c) {
       c.out_of_place();
       c.q_out.head_dim = 66;
     }},
    {"types_differ",
     hiprope_error_data_type,
     {"k.data_type 1", "q.data_type 0"},
     [](Call& c) { c.k.data_type = hiprope_f16; }},
    {"out_type_differs",
     hiprope_error_data_type,
     {"out.data_type 2", "q.data_type 0"},
     [](Call& c) {
       c.out_of_place();
       c.q_out.data_type = hiprope_bf16;
     }},
    {"tokens_negative", hiprope_error_negative_size, {"q.tokens -1", "negative"}, [](Call& c) { c.q.tokens = -1; }},
    {"heads_negative", hiprope_error_negative_size, {"k.", "-3"}, [](Call& c) { c.k.heads = -3; }},
    {"token_stride_negative",
     hiprope_error_stride,
     {"q.token_stride -256", "negative"},
     [](Call& c) { c.q.token_stride = -256; }},
    {"head_stride_negative", hiprope_error_stride, {"k.", "-64"}, [](Call& c) { c.k.head_stride = -64; }},
    {"token_stride_too_large",
     hiprope_error_stride,
     {"q", "9223372036854775807"},
     [](Call& c) { c.q.token_stride = kHuge; }},
    {"head_stride_too_large",
     hiprope_error_stride,
     {"q", "9223372036854775807"},
     [](Call& c) { c.q.head_stride = kHuge; }},
    {"both_strides_large",
     hiprope_error_stride,
     {"q", "288230376151711744"},
     [](Call& c) {
       c.q.token_stride = (1LL << 58);
       c.q.head_stride = (1LL << 58);
     }},
    {"heads_overlap", hiprope_error_stride, {"overlaps itself", "63"}, [](Call& c) { c.q.head_stride = 63; }},
    {"tokens_overlap", hiprope_error_stride, {"overlaps itself", "255"}, [](Call& c) { c.q.token_stride = 255; }},
    {"tokens_overlap_within_heads",
     hiprope_error_stride,
     {"overlaps itself", "32"},
     [](Call& c) {
       c.k.token_stride = 32;
       c.k.head_stride = 512;
     }},
    {"strides_zero", hiprope_error_stride, {"overlaps itself", "0"}, [](Call& c) { c.q.token_stride = 0; }},
    {"strides_equal", hiprope_error_stride, {"overlaps itself", "64"}, [](Call& c) { c.q.token_stride = 64; }},
    {"out_overlaps_itself",
     hiprope_error_stride,
     {"out", "overlaps itself"},
     [](Call& c) {
       c.out_of_place();
       c.q_out.head_stride = 8;
     }},
    {"out_overlaps_in",
     hiprope_error_view_overlap,
     {"out", "overlaps q"},
     [](Call& c) {
       c.out_of_place();
       c.q_out.data = c.memory.data() + 8;
     }},
    {"out_overlaps_in_by_one_element",
     hiprope_error_view_overlap,
     {"out", "overlaps q"},
     [](Call& c) {
       c.out_of_place();
       c.q_out.data = c.memory.data() + 767;
     }},
    {"out_ends_inside_in",
     hiprope_error_view_overlap,
     {"out", "overlaps q"},
     [](Call& c) {
       c.out_of_place();
       c.q.data = c.memory.data() + 2048 + 767;
     }},
    {"single_views_overlap",
     hiprope_error_view_overlap,
     {"out", "overlaps q"},
     [](Call& c) {
       c.out_of_place();
       for (TensorView* view : {&c.q, &c.k, &c.q_out, &c.k_out}) {
         view->tokens = 1;
         view->heads = 1;
         view->token_stride = 0;
         view->head_stride = 0;
       }
       c.q_out.data = c.memory.data() + 8;
     }},
    {"q_overlaps_k", hiprope_error_view_overlap, {"k", "overlaps q"}, [](Call& c) { c.k.data = c.memory.data() + 64; }},
    {"q_is_k", hiprope_error_view_overlap, {"k", "overlaps q"}, [](Call& c) { c.k = c.q; }},
    {"k_out_overlaps_q",
     hiprope_error_view_overlap,
     {"k_out", "q"},
     [](Call& c) {
       c.out_of_place();
       c.k_out.data = c.memory.data() + 64;
     }},
    {"out_overlaps_k",
     hiprope_error_view_overlap,
     {"out", "k"},
     [](Call& c) {
       c.out_of_place();
       c.q_out.data = c.memory.data() + 1024 + 64;
     }},
    {"outs_overlap",
     hiprope_error_view_overlap,
     {"k_out", "options.out"},
     [](Call& c) {
       c.out_of_place();
       c.k_out.data = c.memory.data() + 2048;
     }},
    {"tokens_differ", hiprope_error_shape, {"k.tokens 2", "q.tokens 3"}, [](Call& c) { c.k.tokens = 2; }},
    {"out_tokens_differ",
     hiprope_error_shape,
     {"out.tokens 2", "q.tokens 3"},
     [](Call& c) {
       c.out_of_place();
       c.q_out.tokens = 2;
     }},
    {"out_heads_differ",
     hiprope_error_shape,
     {"k_out.heads 1", "k.heads 2"},
     [](Call& c) {
       c.out_of_place();
       c.k_out.heads = 1;
     }},
    {"q_alignment",
     hiprope_error_alignment,
     {"q.data", "4"},
     [](Call& c) { c.q.data = static_cast<char*>(c.q.data) + 2; }},
    {"k_alignment",
     hiprope_error_alignment,
     {"k.data", "4"},
     [](Call& c) { c.k.data = static_cast<char*>(c.k.data) + 1; }},
    {"out_alignment",
     hiprope_error_alignment,
     {"out.data", "4"},
     [](Call& c) {
       c.out_of_place();
       c.q_out.data = static_cast<char*>(c.q_out.data) + 3;
     }},
    {"ids_alignment",
     hiprope_error_alignment,
     {"positions.ids", "8"},
     [](Call& c) { c.positions.ids = static_cast<const char*>(c.positions.ids) + 4; }},
    {"positions_axes", hiprope_error_positions, {"positions.axes", "2"}, [](Call& c) { c.positions.axes = 2; }},
    {"positions_axes_negative",
     hiprope_error_positions,
     {"positions.axes", "-1"},
     [](Call& c) { c.positions.axes = -1; }},
    {"axis_stride_below_tokens",
     hiprope_error_positions,
     {"axis_stride", "2"},
     [](Call& c) {
       c.config.axes = 2;
       c.config.sections[0] = c.config.sections[1] = 16;
       c.positions.axes = 2;
       c.positions.axis_stride = 2;
     }},
    {"axis_stride_negative",
     hiprope_error_positions,
     {"axis_stride", "-4"},
     [](Call& c) {
       c.config.axes = 2;
       c.config.sections[0] = c.config.sections[1] = 16;
       c.positions.axes = 2;
       c.positions.axis_stride = -4;
     }},
    {"axis_stride_huge",
     hiprope_error_positions,
     {"axis_stride", "9223372036854775807"},
     [](Call& c) {
       c.config.axes = 2;
       c.config.sections[0] = c.config.sections[1] = 16;
       c.positions.axes = 2;
       c.positions.axis_stride = kHuge;
     }},
    {"half_split_output_in_place",
     hiprope_error_in_place,
     {"output_pairing", "q"},
     [](Call& c) {
       c.config.pairing = hiprope_interleaved;
       c.config.output_pairing = hiprope_output_half_split;
     }},
    {"half_split_output_onto_itself",
     hiprope_error_in_place,
     {"output_pairing", "q"},
     [](Call& c) {
       c.config.pairing = hiprope_interleaved;
       c.config.output_pairing = hiprope_output_half_split;
       c.out_of_place();
       c.q_out = c.q;
     }},
    {"heads_too_many", hiprope_error_too_large, {"q.heads", "2147483648"}, [](Call& c) { c.q.heads = 1LL << 31; }},
};

void PrintTo(const BadCall& bad, std::ostream* stream) {
  *stream << bad.name;
}

class BadCalls : public testing::TestWithParam<BadCall> {};

TEST_P(BadCalls, AreRefusedWithASentenceAndWriteNothing) {
  Call c;
  GetParam().spoil(c);
  hiprope_rope* rope = nullptr;
  ASSERT_EQ(hiprope_create(&c.config, hiprope_device_cpu, 0, &rope), hiprope_ok) << hiprope_last_error();
  const std::vector<float> before = c.memory;
  const hiprope_status status = hiprope_apply_position_embeddings_device(
      c.with_rope ? rope : nullptr, c.with_q ? &c.q : nullptr, c.with_k ? &c.k : nullptr,
      c.with_positions ? &c.positions : nullptr, &c.options, nullptr);
  EXPECT_EQ(status, GetParam().status) << hiprope_last_error();
  for (const char* part : GetParam().says) {
    EXPECT_NE(std::string(hiprope_last_error()).find(part), std::string::npos) << hiprope_last_error();
  }
  EXPECT_EQ(c.memory, before);
  hiprope_stats stats{};
  stats.size = sizeof(stats);
  ASSERT_EQ(hiprope_get_stats(rope, &stats), hiprope_ok);
  EXPECT_EQ(stats.cpu_calls, 0U);
  hiprope_destroy(rope);
}

INSTANTIATE_TEST_SUITE_P(Table, BadCalls, testing::ValuesIn(kBadCalls),
                         [](const auto& instance) { return std::string(instance.param.name); });

// The call every bad one is made from is accepted, and reports its path.
TEST(Call, IsRightBeforeItIsSpoilt) {
  for (const bool out_of_place : {false, true}) {
    Call c;
    if (out_of_place) c.out_of_place();
    hiprope_rope* rope = nullptr;
    ASSERT_EQ(hiprope_create(&c.config, hiprope_device_cpu, 0, &rope), hiprope_ok);
    EXPECT_EQ(hiprope_apply_position_embeddings_cpu(rope, &c.q, &c.k, &c.positions, &c.options), hiprope_ok)
        << hiprope_last_error();
    EXPECT_EQ(c.path, hiprope_path_cpu);
    hiprope_destroy(rope);
  }
}

// Slices of one row layout share an address range without sharing an element.
TEST(Call, SlicesOfOneBufferAreApart) {
  Call c;
  c.q = TensorView::packed(c.memory.data(), DataType::f32, 3, 8, 0, 4, 64);
  c.k = TensorView::packed(c.memory.data(), DataType::f32, 3, 8, 4, 2, 64);
  hiprope_rope* rope = nullptr;
  ASSERT_EQ(hiprope_create(&c.config, hiprope_device_cpu, 0, &rope), hiprope_ok);
  EXPECT_EQ(hiprope_apply_position_embeddings_cpu(rope, &c.q, &c.k, &c.positions, nullptr), hiprope_ok)
      << hiprope_last_error();
  c.k = TensorView::packed(c.memory.data(), DataType::f32, 3, 8, 3, 2, 64);
  EXPECT_EQ(hiprope_apply_position_embeddings_cpu(rope, &c.q, &c.k, &c.positions, nullptr), hiprope_error_view_overlap);
  // Out of place into the other half of each row, and into the other half of each head.
  c.q = TensorView::packed(c.memory.data(), DataType::f32, 3, 8, 0, 4, 64);
  c.q_out = TensorView::packed(c.memory.data(), DataType::f32, 3, 8, 4, 4, 64);
  c.options.out = &c.q_out;
  EXPECT_EQ(hiprope_apply_rope_cpu(rope, &c.q, &c.positions, &c.options), hiprope_ok) << hiprope_last_error();
  c.q = TensorView::thd(c.memory.data(), DataType::f32, 3, 4, 128).dim_range(0, 64);
  c.q_out = TensorView::thd(c.memory.data(), DataType::f32, 3, 4, 128).dim_range(64, 64);
  EXPECT_EQ(hiprope_apply_rope_cpu(rope, &c.q, &c.positions, &c.options), hiprope_ok) << hiprope_last_error();
  // One head, whose stride does not count, between the heads of the other tensor.
  for (const std::int64_t tokens : {1, 3}) {
    const TensorView four(c.memory.data(), DataType::f32, tokens, 4, 64, 512, 128);
    for (const std::int64_t stride : {std::int64_t{0}, std::int64_t{7}, std::int64_t{128}}) {
      for (const bool apart : {true, false}) {
        const TensorView one(c.memory.data() + (apart ? 64 : 63), DataType::f32, tokens, 1, 64, 512, stride);
        for (const auto& [q, k] : {std::pair{&four, &one}, {&one, &four}}) {
          EXPECT_EQ(hiprope_apply_position_embeddings_cpu(rope, q, k, &c.positions, nullptr),
                    apart ? hiprope_ok : hiprope_error_view_overlap)
              << q->heads << " heads of Q, " << tokens << " tokens, stride " << stride << ": " << hiprope_last_error();
        }
      }
    }
  }
  hiprope_destroy(rope);
}

TEST(Call, ZeroTokensNeedNoData) {
  Call c;
  hiprope_rope* rope = nullptr;
  ASSERT_EQ(hiprope_create(&c.config, hiprope_device_cpu, 0, &rope), hiprope_ok);
  for (TensorView* view : {&c.q, &c.k}) {
    view->tokens = 0;
    view->data = nullptr;
  }
  EXPECT_EQ(hiprope_apply_position_embeddings_cpu(rope, &c.q, &c.k, &c.positions, &c.options), hiprope_ok)
      << hiprope_last_error();
  EXPECT_EQ(c.path, hiprope_path_none);
  hiprope_destroy(rope);
}

}  // namespace

std::set<hiprope_status> statuses_of_bad_calls() {
  std::set<hiprope_status> statuses;
  for (const BadCall& bad : kBadCalls) statuses.insert(bad.status);
  return statuses;
}

}  // namespace hiprope::test
