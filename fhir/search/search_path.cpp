#include "fhir/search/search_path.h"

#include <memory>
#include <mutex>
#include <vector>

#include "fhir/model/tree_builder.h"
#include "fhir/search/extractor.h"

namespace kiln::fhir {
namespace {

/// One slot for each expression; filled when it is first asked for.
class Paths {
 public:
  explicit Paths(std::size_t count) : slots_(std::make_unique<Slot[]>(count)) {}

  const PathExpression* get(std::size_t position, std::string_view text) {
    if (text.empty()) return nullptr;
    Slot& slot = slots_[position];
    std::call_once(slot.once, [&] {
      CompileOptions options;
      // Expressions write `as` for lists, as R4's FHIRPath drafts allowed.
      options.as_filters = true;
      if (auto compiled = PathExpression::compile(text, options)) slot.path = std::move(*compiled);
    });
    return slot.path.compiled() ? &slot.path : nullptr;
  }

 private:
  struct Slot {
    std::once_flag once;
    PathExpression path;
  };
  std::unique_ptr<Slot[]> slots_;
};

constexpr std::size_t kComponentsMax = 8;

/// An empty resource of each type, for what a reference stands for.
Node empty_resource(std::string_view type_name) {
  static const std::vector<Tree> resources = [] {
    std::vector<Tree> made;
    for (const TypeDef& type : all_types()) {
      TreeBuilder builder;
      builder.open_root(&type);
      builder.close();
      made.push_back(builder.finish());
    }
    return made;
  }();
  const TypeDef* type = find_resource_type(type_name);
  return type ? resources[type->index()].root() : Node();
}

}  // namespace

const PathExpression* search_path(const SearchParameter& parameter) {
  static Paths paths(all_search_parameters().size());
  return paths.get(parameter.index(), parameter.expression());
}

const PathExpression* component_path(const SearchParameter& composite, std::size_t component) {
  static Paths paths(all_search_parameters().size() * kComponentsMax);
  if (component >= composite.component_count() || component >= kComponentsMax) return nullptr;
  return paths.get(composite.index() * kComponentsMax + component,
                   detail::component_of(composite, component).expression);
}

PathEnvironment search_environment(const ReferenceRewrite* rewrite, std::string_view own_base) {
  PathEnvironment environment;
  environment.resolve = [rewrite, own_base](std::string_view text, Node from) {
    const auto renamed = rewrite ? rewrite->reference(text) : std::nullopt;
    const ReferenceParts parts = parse_reference(renamed ? std::string_view(*renamed) : text, own_base);
    return empty_resource(parts.type.empty() ? from["type"].text() : parts.type);
  };
  return environment;
}

}  // namespace kiln::fhir
