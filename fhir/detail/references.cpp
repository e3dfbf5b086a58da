#include "fhir/detail/references.h"

namespace kiln::fhir::detail {
namespace {

using base::JsonView;

struct Frame {
  const Frame* parent;
  std::string_view key;
  std::size_t index;  ///< in a list; npos otherwise
};

std::string path_of(const Frame* frame) {
  std::string path;
  for (; frame; frame = frame->parent) {
    if (frame->key.empty()) continue;
    std::string step(frame->key);
    if (frame->index != std::string::npos) step += "[" + std::to_string(frame->index) + "]";
    path = path.empty() ? step : step + "." + path;
  }
  return path;
}

Answer<void> walk(JsonView value, const Frame* frame, const ReferenceVisitor& visit) {
  if (value.is_object()) {
    for (const JsonView member : value) {
      const Frame here{frame, member.key(), std::string::npos};
      if (member.is_string()) {
        if (member.key() == "reference") TRY_VOID(visit(member.text(), [&] { return path_of(&here); }));
        continue;
      }
      TRY_VOID(walk(member, &here, visit));
    }
  } else if (value.is_array()) {
    std::size_t index = 0;
    for (const JsonView item : value) {
      const Frame here{frame->parent, frame->key, index++};
      TRY_VOID(walk(item, &here, visit));
    }
  }
  return {};
}

}  // namespace

Answer<void> for_each_reference(JsonView resource, const ReferenceVisitor& visit) {
  const Frame root{nullptr, {}, std::string::npos};
  return walk(resource, &root, visit);
}

}  // namespace kiln::fhir::detail
