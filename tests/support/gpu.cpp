// Whether there is a GPU, and a case run on it.
#include "tests/support/gpu.h"

#include <fmt/format.h>

namespace hiprope::test {

int gpu_count() {
  std::int32_t count = 0;
  return hiprope_device_count(&count) == hiprope_ok ? count : 0;
}

std::string why_no_gpu() {
  std::int32_t count = 0;
  if (hiprope_device_count(&count) != hiprope_ok)
    return fmt::format("GPUs cannot be counted: {}", hiprope_last_error());
  if (count == 0) return fmt::format("there is no GPU (platform {})", hiprope_platform());
  hiprope_device_info info{};
  info.size = sizeof(info);
  if (hiprope_get_device_info(0, &info) != hiprope_ok) return fmt::format("GPU 0: {}", hiprope_last_error());
  if (info.has_code_object == 0) return fmt::format("this build has no kernels for {}", info.architecture);
  return {};
}

DeviceCase::DeviceCase(const Case& c, const Images& images) : case_(&c) {
  const std::vector<std::byte> ids = id_bytes(c);
  ids_ = DeviceBuffer(ids.size());
  ids_.upload(ids);
  for (std::size_t i = 0; i < images.size(); ++i) {
    sizes_[i] = images[i].size();
    if (!images[i].empty()) buffers_[i] = DeviceBuffer(images[i].size());
  }
  upload(images);
}

void DeviceCase::upload(const Images& images) const {
  for (std::size_t i = 0; i < images.size(); ++i) buffers_[i].upload(images[i]);
}

Images DeviceCase::download() const {
  Images images;
  for (std::size_t i = 0; i < images.size(); ++i) {
    images[i].resize(sizes_[i]);
    buffers_[i].download(images[i]);
  }
  return images;
}

Result DeviceCase::call(const Case& c, const Rope& rope, void* stream) const {
  std::array<std::byte*, kBuffers> bases{};
  for (std::size_t i = 0; i < bases.size(); ++i) bases[i] = buffers_[i].data();
  return test::call(c, rope, bases, ids_.data(), stream);
}

Outcome run_gpu(const Case& c, const Rope& rope, Mode mode, Images& images) {
  if (!rope) return {rope.created().status(), rope.created().message()};
  const DeviceCase on_device(c, images);
  const Stream stream;
  if (const Result cleared = rope.clear_position_errors(stream.handle()); !cleared) {
    return {cleared.status(), cleared.message()};
  }
  stream.synchronize();
  if (mode == Mode::captured) stream.begin_capture();
  const Result result = on_device.call(rope, stream);
  if (mode == Mode::captured) {
    const Graph graph(stream);
    if (!graph.valid()) return {result.status(), "the capture was broken: " + result.message()};
    if (on_device.download() != images) return {result.status(), "tensors changed before the graph was replayed"};
    graph.launch(stream);
    stream.synchronize();
  }
  hiprope_position_errors errors{};
  const Result read = rope.read_position_errors(errors, stream.handle());
  if (result && !read) return {read.status(), read.message()};
  images = on_device.download();
  return {result.status(), result.message(), result.path(), errors.count, errors.first_token};
}

}  // namespace hiprope::test
