#include "fhir/search/parameters.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>

#include "fhir/search/custom_parameters.h"
#include "fhir/search/extractor.h"

namespace kiln::fhir {
namespace {

/// Keep every extractor at a fixed place for the life of the process.
std::deque<detail::Extractor>& extractors() {
  static std::deque<detail::Extractor> list;
  return list;
}
std::deque<detail::CompositeExtractor>& composite_extractors() {
  static std::deque<detail::CompositeExtractor> list;
  return list;
}

template <class List>
void sort_by_code(List& list) {
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.code < b.code; });
  list.erase(
      std::unique(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.code == b.code; }),
      list.end());
  for (std::size_t i = 0; i < list.size(); ++i) list[i].ordinal = static_cast<std::uint16_t>(i);
}

template <class List>
auto* find_code(List& list, std::string_view code) {
  const auto found = std::lower_bound(list.begin(), list.end(), code,
                                      [](const auto& a, std::string_view b) { return a.code < b; });
  return found != list.end() && found->code == code ? &*found : nullptr;
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
    return &current(*type);
  }

  /// A new version of the type's parameters with one more; readers of the old one are not disturbed.
  const CustomDefinition& add(std::unique_ptr<CustomDefinition> definition) {
    const TypeDef& type = *find_resource_type(definition->type);
    const TypeParameters& before = current(type);
    const std::lock_guard lock(mutex_);
    const CustomDefinition& kept = *customs_.emplace_back(std::move(definition));
    Slot& slot = slots_[type.index()];
    const TypeParameters* newest = slot.newest.load(std::memory_order_acquire);
    TypeParameters& next = versions_.emplace_back(newest ? *newest : before);
    Parameter parameter;
    parameter.code = kept.code;
    parameter.kind = detail::kind_of(kept.search_type);
    parameter.ordinal = static_cast<std::uint16_t>(next.list_.size());
    parameter.extractor = kept.extractor.get();
    parameter.custom = &kept;
    next.list_.push_back(parameter);
    slot.newest.store(&next, std::memory_order_release);
    return kept;
  }

 private:
  struct Slot {
    std::once_flag once;
    TypeParameters parameters;
    std::atomic<const TypeParameters*> newest = nullptr;  ///< with added ones
  };

  const TypeParameters& current(const TypeDef& type) {
    Slot& slot = slots_[type.index()];
    if (const TypeParameters* newest = slot.newest.load(std::memory_order_acquire)) return *newest;
    std::call_once(slot.once, [&] { build(type, slot.parameters); });
    return slot.parameters;
  }

  ParameterRegistry() : slots_(std::make_unique<Slot[]>(all_types().size())) {}

  void build(const TypeDef& type, TypeParameters& out) {
    out.type_ = type.name();
    auto& list = out.list_;
    list.push_back({"_id", ParameterKind::id, search_parameter(type.name(), "_id"), 0, nullptr});
    list.push_back({"_lastUpdated", ParameterKind::last_updated,
                    search_parameter(type.name(), "_lastUpdated"), 0, nullptr});
    for (const TypeDef* base = &type; base; base = base->base())
      for (const SearchParameter& parameter : search_parameters(*base)) {
        if (parameter.type() == SearchType::composite)
          add_composite(type, parameter, out.composites_);
        else
          add(type, parameter, list);
      }
    sort_by_code(list);
    out.own_ = list.size();
    sort_by_code(out.composites_);
  }

  void add(const TypeDef& type, const SearchParameter& parameter, std::vector<Parameter>& list) {
    if (parameter.expression().empty() || parameter.type() == SearchType::special) return;
    auto compiled = detail::compile_expression(parameter.expression(), type.name(), parameter.type());
    if (!compiled) return;  // a test finds those of R4 all compiled
    const std::lock_guard lock(mutex_);
    extractors().push_back(std::move(*compiled));
    const detail::Extractor& kept = extractors().back();
    list.push_back({parameter.code(), kept.kind, &parameter, 0, &kept});
  }

  void add_composite(const TypeDef& type, const SearchParameter& parameter,
                     std::vector<CompositeParameter>& list) {
    auto compiled = detail::compile_composite(parameter, type.name());
    if (!compiled) return;
    CompositeParameter composite{parameter.code(), &parameter, 0, {}, nullptr};
    for (std::size_t i = 0; i < parameter.component_count(); ++i) {
      const SearchParameter& component = *detail::component_of(parameter, i).parameter;
      composite.components.push_back({component.code(), detail::kind_of(component.type()), &component,
                                      static_cast<std::uint16_t>(i), nullptr});
    }
    const std::lock_guard lock(mutex_);
    composite.extractor = &composite_extractors().emplace_back(std::move(*compiled));
    list.push_back(std::move(composite));
  }

  std::mutex mutex_;
  std::unique_ptr<Slot[]> slots_;
  std::deque<TypeParameters> versions_;  ///< all there were: somebody may still read one
  std::deque<std::unique_ptr<CustomDefinition>> customs_;
};

const Parameter* TypeParameters::find(std::string_view code) const {
  const std::span<const Parameter> own(list_.data(), own_);
  if (const Parameter* found = find_code(own, code)) return found;
  for (std::size_t i = own_; i < list_.size(); ++i) {
    const CustomDefinition& custom = *list_[i].custom;
    if (list_[i].code == code && custom.is_ready && !custom.is_removed) return &list_[i];
  }
  return nullptr;
}

const Parameter* TypeParameters::find_pending(std::string_view code) const {
  for (std::size_t i = own_; i < list_.size(); ++i) {
    const CustomDefinition& custom = *list_[i].custom;
    if (list_[i].code == code && !custom.is_ready && !custom.is_removed) return &list_[i];
  }
  return nullptr;
}

const CompositeParameter* TypeParameters::find_composite(std::string_view code) const {
  return find_code(composites_, code);
}

const CustomDefinition& add_search_parameter(std::unique_ptr<CustomDefinition> definition) {
  return ParameterRegistry::instance().add(std::move(definition));
}

const TypeParameters* type_parameters(std::string_view resource_type) {
  return ParameterRegistry::instance().get(resource_type);
}

}  // namespace kiln::fhir
