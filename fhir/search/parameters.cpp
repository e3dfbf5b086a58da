#include "fhir/search/parameters.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>

#include "fhir/search/extractor.h"

namespace kiln::fhir {
namespace {

/// Keeps every extractor at a fixed place for the life of the process.
std::deque<detail::Extractor>& extractors() {
  static std::deque<detail::Extractor> list;
  return list;
}

}  // namespace

/// Compiles the parameters of each type when it is first asked for.
class ParameterRegistry {
 public:
  static ParameterRegistry& instance() {
    static ParameterRegistry registry;
    return registry;
  }

  const TypeParameters* get(std::string_view name) {
    const TypeDef* type = find_resource_type(name);
    if (!type) return nullptr;
    Slot& slot = slots_[type->index()];
    std::call_once(slot.once, [&] { build(*type, slot.parameters); });
    return &slot.parameters;
  }

 private:
  struct Slot {
    std::once_flag once;
    TypeParameters parameters;
  };

  ParameterRegistry() : slots_(std::make_unique<Slot[]>(all_types().size())) {}

  void build(const TypeDef& type, TypeParameters& out) {
    out.type_ = type.name();
    auto& list = out.list_;
    list.push_back({"_id", ParameterKind::id, search_parameter(type.name(), "_id"), 0, nullptr});
    list.push_back({"_lastUpdated", ParameterKind::last_updated,
                    search_parameter(type.name(), "_lastUpdated"), 0, nullptr});
    for (const TypeDef* base = &type; base; base = base->base())
      for (const SearchParameter& parameter : search_parameters(*base)) add(type, parameter, list);
    std::stable_sort(list.begin(), list.end(),
                     [](const Parameter& a, const Parameter& b) { return a.code < b.code; });
    list.erase(std::unique(list.begin(), list.end(),
                           [](const Parameter& a, const Parameter& b) { return a.code == b.code; }),
               list.end());
    for (std::size_t i = 0; i < list.size(); ++i) list[i].ordinal = static_cast<std::uint16_t>(i);
  }

  void add(const TypeDef& type, const SearchParameter& parameter, std::vector<Parameter>& list) {
    auto compiled = detail::compile_expression(parameter.expression(), type.name(), parameter.type());
    if (!compiled) {
      if (parameter.expression().empty() || parameter.type() == SearchType::composite ||
          parameter.type() == SearchType::special)
        return;
      list.push_back({parameter.code(), detail::kind_of(parameter.type()), &parameter, 0, nullptr});
      return;
    }
    const std::lock_guard lock(mutex_);
    extractors().push_back(std::move(*compiled));
    const detail::Extractor& kept = extractors().back();
    list.push_back({parameter.code(), kept.kind, &parameter, 0, &kept});
  }

  std::mutex mutex_;
  std::unique_ptr<Slot[]> slots_;
};

const Parameter* TypeParameters::find(std::string_view code) const {
  const auto found = std::lower_bound(list_.begin(), list_.end(), code,
                                      [](const Parameter& a, std::string_view b) { return a.code < b; });
  return found != list_.end() && found->code == code ? &*found : nullptr;
}

const TypeParameters* type_parameters(std::string_view resource_type) {
  return ParameterRegistry::instance().get(resource_type);
}

}  // namespace kiln::fhir
