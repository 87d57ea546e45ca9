// Environment switches, and the log of calls as command lines.
#include "log.h"

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "rope.h"
#include "status.h"

namespace hiprope::internal {
namespace {

class Line {
 public:
  Line& operator<<(const char* text) {
    while (*text != '\0' && length_ < sizeof(text_)) text_[length_++] = *text++;
    return *this;
  }
  template <typename Number>
  Line& option(const char* name, Number value) {
    *this << " --" << name << " ";
    length_ = static_cast<std::size_t>(std::to_chars(text_ + length_, text_ + sizeof(text_), value).ptr - text_);
    return *this;
  }
  Line& option(const char* name, const char* value) { return *this << " --" << name << " " << value; }
  void write_to_stderr() {
    *this << "\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text_, length_);
  }

 private:
  char text_[768];
  std::size_t length_ = 0;
};

constexpr const char* kDataTypes[] = {"f32", "f16", "bf16"};
constexpr const char* kPairings[] = {"half_split", "interleaved", "blocked"};
constexpr const char* kOutputPairings[] = {"as_input", "half_split"};

}  // namespace

hiprope_status read_log_setting(bool& log_calls) {
  const char* value = std::getenv("HIPROPE_LOG");
  log_calls = value != nullptr && std::strcmp(value, "bench") == 0;
  if (log_calls || value == nullptr || *value == '\0' || std::strcmp(value, "off") == 0) return hiprope_ok;
  return fail(hiprope_error_environment, "HIPROPE_LOG is \"", value, "\", known values are off and bench");
}

hiprope_status read_switch(const char* name, bool& value) {
  const char* text = std::getenv(name);
  value = text != nullptr && std::strcmp(text, "1") == 0;
  if (value || text == nullptr || *text == '\0' || std::strcmp(text, "0") == 0) return hiprope_ok;
  return fail(hiprope_error_environment, name, " is \"", text, "\", known values are 0 and 1");
}

void log_call(const hiprope_rope& rope, const CheckedCall& call) {
  const hiprope_config& config = rope.config;
  Line line;
  line << "hiprope bench";
  line.option("tokens", call.in[0].tokens).option("heads", call.in[0].heads);
  if (call.tensors == 2) line.option("kv-heads", call.in[1].heads);
  line.option("head-dim", config.head_dim).option("rotary-dim", config.rotary_dim);
  line.option("rotary-offset", config.rotary_offset).option("pairing", kPairings[config.pairing]);
  if (config.pairing == hiprope_blocked) line.option("pair-block", config.pair_block);
  line.option("output-pairing", kOutputPairings[config.output_pairing]);
  line.option("base", config.base).option("max-positions", config.max_positions);
  line.option("dtype", kDataTypes[call.in[0].data_type]);
  line.option("token-stride", call.in[0].token_stride).option("head-stride", call.in[0].head_stride);
  const hiprope_positions& positions = call.positions;
  if (positions.ids == nullptr) {
    line.option("positions", "sequential").option("ids", "none");
  } else {
    line.option("axes", positions.axes).option("ids", positions.type == hiprope_position_int64 ? "int64" : "int32");
  }
  if (!call.in_place) line << " --out-of-place";
  if (call.direction == hiprope_inverse) line << " --inverse";
  line.write_to_stderr();
}

}  // namespace hiprope::internal
