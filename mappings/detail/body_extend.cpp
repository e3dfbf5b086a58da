// Rules that an `extend map` edits while its base is lowered (hmap.md §13).

#include "mappings/detail/body.h"
#include "mappings/detail/extend.h"

namespace kiln::mappings::detail {

/// Lowers a statement of an `extend map` where the base is: its names are those of its own file, it sees the
/// map's handles and the segments at hand, also inside a fragment.
void Body::from_layer(const ast::Stmt& stmt, std::size_t layer, std::vector<ir::Stmt>& out) {
  const Declaration& declaration = extension_->layer(layer);
  const LibraryFile* file = std::exchange(file_, declaration.file);
  const std::string address =
      std::exchange(address_, std::string(declaration.package) + ":" + std::string(declaration.name) + "/");
  const std::string target_address = std::exchange(target_.address, target_.handle);
  const std::size_t context_floor = std::exchange(context_floor_, 0);
  const std::size_t binding_floor = std::exchange(binding_floor_, 0);
  const std::size_t edits = std::exchange(extension_->floor, layer + 1);
  statement(stmt, out);
  extension_->floor = edits;
  binding_floor_ = binding_floor;
  context_floor_ = context_floor;
  target_.address = target_address;
  address_ = address;
  file_ = file;
}

/// True when an edit stands for the rule: nothing of it is lowered then.
bool Body::edited(const ast::Assign& assign, base::Span span, std::vector<ir::Stmt>& out) {
  // Rules inside an object literal have no address of their own.
  if (extension_ == nullptr || target_.literal) return false;
  RuleName name;
  name.handle = target_.handle;
  std::size_t first = 0;
  const auto& step = assign.target.steps.front();
  const bool own = target_.kind != Target::Kind::fhir || step.kind != ast::TargetStep::Kind::element ||
                   target_.fhir->element(step.name.text) != nullptr;
  const bool v2_or_csv = target_.kind == Target::Kind::v2 || target_.kind == Target::Kind::csv;
  if ((!own || target_.kind == Target::Kind::none) && !v2_or_csv && assign.target.steps.size() > 1) {
    const Binding* binding = find_binding(step.name.text);
    if (binding != nullptr && binding->kind == Binding::Kind::handle) {
      name.handle = step.name.text;
      first = 1;
    }
  }
  name.path = address_of(assign.target, first);
  if (assign.label) name.label = assign.label->text;
  const std::string in_address = first == 1 ? name.handle : target_.address;
  name.address = address_ + (in_address.empty() ? "" : in_address + ".") + name.path +
                 (name.label.empty() ? "" : "@" + name.label);
  const Extension::Verdict verdict = extension_->meet(name, span);
  if (verdict.kind == Extension::Verdict::Kind::keep) return false;
  if (verdict.kind == Extension::Verdict::Kind::replace) from_layer(*verdict.replacement, verdict.layer, out);
  return true;
}

bool Body::removed(const ast::Create& create, base::Span span) {
  if (extension_ == nullptr) return false;
  RuleName name;
  name.path = create.handle.text;
  if (create.label) name.label = create.label->text;
  name.address = address_ + name.path + (name.label.empty() ? "" : "@" + name.label);
  name.whole = true;
  return extension_->meet(name, span).kind == Extension::Verdict::Kind::remove;
}

}  // namespace kiln::mappings::detail
