// Checks config.scaling against a table of its parameters and fills in the defaults.
#include "config/scaling.h"

#include <cmath>
#include <cstdint>

#include "status.h"

namespace hiprope::internal {
namespace {

constexpr const char* kTypeNames[] = {"default",  "linear", "dynamic",      "ntk",   "yarn",
                                      "longrope", "llama3", "proportional", "custom"};

constexpr unsigned bit(int type) {
  return 1u << type;
}
constexpr unsigned kLinear = bit(hiprope_scaling_linear);
constexpr unsigned kDynamic = bit(hiprope_scaling_dynamic);
constexpr unsigned kNtk = bit(hiprope_scaling_ntk);
constexpr unsigned kYarn = bit(hiprope_scaling_yarn);
constexpr unsigned kLongrope = bit(hiprope_scaling_longrope);
constexpr unsigned kLlama3 = bit(hiprope_scaling_llama3);
constexpr unsigned kProportional = bit(hiprope_scaling_proportional);
constexpr unsigned kCustom = bit(hiprope_scaling_custom);
constexpr unsigned kAnyType = ~0u;

// Zero means absent for every field. `used_by` and `required_by` are sets of scaling types.
template <typename Field>
struct Rule {
  const char* name;
  Field hiprope_scaling::* field;
  Field minimum;
  unsigned used_by;
  unsigned required_by;
};

constexpr Rule<double> kNumberRules[] = {
    {"factor", &hiprope_scaling::factor, 1.0, kLinear | kDynamic | kNtk | kYarn | kLongrope | kLlama3 | kProportional,
     kLinear | kNtk | kLlama3},
    {"alpha", &hiprope_scaling::alpha, 0.0, kDynamic, 0},
    {"mixed_b", &hiprope_scaling::mixed_b, 0.0, kNtk, 0},
    {"low_freq_factor", &hiprope_scaling::low_freq_factor, 0.0, kLlama3, kLlama3},
    {"high_freq_factor", &hiprope_scaling::high_freq_factor, 0.0, kLlama3, kLlama3},
    {"beta_fast", &hiprope_scaling::beta_fast, 0.0, kYarn, 0},
    {"beta_slow", &hiprope_scaling::beta_slow, 0.0, kYarn, 0},
    {"extrapolation_factor", &hiprope_scaling::extrapolation_factor, 0.0, kYarn, 0},
    {"attention_factor", &hiprope_scaling::attention_factor, 0.0, kYarn | kLongrope, 0},
    {"attn_factor", &hiprope_scaling::attn_factor, 0.0, kYarn, 0},
    {"mscale", &hiprope_scaling::mscale, 0.0, kYarn, 0},
    {"mscale_all_dim", &hiprope_scaling::mscale_all_dim, 0.0, kYarn, 0},
    {"mscale_coefficient", &hiprope_scaling::mscale_coefficient, 0.0, kYarn, 0},
    {"short_mscale", &hiprope_scaling::short_mscale, 0.0, kLongrope, 0},
    {"long_mscale", &hiprope_scaling::long_mscale, 0.0, kLongrope, 0},
};

constexpr Rule<std::int64_t> kLengthRules[] = {
    {"original_max_positions", &hiprope_scaling::original_max_positions, 1, kDynamic | kYarn | kLongrope | kLlama3,
     kYarn | kLongrope | kLlama3},
    {"sequence_length", &hiprope_scaling::sequence_length, 1, kDynamic | kLongrope, 0},
};

constexpr Rule<const double*> kListRules[] = {
    {"short_factor", &hiprope_scaling::short_factor, nullptr, kLongrope, kLongrope},
    {"long_factor", &hiprope_scaling::long_factor, nullptr, kLongrope, kLongrope},
    {"inv_freq", &hiprope_scaling::inv_freq, nullptr, kCustom, kCustom},
    {"freq_factors", &hiprope_scaling::freq_factors, nullptr, kAnyType, 0},
};

template <typename Field>
hiprope_status check_presence(const Rule<Field>& rule, bool present, int type) {
  if (present && (rule.used_by & bit(type)) == 0) {
    return fail(hiprope_error_scaling, "scaling.", rule.name, " is set, but scaling type ", kTypeNames[type],
                " has no such parameter");
  }
  if (!present && (rule.required_by & bit(type)) != 0) {
    return fail(hiprope_error_scaling, "scaling.", rule.name, " is missing; scaling type ", kTypeNames[type],
                " requires it");
  }
  return hiprope_ok;
}

template <typename Field>
hiprope_status check_number(const Rule<Field>& rule, const hiprope_scaling& scaling) {
  const Field value = scaling.*rule.field;
  const bool present = value != Field{0};
  if (present && !(value >= rule.minimum && std::isfinite(static_cast<double>(value)))) {
    return fail(hiprope_error_scaling, "scaling.", rule.name, " is ", value, "; it must be finite and at least ",
                rule.minimum);
  }
  return check_presence(rule, present, scaling.type);
}

hiprope_status check_list(const Rule<const double*>& rule, const hiprope_scaling& scaling, int pairs) {
  const double* list = scaling.*rule.field;
  if (const hiprope_status status = check_presence(rule, list != nullptr, scaling.type); status != hiprope_ok) {
    return status;
  }
  if (list == nullptr) return hiprope_ok;
  if (scaling.factor_count != pairs) {
    return fail(hiprope_error_scaling, "scaling.", rule.name, " has ", scaling.factor_count,
                " entries (scaling.factor_count); rotary_dim / 2 is ", pairs);
  }
  const bool is_divisor = rule.field != &hiprope_scaling::inv_freq;
  for (int j = 0; j < pairs; ++j) {
    if (!std::isfinite(list[j]) || (is_divisor && !(list[j] > 0.0))) {
      return fail(hiprope_error_scaling, "scaling.", rule.name, "[", j, "] is ", list[j],
                  is_divisor ? "; it must be finite and above 0" : "; it must be finite");
    }
  }
  return hiprope_ok;
}

hiprope_status check_scaling(const hiprope_config& config) {
  const hiprope_scaling& scaling = config.scaling;
  const int pairs = config.rotary_dim / 2;
  if (scaling.type < hiprope_scaling_default || scaling.type > hiprope_scaling_custom) {
    return fail(hiprope_error_enum_value, "scaling.type ", scaling.type, " is not an enum hiprope_scaling_type");
  }
  hiprope_status status = hiprope_ok;
  for (const auto& rule : kNumberRules) {
    if ((status = check_number(rule, scaling)) != hiprope_ok) return status;
  }
  for (const auto& rule : kLengthRules) {
    if ((status = check_number(rule, scaling)) != hiprope_ok) return status;
  }
  for (const auto& rule : kListRules) {
    if ((status = check_list(rule, scaling, pairs)) != hiprope_ok) return status;
  }
  const bool proportional = scaling.type == hiprope_scaling_proportional;
  if (scaling.active_pairs < 0 || scaling.active_pairs > (proportional ? pairs : 0)) {
    return fail(hiprope_error_scaling, "scaling.active_pairs is ", scaling.active_pairs, "; scaling type ",
                kTypeNames[scaling.type], " allows 0 to ", proportional ? pairs : 0);
  }
  if (scaling.type == hiprope_scaling_dynamic && scaling.factor == 0.0 && scaling.alpha == 0.0) {
    return fail(hiprope_error_scaling, "scaling.factor and scaling.alpha are missing; dynamic requires one of them");
  }
  if (scaling.type == hiprope_scaling_dynamic && config.rotary_dim == 2) {
    return fail(hiprope_error_scaling, "scaling type dynamic needs rotary_dim above 2");
  }
  if (scaling.type == hiprope_scaling_yarn && config.base <= 1.0) {
    return fail(hiprope_error_scaling, "scaling type yarn needs a base above 1; base is ", config.base);
  }
  if (scaling.high_freq_factor < scaling.low_freq_factor) {
    return fail(hiprope_error_scaling, "scaling.high_freq_factor ", scaling.high_freq_factor,
                " is below scaling.low_freq_factor ", scaling.low_freq_factor);
  }
  if (scaling.attention_factor != 0.0 &&
      (scaling.attn_factor != 0.0 || scaling.short_mscale != 0.0 || scaling.long_mscale != 0.0)) {
    return fail(hiprope_error_scaling, "scaling.attention_factor ", scaling.attention_factor,
                " overrides the computed factor, so attn_factor, short_mscale and long_mscale must be 0");
  }
  return hiprope_ok;
}

hiprope_status fill_defaults(const hiprope_config& config, hiprope_scaling& scaling) {
  const auto fill = [](auto& field, auto value) {
    if (field == 0) field = value;
  };
  const auto max_positions = static_cast<double>(config.max_positions);
  fill(scaling.sequence_length, config.max_positions);
  fill(scaling.original_max_positions, config.max_positions);
  if (scaling.type == hiprope_scaling_yarn || scaling.type == hiprope_scaling_longrope) {
    fill(scaling.factor, max_positions / static_cast<double>(scaling.original_max_positions));
  }
  fill(scaling.factor, 1.0);
  fill(scaling.active_pairs, config.rotary_dim / 2);
  fill(scaling.beta_fast, 32.0);
  fill(scaling.beta_slow, 1.0);
  fill(scaling.extrapolation_factor, 1.0);
  fill(scaling.attn_factor, 1.0);
  fill(scaling.mscale_coefficient, 0.1);
  if (scaling.type == hiprope_scaling_yarn && scaling.factor < 1.0) {
    return fail(hiprope_error_scaling, "scaling.factor is missing, and max_positions ", config.max_positions,
                " / scaling.original_max_positions ", scaling.original_max_positions, " is below 1");
  }
  if (scaling.beta_fast < scaling.beta_slow) {
    return fail(hiprope_error_scaling, "scaling.beta_fast ", scaling.beta_fast, " is below scaling.beta_slow ",
                scaling.beta_slow);
  }
  return hiprope_ok;
}

}  // namespace

const char* scaling_name(int type) {
  return kTypeNames[type];
}

hiprope_status resolve_scaling(const hiprope_config& config, hiprope_scaling& scaling) {
  if (const hiprope_status status = check_scaling(config); status != hiprope_ok) return status;
  scaling = config.scaling;
  return fill_defaults(config, scaling);
}

}  // namespace hiprope::internal
