// DefinitionModel -> PackedTables.

#include <algorithm>
#include <limits>
#include <set>

#include "fhir/definitions/detail/hash.h"
#include "fhir/definitions/generate/detail/packed_tables.h"
#include "fhir/definitions/generate/generate.h"

namespace kiln::fhir::detail {

Text StringPool::add(std::string_view text) {
  if (const auto found = known_.find(text); found != known_.end()) return found->second;
  const Text where{static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint16_t>(text.size())};
  bytes_ += text;
  known_.emplace(text, where);
  return where;
}

Slice ListPool::add(const std::vector<std::uint16_t>& list) {
  if (list.empty()) return {0, 0};
  if (const auto found = known_.find(list); found != known_.end()) return found->second;
  const Slice where{static_cast<std::uint16_t>(numbers_.size()), static_cast<std::uint16_t>(list.size())};
  numbers_.insert(numbers_.end(), list.begin(), list.end());
  known_.emplace(list, where);
  return where;
}

namespace {

using base::ErrorCode;

/// An extensible or preferred value set with more codes than this is named but not listed.
constexpr std::size_t kOptionalCodesMax = 400;

template <class Rows>
std::uint16_t next_row(const Rows& rows) {
  return static_cast<std::uint16_t>(rows.size());
}

/// A hash table of row + 1 with at most 60 % of its slots in use.
template <class HashOf>
std::vector<std::uint16_t> make_slots(std::size_t count, HashOf hash_of) {
  std::size_t size = 16;
  while (size * 6 < count * 10) size *= 2;
  std::vector<std::uint16_t> slots(size, 0);
  for (std::size_t row = 0; row < count; ++row) {
    std::size_t slot = hash_of(row) & (size - 1);
    while (slots[slot] != 0) slot = (slot + 1) & (size - 1);
    slots[slot] = static_cast<std::uint16_t>(row + 1);
  }
  return slots;
}

std::string upper_first(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

class Packer {
 public:
  explicit Packer(const DefinitionModel& model) : model_(model) {}

  base::Result<PackedTables> run() {
    number_everything();
    pack_types();
    pack_value_sets();
    pack_search_parameters();
    pack_type_parameters();
    pack_compartments();
    pack_operations();
    make_indexes();
    tables_.counts = model_.counts;
    tables_.counts.required_value_sets = static_cast<unsigned>(required_.size());
    if (!missing_.empty())
      return base::fail(ErrorCode::bad_definition, "something refers to an unknown name", missing_);
    TRY_VOID(check_sizes());
    return std::move(tables_);
  }

 private:
  void number_everything() {
    for (const auto& [name, type] : model_.types) type_rows_.emplace(name, next_row(type_rows_));
    for (const auto& [url, parameter] : model_.search_parameters)
      parameter_rows_.emplace(url, next_row(parameter_rows_));
    std::set<InvariantModel> invariants;
    for (const auto& [name, type] : model_.types) {
      invariants.insert(type.invariants.begin(), type.invariants.end());
      for (const ElementModel& element : type.elements) {
        invariants.insert(element.invariants.begin(), element.invariants.end());
        if (element.value_set.empty()) continue;
        auto& strength = strongest_[element.value_set];
        strength = std::max(strength, element.strength);
        if (element.strength == BindingStrength::required) required_.insert(element.value_set);
      }
    }
    for (const InvariantModel& invariant : invariants) {
      invariant_rows_.emplace(invariant, next_row(tables_.invariants));
      tables_.invariants.push_back({text(invariant.key), text(invariant.expression), invariant.is_error});
    }
    for (const auto& [url, strength] : strongest_) value_set_rows_.emplace(url, next_row(value_set_rows_));
  }

  Text text(std::string_view value) {
    if (value.size() > std::numeric_limits<std::uint16_t>::max()) missing_ = "a text of more than 64 KiB";
    return tables_.strings.add(value);
  }

  std::uint16_t type_row(const std::string& name) {
    const auto found = type_rows_.find(name);
    if (found != type_rows_.end()) return found->second;
    missing_ = name;
    return kNone;
  }

  Slice type_list(const std::vector<std::string>& names) {
    std::vector<std::uint16_t> rows;
    for (const std::string& name : names) rows.push_back(type_row(name));
    return tables_.type_lists.add(rows);
  }

  Slice invariant_list(const std::vector<InvariantModel>& invariants) {
    std::vector<std::uint16_t> rows;
    for (const InvariantModel& invariant : invariants) rows.push_back(invariant_rows_.at(invariant));
    return tables_.invariant_lists.add(rows);
  }

  void pack_types() {
    for (const auto& [name, type] : model_.types) {
      const Slice elements{next_row(tables_.elements), static_cast<std::uint16_t>(type.elements.size())};
      tables_.types.push_back({text(name),
                               static_cast<std::uint8_t>(type.kind),
                               type.is_abstract,
                               type.base.empty() ? kNone : type_row(type.base),
                               elements,
                               invariant_list(type.invariants),
                               {}});
      std::uint16_t order = 0;
      for (const ElementModel& element : type.elements) pack_element(element, type_row(name), order++);
    }
  }

  void pack_element(const ElementModel& element, std::uint16_t owner, std::uint16_t order) {
    const std::uint16_t row = next_row(tables_.elements);
    tables_.elements.push_back({text(element.name), owner, order, static_cast<std::uint16_t>(element.max),
                                static_cast<std::uint8_t>(element.min), element.flags, element_types(element),
                                element.backbone.empty() ? kNone : type_row(element.backbone),
                                element.value_set.empty() ? kNone : value_set_rows_.at(element.value_set),
                                static_cast<std::uint8_t>(element.strength),
                                invariant_list(element.invariants)});
    if (!(element.flags & kChoice)) {
      tables_.members.push_back({row, 0});
      return;
    }
    tables_.members.push_back({row, kBaseName});
    for (std::uint8_t i = 0; i < element.types.size(); ++i) tables_.members.push_back({row, i});
  }

  /// The types of an element; those of non-choices repeat often and are stored once.
  Slice element_types(const ElementModel& element) {
    if (element.types.empty()) return {0, 0};
    const bool choice = element.flags & kChoice;
    std::string signature;
    for (const ElementTypeModel& type : element.types) {
      signature += type.type + "(";
      for (const std::string& target : type.targets) signature += target + ",";
      signature += choice ? ")" + element.name : ")";
    }
    const auto [known, is_new] = element_type_slices_.try_emplace(
        signature, Slice{next_row(tables_.element_types), static_cast<std::uint16_t>(element.types.size())});
    if (is_new) {
      for (const ElementTypeModel& type : element.types) {
        const Text json_name = choice ? text(element.name + upper_first(type.type)) : Text{0, 0};
        tables_.element_types.push_back({type_row(type.type), type_list(type.targets), json_name});
      }
    }
    return known->second;
  }

  std::uint16_t system_row(const std::string& system) {
    const auto [known, is_new] = system_rows_.try_emplace(system, next_row(tables_.systems));
    if (is_new) tables_.systems.push_back(text(system));
    return known->second;
  }

  void pack_value_sets() {
    for (const auto& [url, strength] : strongest_) {
      ExpansionModel expansion;
      if (strength != BindingStrength::example) expansion = expand_value_set(model_, url);
      if (strength != BindingStrength::required && expansion.codes.size() > kOptionalCodesMax) expansion = {};
      ValueSetRow row{text(url), static_cast<std::uint8_t>(expansion.rule),
                      static_cast<std::uint32_t>(tables_.codes.size()),
                      static_cast<std::uint16_t>(expansion.codes.size()), kNone};
      std::set<std::uint16_t> systems;
      for (const auto& [code, display] : expansion.codes) {
        const std::uint16_t system = system_row(code.second);
        systems.insert(system);
        tables_.codes.push_back({text(code.first), text(display), system});
      }
      if (!expansion.rule_system.empty()) systems.insert(system_row(expansion.rule_system));
      if (systems.size() == 1) row.system = *systems.begin();
      tables_.value_sets.push_back(row);
    }
  }

  void pack_search_parameters() {
    for (const auto& [url, parameter] : model_.search_parameters) {
      const Slice components{next_row(tables_.components),
                             static_cast<std::uint16_t>(parameter.components.size())};
      for (const auto& [definition, expression] : parameter.components) {
        const auto found = parameter_rows_.find(definition);
        if (found == parameter_rows_.end()) missing_ = definition;
        tables_.components.push_back(
            {found == parameter_rows_.end() ? kNone : found->second, text(expression)});
      }
      tables_.search_parameters.push_back({text(parameter.code), text(url), text(parameter.expression),
                                           static_cast<std::uint8_t>(parameter.type),
                                           type_list(parameter.bases), type_list(parameter.targets),
                                           components});
    }
  }

  void pack_type_parameters() {
    std::map<std::uint16_t, std::map<std::string, std::uint16_t>> by_type;
    for (const auto& [url, parameter] : model_.search_parameters) {
      if (parameter.is_example) continue;
      for (const std::string& base : parameter.bases) {
        if (!by_type[type_row(base)].emplace(parameter.code, parameter_rows_.at(url)).second) {
          missing_ = base + "." + parameter.code + " (two search parameters with one name)";
        }
      }
    }
    for (const auto& [type, parameters] : by_type) {
      std::vector<std::uint16_t> rows;
      for (const auto& [code, row] : parameters) rows.push_back(row);
      if (type != kNone) tables_.types[type].parameters = tables_.parameter_lists.add(rows);
    }
  }

  void pack_compartments() {
    for (const auto& [code, compartment] : model_.compartments) {
      tables_.compartments.push_back(
          {text(code),
           {next_row(tables_.compartment_members), static_cast<std::uint16_t>(compartment.members.size())}});
      for (const auto& [type, parameters] : compartment.members) {
        tables_.compartment_members.push_back(
            {type_row(type),
             {next_row(tables_.compartment_parameters), static_cast<std::uint16_t>(parameters.size())}});
        for (const std::string& parameter : parameters)
          tables_.compartment_parameters.push_back(text(parameter));
      }
    }
  }

  void pack_operations() {
    for (const auto& [url, operation] : model_.operations) {
      tables_.operations.push_back({text(operation.code), text(url), operation.levels,
                                    operation.affects_state, type_list(operation.types)});
    }
  }

  void make_indexes() {
    std::vector<std::string_view> type_names;
    for (const auto& [name, type] : model_.types) type_names.push_back(name);
    tables_.type_slots =
        make_slots(type_names.size(), [&](std::size_t row) { return name_hash(kNone, type_names[row]); });
    tables_.member_slots = make_slots(tables_.members.size(), [&](std::size_t row) {
      const MemberRow member = tables_.members[row];
      const ElementRow& element = tables_.elements[member.element];
      const bool plain = !(element.flags & kChoice) || member.variant == kBaseName;
      const Text name =
          plain ? element.name : tables_.element_types[element.types.begin + member.variant].json_name;
      return name_hash(element.owner,
                       std::string_view(tables_.strings.bytes()).substr(name.begin, name.size));
    });
  }

  base::Status check_sizes() const {
    const std::size_t largest = std::max(
        {tables_.types.size(), tables_.elements.size(), tables_.element_types.size(), tables_.members.size(),
         tables_.invariants.size(), tables_.value_sets.size(), tables_.search_parameters.size(),
         tables_.components.size(), tables_.type_lists.numbers().size(),
         tables_.invariant_lists.numbers().size(), tables_.parameter_lists.numbers().size()});
    if (largest >= kNone)
      return base::fail(ErrorCode::limit_exceeded, "a table of definitions has too many rows");
    return {};
  }

  const DefinitionModel& model_;
  PackedTables tables_;
  std::map<std::string, std::uint16_t> type_rows_, parameter_rows_, value_set_rows_, system_rows_;
  std::map<InvariantModel, std::uint16_t> invariant_rows_;
  std::map<std::string, Slice> element_type_slices_;
  std::map<std::string, BindingStrength> strongest_;
  std::set<std::string> required_;
  std::string missing_;
};

}  // namespace

base::Result<PackedTables> pack_tables(const DefinitionModel& model) {
  return Packer(model).run();
}

}  // namespace kiln::fhir::detail
