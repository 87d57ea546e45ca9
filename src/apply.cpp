// The whole of a call: check it, choose its path, launch it. Read this file first.
#include "check.h"
#include "fallback.h"
#include "hiprope/hiprope.h"
#include "launch.h"
#include "log.h"
#include "rope.h"
#include "status.h"

namespace hiprope::internal {
namespace {

constexpr TensorNames kSingle[2] = {{"x", "options.out"}, {"", ""}};
constexpr TensorNames kQueryAndKey[2] = {{"q", "options.out"}, {"k", "options.k_out"}};

hiprope_status launch_on_gpu(const hiprope_rope& rope, const CheckedCall& call, void* stream) {
  const std::int64_t tokens = call.in[0].tokens;
  LaunchPlan plan;
  for (plan.tokens_left = tokens; plan.tokens_left > 0;) {  // one launch, but for billions of tokens
    if (const auto status = plan_launch(rope, call, tokens - plan.tokens_left, plan); status != hiprope_ok)
      return status;
    if (const auto status = gpu::launch(*rope.gpu_state, plan, stream); status != hiprope_ok) return status;
    rope.counters.launches.fetch_add(1, std::memory_order_relaxed);
  }
  return hiprope_ok;
}

hiprope_status run(const hiprope_rope& rope, const CheckedCall& call, void* stream) {
  switch (rope.path) {
    case hiprope_path_gpu:
      return launch_on_gpu(rope, call, stream);
    case hiprope_path_cpu:
      return run_on_cpu(rope, call);
    default:
      return run_through_host(rope, call, stream);
  }
}

hiprope_status apply(const hiprope_rope* rope, const TensorNames (&names)[2], const hiprope_tensor* x,
                     const hiprope_tensor* k, const hiprope_positions* positions, const hiprope_apply_options* options,
                     void* stream) {
  CheckedCall call;
  if (const auto status = check_call(rope, names, x, k, positions, options, call); status != hiprope_ok) return status;
  if (rope->log_calls) log_call(*rope, call);
  const auto status = call.empty() ? hiprope_ok : run(*rope, call, stream);
  if (call.path != nullptr) *call.path = status == hiprope_ok && !call.empty() ? rope->path : hiprope_path_none;
  return status;
}

hiprope_status require_cpu(const hiprope_rope* rope) {
  if (const auto status = check_handle(rope); status != hiprope_ok) return status;
  if (rope->path == hiprope_path_cpu) return hiprope_ok;
  return fail(hiprope_error_wrong_device, "rope lives on GPU ", rope->device,
              "; create one on hiprope_device_cpu for tensors in host memory");
}

}  // namespace
}  // namespace hiprope::internal

using namespace hiprope::internal;

hiprope_status hiprope_apply_rope_device(const hiprope_rope* rope, const hiprope_tensor* x,
                                         const hiprope_positions* positions, const hiprope_apply_options* options,
                                         void* stream) {
  return apply(rope, kSingle, x, nullptr, positions, options, stream);
}

hiprope_status hiprope_apply_position_embeddings_device(const hiprope_rope* rope, const hiprope_tensor* q,
                                                        const hiprope_tensor* k, const hiprope_positions* positions,
                                                        const hiprope_apply_options* options, void* stream) {
  return apply(rope, kQueryAndKey, q, k, positions, options, stream);
}

hiprope_status hiprope_apply_rope_cpu(const hiprope_rope* rope, const hiprope_tensor* x,
                                      const hiprope_positions* positions, const hiprope_apply_options* options) {
  if (const auto status = require_cpu(rope); status != hiprope_ok) return status;
  return hiprope_apply_rope_device(rope, x, positions, options, nullptr);
}

hiprope_status hiprope_apply_position_embeddings_cpu(const hiprope_rope* rope, const hiprope_tensor* q,
                                                     const hiprope_tensor* k, const hiprope_positions* positions,
                                                     const hiprope_apply_options* options) {
  if (const auto status = require_cpu(rope); status != hiprope_ok) return status;
  return hiprope_apply_position_embeddings_device(rope, q, k, positions, options, nullptr);
}
