// Opens, reads and maps files.
#include "file_contents.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "gguf.h"
#include "hiprope/model_config.hpp"

namespace hiprope::model_config_internal {
namespace {

// Closes the file at the end of the constructor.
struct Descriptor {
  int file;
  ~Descriptor() {
    if (file >= 0) close(file);
  }
};

bool starts_as_gguf(int file) {
  std::array<char, 4> start{};
  return pread(file, start.data(), start.size(), 0) == static_cast<ssize_t>(start.size()) &&
         is_gguf({start.data(), start.size()});
}

}  // namespace

FileContents::FileContents(const std::string& path) {
  const Descriptor descriptor{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat status{};
  if (descriptor.file < 0 || fstat(descriptor.file, &status) != 0) {
    error_ = fmt::format("{} cannot be read: {}", path, std::strerror(errno));
    return;
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  if (S_ISREG(status.st_mode) && starts_as_gguf(descriptor.file)) {
    map(descriptor.file, size, path);
  } else if (S_ISREG(status.st_mode) && size > kModelConfigSizeLimit) {
    error_ = fmt::format("{} has {} bytes; the limit is {}", path, size, kModelConfigSizeLimit);
  } else {
    read(descriptor.file, path);
  }
}

FileContents::~FileContents() {
  if (mapping_ != nullptr) munmap(const_cast<char*>(mapping_), size_);
}

void FileContents::map(int file, std::size_t size, const std::string& path) {
  void* address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (address == MAP_FAILED) {
    error_ = fmt::format("{} cannot be mapped: {}", path, std::strerror(errno));
    return;
  }
  mapping_ = static_cast<const char*>(address);
  size_ = size;
}

// A pipe has no size, so the reading is bounded as well.
void FileContents::read(int file, const std::string& path) {
  std::array<char, 1 << 16> part{};
  while (text_.size() <= kModelConfigSizeLimit) {
    const ssize_t count = ::read(file, part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) error_ = fmt::format("{} cannot be read: {}", path, std::strerror(errno));
    if (count <= 0) return;
    text_.append(part.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace hiprope::model_config_internal
