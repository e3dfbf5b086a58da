#include "mappings/ast.h"

#include <concepts>
#include <iterator>

namespace kiln::mappings::ast {

Block::Block() = default;
Block::Block(Block&&) noexcept = default;
Block& Block::operator=(Block&&) noexcept = default;
Block::~Block() = default;

std::string QName::text() const {
  std::string out;
  for (const Name& part : parts) {
    if (!out.empty()) out += '.';
    out += part.text;
  }
  return out;
}

namespace {

bool append_parts(const Expr& expr, QName& out) {
  if (const auto* ident = expr.get_if<Ident>()) {
    out.parts.push_back({ident->name, expr.span});
    return true;
  }
  const auto* member = expr.get_if<Member>();
  if (member == nullptr || !append_parts(*member->base, out)) return false;
  out.parts.push_back(member->name);
  return true;
}

}  // namespace

std::optional<QName> as_qname(const Expr& expr) {
  QName name;
  name.span = expr.span;
  if (!append_parts(expr, name)) return std::nullopt;
  return name;
}

const Name* declared_name(const Decl& decl) {
  return std::visit(
      [](const auto& node) -> const Name* {
        if constexpr (requires {
                        { node.name } -> std::same_as<const Name&>;
                      }) {
          return &node.name;
        } else {
          return nullptr;
        }
      },
      decl.node);
}

std::string_view keyword_of(const Decl& decl) {
  static constexpr std::string_view kWords[] = {"const", "extension", "table", "lookup",   "row",
                                                "csv",   "segment",   "fn",    "datatype", "fragment",
                                                "map",   "extend",    "test",  "channel",  "server",
                                                "extend"};
  static_assert(std::size(kWords) == std::variant_size_v<Decl::Node>);
  return kWords[decl.node.index()];
}

}  // namespace kiln::mappings::ast
