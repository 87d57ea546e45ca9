// How a function of the library fails: a status, and one sentence for hiprope_last_error().
#pragma once

#include <cstddef>
#include <cstdint>

#include "hiprope/hiprope.h"

namespace hiprope::internal {

// Collects the sentence in the calling thread's buffer; text past the buffer's end is cut, nothing is allocated.
class Message {
 public:
  Message();
  Message& operator<<(const char* text);
  Message& operator<<(std::int64_t value);
  Message& operator<<(std::uint64_t value);
  Message& operator<<(int value) { return *this << static_cast<std::int64_t>(value); }
  Message& operator<<(unsigned value) { return *this << static_cast<std::uint64_t>(value); }
  Message& operator<<(long long value) { return *this << static_cast<std::int64_t>(value); }
  Message& operator<<(double value);

 private:
  std::size_t length_ = 0;
};

// fail(hiprope_error_head_dim, "k.head_dim ", 96, " differs from q.head_dim ", 128) stores the sentence and returns the
// status.
template <typename... Parts>
[[nodiscard]] hiprope_status fail(hiprope_status status, const Parts&... parts) {
  Message message;
  (message << ... << parts);
  return status;
}

}  // namespace hiprope::internal
