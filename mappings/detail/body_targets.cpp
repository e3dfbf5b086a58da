// The left side of assignments: `identifier`, `birthDate.ext(birthTime)`, `PID-5`, csv columns (hmap.md §6).

#include <algorithm>

#include "mappings/detail/body.h"

namespace kiln::mappings::detail {

using base::ErrorCode;
using StepKind = ast::TargetStep::Kind;

void Body::step(Place& place, ir::Index owner, std::uint16_t slot, ir::Index shape, std::string_view name) {
  ir::Step made;
  made.slot = slot;
  made.shape = shape;
  place.steps.push_back(made);
  place.owners.push_back(owner);
  place.path += (place.path.empty() ? "" : ".") + std::string(name);
  place.prefixes.push_back(place.path);
}

/// Finds the object a FHIR target starts from: the block's own, or a handle's.
bool Body::start_fhir(const ast::Target& target, std::size_t& at, Target& base, Place& place) {
  base = target_;
  const auto& first = target.steps.front();
  const bool own = target_.kind == Target::Kind::fhir &&
                   (first.kind != StepKind::element || target_.fhir->element(first.name.text) != nullptr);
  if (!own && first.kind == StepKind::element) {
    if (const Binding* binding = find_binding(first.name.text);
        binding && binding->kind == Binding::Kind::handle) {
      if (target.steps.size() == 1) {
        state_.report(ErrorCode::E0215, target.span,
                      "`" + first.name.text + "` is a created resource; write to its elements");
        return false;
      }
      base = binding->target;
      at = 1;
    } else {
      for (auto it = bindings_.rbegin(); it != bindings_.rend(); ++it) {
        if (it->kind != Binding::Kind::handle || it->alive || it->name != first.name.text) continue;
        state_
            .report(ErrorCode::E0209, first.span,
                    "handle `" + first.name.text + "` is created in " + (it->in_loop ? "a loop" : "a block") +
                        " and is out of scope here")
            .helps.push_back("write inside the block that creates it");
        return false;
      }
    }
  }
  if (base.kind != Target::Kind::fhir) {
    auto& diagnostic =
        state_.report(ErrorCode::E0215, target.span,
                      "nothing is built here that `" + text_of(target.span) + "` could belong to");
    std::vector<std::string_view> names;
    for (const auto& binding : bindings_) {
      if (binding.kind == Binding::Kind::handle && binding.alive) names.push_back(binding.name);
    }
    suggest(diagnostic, first.name.text, names);
    diagnostic.helps.push_back("write it in a `create` block");
    return false;
  }
  place.reg = base.reg;
  place.address = base.address;
  return true;
}

bool Body::extension_step(const ast::TargetStep& target_step, ir::Index shape, Place& place) {
  const Declaration* declaration = find_extension(target_step.name);
  if (declaration == nullptr) return false;
  const auto& decl = *declaration->decl->get_if<ast::ExtensionDecl>();
  const StaticType type = state_.type(*declaration->file, decl.type);
  if (type.is_error()) return false;
  const auto* extension = fhir::find_type("Extension");
  const fhir::ElementDef* value = extension->element("value");
  const fhir::ElementType* element_type =
      type.kind == StaticType::Kind::fhir ? value->find_type(type.fhir->name()) : nullptr;
  if (element_type == nullptr) {
    state_.report(ErrorCode::E0207, decl.type.span, "Extension.value[x] does not allow " + name_of(type));
    return false;
  }
  auto& builder = state_.builder;
  const ir::Index extension_shape = builder.fhir_shape(*extension);
  builder.fhir_member(extension_shape, *extension->element("url"), nullptr);
  const fhir::TypeDef* owner = fhir::find_type(builder.unit.strings[builder.unit.shapes[shape].name]);
  const fhir::ElementDef* list = owner ? owner->element("extension") : nullptr;
  if (list == nullptr) {
    state_.report(ErrorCode::E0201, target_step.span, "no extension may stand here");
    return false;
  }
  ir::Step made;
  made.kind = ir::StepKind::extension;
  made.slot = builder.fhir_member(shape, *list, nullptr);
  made.shape = extension_shape;
  made.value_slot = builder.fhir_member(extension_shape, *value, element_type);
  made.url = builder.string(decl.url.text);
  place.steps.push_back(made);
  place.owners.push_back(shape);
  place.path += (place.path.empty() ? "ext(" : ".ext(") + target_step.name.text + ")";
  place.prefixes.push_back(place.path);
  place.destination = {};
  place.destination.kind = Destination::Kind::fhir;
  place.destination.type = type;
  place.destination.name = "ext(" + target_step.name.text + ")";
  place.list = false;
  return true;
}

/// The element that is written.
bool Body::last_fhir(const ast::TargetStep& target_step, const fhir::ElementDef& element, ir::Index shape,
                     Place& place) {
  auto& builder = state_.builder;
  Destination& destination = place.destination;
  destination.kind = Destination::Kind::fhir;
  destination.element = &element;
  destination.shape = shape;
  destination.required = element.is_required();
  destination.name = std::string(element.owner().name()) + "." + target_step.name.text;
  place.list = element.is_list();
  if (element.is_choice()) {
    destination.type.kind = StaticType::Kind::choice;
    for (const auto& type : element.types()) destination.type.variants.push_back(&type.type());
    const auto slot = builder.fhir_member(shape, element, &element.types().front());
    step(place, shape, ir::kNoSlot, ir::kNone, target_step.name.text);
    place.steps.back().kind = ir::StepKind::choice;
    place.steps.back().choice = builder.draft(shape, slot).choice;
    return true;
  }
  const fhir::TypeDef* content = element.only_type();
  destination.type = content ? fhir_type(content) : fhir_type("string");
  const auto slot = builder.fhir_member(shape, element, nullptr);
  step(place, shape, slot, builder.draft(shape, slot).shape, target_step.name.text);
  return true;
}

bool Body::walk_fhir(const ast::Target& target, std::size_t at, const fhir::TypeDef* type, ir::Index shape,
                     Place& place) {
  auto& builder = state_.builder;
  const Target& base = place.reg == target_.reg ? target_ : handle_target(place.reg);
  const LoadedProfile* profile = base.profile;
  std::string profile_path = base.profile_path;
  for (; at < target.steps.size(); ++at) {
    const ast::TargetStep& current = target.steps[at];
    profile_path += (profile_path.empty() ? "" : ".") + current.name.text;
    if (current.kind == StepKind::slice) {
      state_.report(ErrorCode::E0216, current.span, "a slice stands behind the name of a list");
      return false;
    }
    if (current.kind == StepKind::ext) {
      if (!extension_step(current, shape, place)) return false;
      if (at + 1 == target.steps.size()) return true;
      state_.report(ErrorCode::E0215, target.steps[at + 1].span, "an extension is written whole");
      return false;
    }
    if (current.kind != StepKind::element) {
      state_.report(ErrorCode::E0201, current.span, std::string(type->name()) + " has no such element");
      return false;
    }
    const fhir::ElementDef* element = type->element(current.name.text);
    if (element == nullptr) {
      auto& diagnostic =
          state_.report(ErrorCode::E0201, current.span,
                        std::string(type->name()) + " has no element `" + current.name.text + "`");
      std::vector<std::string_view> names;
      for (const auto& other : type->elements()) names.push_back(other.name());
      suggest(diagnostic, current.name.text, names);
      const auto variant = type->element_by_json_name(current.name.text);
      if (variant && variant.type != nullptr) {
        diagnostic.helps.push_back("a choice goes by its base name: `" +
                                   std::string(variant.element->name()) + " = … as " +
                                   std::string(variant.type->name()) + "`");
      }
      return false;
    }
    const bool indexed = at + 1 < target.steps.size() && target.steps[at + 1].kind == StepKind::index;
    const bool sliced = at + 1 < target.steps.size() && target.steps[at + 1].kind == StepKind::slice;
    if (sliced && at + 2 != target.steps.size()) {
      state_
          .report(ErrorCode::E0216, target.steps[at + 2].span,
                  "a slice is written whole: `" + current.name.text + ":" + target.steps[at + 1].name.text +
                      " += { … }`");
      return false;
    }
    const bool last = at + 1 + (indexed || sliced ? 1 : 0) == target.steps.size();
    if (last) {
      if (!last_fhir(current, *element, shape, place)) return false;
      if (sliced) {
        profile_path += ":" + target.steps[at + 1].name.text;
        place.destination.constants = slice_of(target.steps[at + 1], profile_path, profile);
      }
      place.destination.profile = profile;
      place.destination.profile_path = std::move(profile_path);
      if (sliced) {
        return place.destination.constants != nullptr;
      }
      if (!indexed) return true;
      if (!element->is_list()) {
        state_.report(ErrorCode::E0202, target.steps[at + 1].span, "`" + current.name.text + "` is no list");
        return false;
      }
      place.steps.back().kind = ir::StepKind::item;
      place.steps.back().number = static_cast<std::uint32_t>(target.steps[at + 1].number);
      place.indexed = true;
      place.path += "[" + std::to_string(target.steps[at + 1].number) + "]";
      place.prefixes.back() = place.path;
      return true;
    }
    const bool extends_primitive = target.steps[at + 1].kind == StepKind::ext;
    const fhir::TypeDef* content = element->is_choice() ? nullptr : element->only_type();
    if (content == nullptr) {
      state_.report(ErrorCode::E0201, current.span,
                    "`" + current.name.text + "` is a choice; build it whole: `" + current.name.text +
                        " = { … } as …`");
      return false;
    }
    // An object literal is written by its own rules only, so a list on the way has one item. In a resource
    // others may have appended to it.
    const bool own_list = element->is_list() && target_.literal && place.reg == target_.reg;
    if (element->is_list() && !indexed && !own_list && !content->is_primitive()) {
      auto& diagnostic =
          state_.report(ErrorCode::E0202, current.span, "`" + text_of(target.span) + "` goes through a list",
                        "`" + current.name.text + "` is 0..*");
      diagnostic.helps.push_back("`" + current.name.text + " += { " + target.steps[at + 1].name.text +
                                 " … }`");
      return false;
    }
    const auto slot = builder.fhir_member(shape, *element, nullptr);
    if (content->is_primitive()) {
      if (!extends_primitive) {
        state_.report(ErrorCode::E0201, target.steps[at + 1].span,
                      std::string(content->name()) + " has no elements");
        return false;
      }
      const auto twin = builder.companion(shape, slot);
      const ir::Index element_shape = builder.draft(shape, twin).shape;
      step(place, shape, twin, element_shape, current.name.text);
      // Beside the value, not part of it: what the value's rules write or not does not decide on it.
      const std::size_t dot = place.path.rfind('.');
      place.prefixes.back().insert(dot == std::string::npos ? 0 : dot + 1, "_");
      shape = element_shape;
      type = fhir::find_type("Element");
      continue;
    }
    const ir::Index next = builder.draft(shape, slot).shape;
    step(place, shape, slot, next, current.name.text);
    if (own_list && !indexed) {
      place.steps.back().kind = ir::StepKind::item;
      place.steps.back().number = 1;
    }
    if (indexed) {
      ++at;
      place.steps.back().kind = ir::StepKind::item;
      place.steps.back().number = static_cast<std::uint32_t>(target.steps[at].number);
      place.path += "[" + std::to_string(target.steps[at].number) + "]";
      place.prefixes.back() = place.path;
    }
    shape = next;
    type = content;
  }
  return false;
}

bool Body::walk_csv(const ast::Target& target, const Target& base, Place& place) {
  const ast::TargetStep& first = target.steps.front();
  const int column = first.kind == StepKind::element ? base.csv->find(first.name.text) : -1;
  if (column < 0 || target.steps.size() != 1) {
    auto& diagnostic =
        state_.report(ErrorCode::E0801, first.span,
                      "CSV column \"" + text_of(target.span) + "\" is not in " + base.csv->decl->name.text);
    suggest(diagnostic, first.name.text, base.csv->names());
    return false;
  }
  const ast::CsvColumn& decl = base.csv->decl->columns[static_cast<std::size_t>(column)];
  auto& builder = state_.builder;
  ir::Member made;
  made.name = builder.string(decl.name.text);
  made.order = static_cast<std::uint16_t>(column);
  made.type = builder.type(base.csv->columns[static_cast<std::size_t>(column)]);
  made.required = decl.required;
  if (decl.format) made.pattern = builder.string(decl.format->text);
  const auto slot = builder.member(base.shape, made);
  step(place, base.shape, slot, ir::kNone, decl.name.text);
  place.reg = base.reg;
  place.destination.kind = Destination::Kind::csv;
  place.destination.type = base.csv->columns[static_cast<std::size_t>(column)];
  place.destination.name = base.csv->decl->name.text + "." + decl.name.text;
  place.destination.required = decl.required;
  return true;
}

Body::Place Body::place(const ast::Target& target) {
  Place place;
  const StepKind first = target.steps.front().kind;
  if (target_.kind == Target::Kind::csv) {
    place.ok = walk_csv(target, target_, place);
  } else if (target_.kind == Target::Kind::v2 || first == StepKind::field || first == StepKind::component) {
    place.reg = target_.reg;
    place.address = target_.address;
    place.ok = walk_v2(target, target_, place);
  } else {
    Target base;
    std::size_t at = 0;
    if (start_fhir(target, at, base, place)) place.ok = walk_fhir(target, at, base.fhir, base.shape, place);
  }
  return place;
}

}  // namespace kiln::mappings::detail
