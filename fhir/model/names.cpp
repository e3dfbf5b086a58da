#include "fhir/model/names.h"

#include <vector>

#include "fhir/definitions/detail/hash.h"

namespace kiln::fhir {
namespace {

struct NameTable {
  std::vector<std::string_view> names;    // names[id]
  std::vector<std::uint16_t> of_element;  // by position in all_elements()
  std::vector<std::uint16_t> slots;       // open addressing, id; 0 = free

  NameTable() : names(1), slots(8192) {
    const auto elements = all_elements();
    of_element.reserve(elements.size());
    for (const ElementDef& element : elements) of_element.push_back(add(element.name()));
  }

  std::uint16_t& slot(std::string_view name) {
    const std::size_t mask = slots.size() - 1;
    std::size_t at = detail::name_hash(0, name) & mask;
    while (slots[at] != 0 && names[slots[at]] != name) at = (at + 1) & mask;
    return slots[at];
  }

  std::uint16_t add(std::string_view name) {
    if (names.size() * 2 > slots.size()) {
      slots.assign(slots.size() * 2, 0);
      for (std::size_t id = 1; id < names.size(); ++id) slot(names[id]) = static_cast<std::uint16_t>(id);
    }
    std::uint16_t& found = slot(name);
    if (found == 0) {
      found = static_cast<std::uint16_t>(names.size());
      names.push_back(name);
    }
    return found;
  }
};

const NameTable& table() {
  static const NameTable made;
  return made;
}

}  // namespace

NameId find_name(std::string_view name) {
  return const_cast<NameTable&>(table()).slot(name);
}
NameId name_id(const ElementDef& element) {
  return table().of_element[static_cast<std::size_t>(&element - all_elements().data())];
}
std::string_view name_text(NameId id) {
  return table().names[id];
}
NameId last_name() {
  return static_cast<NameId>(table().names.size() - 1);
}

}  // namespace kiln::fhir
