#pragma once
// How the parser makes expression nodes; shared by the files of the expression parser.

#include <algorithm>

#include "engine/base/limits.h"
#include "mappings/detail/parser.h"

namespace kiln::mappings::detail {

inline std::uint32_t height_of(const ast::ExprPtr& expr) {
  return expr ? expr->height : 0;
}

inline std::uint32_t height_of(const std::vector<ast::Arg>& args) {
  std::uint32_t height = 0;
  for (const ast::Arg& arg : args) height = std::max(height, height_of(arg.value));
  return height;
}

/// Height of the tallest child; only nodes whose children can form a chain need one of their own, since
/// nesting is bounded by Depth and reaches the parent through its other children.
template <class Node>
std::uint32_t child_height(const Node& node) {
  std::uint32_t height = 0;
  const auto add = [&](std::uint32_t other) { height = std::max(height, other); };
  if constexpr (requires { node.base; }) add(height_of(node.base));
  if constexpr (requires { node.operand; }) add(height_of(node.operand));
  if constexpr (requires { node.left; }) add(std::max(height_of(node.left), height_of(node.right)));
  if constexpr (requires { node.selector; }) add(height_of(node.selector.expr));
  if constexpr (requires { node.callee; }) add(height_of(node.callee));
  if constexpr (requires { node.args; }) add(height_of(node.args));
  if constexpr (requires { node.body; }) add(height_of(node.body));
  if constexpr (
      requires { node.value; } && requires { node.condition; }) {
    add(std::max(height_of(node.value), height_of(node.condition)));
  }
  if constexpr (std::is_same_v<Node, ast::IfThenElse>) {
    add(std::max({height_of(node.condition), height_of(node.then), height_of(node.otherwise)}));
  }
  if constexpr (std::is_same_v<Node, ast::Interpolation>) {
    for (const auto& part : node.parts) add(height_of(part.expr));
  }
  if constexpr (std::is_same_v<Node, ast::List>) {
    for (const auto& item : node.items) add(height_of(item));
  }
  if constexpr (std::is_same_v<Node, ast::Match>) {
    add(height_of(node.subject));
    for (const auto& arm : node.arms) add(height_of(arm.value));
  }
  if constexpr (std::is_same_v<Node, ast::Object>) add(node.block->height);
  return height;
}

template <class Node>
ast::ExprPtr Parser::make(std::uint32_t begin, Node node) {
  auto expr = std::make_unique<ast::Expr>();
  expr->span = span_from(begin);
  expr->height = 1 + child_height(node);
  expr->node = std::move(node);
  if (expr->height > base::limits::kHmapTreeHeightMax) {
    error(base::ErrorCode::E0008, "this expression is too deep", expr->span,
          "give a part of it a name with `let` or `fn`");
    return invalid();
  }
  tallest_ = std::max(tallest_, expr->height);
  return expr;
}

}  // namespace kiln::mappings::detail
