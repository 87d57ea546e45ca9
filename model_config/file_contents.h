// The bytes of a file: read whole, or mapped when it is a GGUF file.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hiprope::model_config_internal {

class FileContents {
 public:
  // A file above kModelConfigSizeLimit bytes that is no GGUF is an error, unread.
  explicit FileContents(const std::string& path);
  ~FileContents();
  FileContents(const FileContents&) = delete;
  FileContents& operator=(const FileContents&) = delete;

  const std::string& error() const { return error_; }  // a sentence with the path, empty on success
  std::string_view bytes() const { return mapping_ != nullptr ? std::string_view(mapping_, size_) : text_; }

 private:
  void map(int file, std::size_t size, const std::string& path);
  void read(int file, const std::string& path);

  std::string error_;
  std::string text_;
  const char* mapping_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace hiprope::model_config_internal
