#include "mappings/detail/format_marks.h"

#include <algorithm>

namespace kiln::mappings::detail {
namespace {

using ast::ExprPtr;

class Marker {
 public:
  explicit Marker(const std::vector<Token>& tokens) : tokens_(tokens) {}

  Marks run(const ast::File& file) {
    // `module` and `use` hold no span of their keyword's list; they are found as first tokens below.
    if (file.module) mark(before(file.module->span.begin), kMarkDeclaration);
    for (const ast::UseDecl& use : file.uses) {
      mark(use.span.begin, kMarkDeclaration);
      for (std::size_t i = at(use.span.begin); tokens_[i].begin < use.span.end; ++i)
        if (tokens_[i].kind == TokenKind::left_brace || tokens_[i].kind == TokenKind::right_brace)
          mark(tokens_[i].begin, kMarkTight);
    }
    for (const ast::Decl& decl : file.decls) {
      mark(decl.span.begin, kMarkDeclaration);
      std::visit([&](const auto& node) { declaration(node); }, decl.node);
    }
    return std::move(marks_);
  }

 private:
  // ---- tokens ----

  std::size_t at(std::uint32_t offset) const {
    const auto found = std::lower_bound(tokens_.begin(), tokens_.end(), offset,
                                        [](const Token& token, std::uint32_t o) { return token.begin < o; });
    return std::min(static_cast<std::size_t>(found - tokens_.begin()), tokens_.size() - 1);
  }
  std::uint32_t before(std::uint32_t offset) const {
    const std::size_t index = at(offset);
    return tokens_[index == 0 ? 0 : index - 1].begin;
  }
  void mark(std::uint32_t offset, int flags) {
    marks_.flags[offset] = static_cast<std::uint16_t>(marks_.flags[offset] | flags);
  }
  void item(std::uint32_t offset) { mark(offset, kMarkItem); }
  void own_line(std::uint32_t offset) { mark(offset, kMarkItem | kMarkOwnLine); }
  void stop(std::uint32_t offset, Stop kind) { marks_.stops.emplace(offset, kind); }
  /// Aligns the first token of that kind from `offset` on.
  void stop_at(std::uint32_t offset, TokenKind token, Stop kind) {
    const std::size_t index = at(offset);
    for (std::size_t i = index; i < tokens_.size() && i < index + 2; ++i)
      if (tokens_[i].kind == token) return stop(tokens_[i].begin, kind);
  }
  /// The `{` from `offset` on that opens a list of clauses, and a mark for it.
  void body_brace(std::uint32_t offset) {
    for (std::size_t i = at(offset); i < tokens_.size(); ++i)
      if (tokens_[i].kind == TokenKind::left_brace) return mark(tokens_[i].begin, kMarkBody);
  }
  void wide_colon(const base::Span& type, Stop kind) {
    const std::uint32_t colon = before(type.begin);
    mark(colon, kMarkWide);
    stop(colon, kind);
  }

  // ---- types, policies, expressions ----

  void type(const ast::Type& type) {
    if (type.arity == ast::Type::Arity::list) mark(tokens_[at(type.span.end) - 1].begin, kMarkTight);
  }
  void args(const std::vector<ast::Arg>& list) {
    for (const ast::Arg& arg : list) expr(arg.value);
  }
  void params(const std::vector<ast::Param>& list) {
    for (const ast::Param& param : list) type(param.type);
  }

  void expr(const ExprPtr& pointer) {
    if (pointer == nullptr) return;
    mark(pointer->span.begin, kMarkValue);
    std::visit([&](const auto& node) { value(node); }, pointer->node);
  }

  template <class Node>
  void value(const Node&) {}
  void value(const ast::V2Ref& node) {
    expr(node.base);
    expr(node.selector.expr);
  }
  void value(const ast::Member& node) { expr(node.base); }
  void value(const ast::Component& node) { expr(node.base); }
  void value(const ast::ExtStep& node) { expr(node.base); }
  void value(const ast::Index& node) {
    expr(node.base);
    expr(node.selector.expr);
  }
  void value(const ast::Call& node) {
    expr(node.callee);
    args(node.args);
  }
  void value(const ast::List& node) {
    for (const ExprPtr& one : node.items) expr(one);
  }
  void value(const ast::Object& node) { statements(*node.block, false); }
  void value(const ast::IfThenElse& node) {
    expr(node.condition);
    expr(node.then);
    expr(node.otherwise);
  }
  void value(const ast::Match& node) {
    expr(node.subject);
    for (const ast::MatchArm& arm : node.arms) {
      own_line(arm.span.begin);
      for (const ast::Pattern& pattern : arm.patterns) type(pattern.type);
      stop_at(arm.patterns.back().span.end, TokenKind::fat_arrow, Stop::arrow);
      expr(arm.value);
    }
  }
  void value(const ast::Not& node) { expr(node.operand); }
  void value(const ast::Binary& node) {
    expr(node.left);
    expr(node.right);
  }
  void value(const ast::Is& node) {
    expr(node.operand);
    if (node.kind == ast::Is::Kind::type) type(node.type);
  }
  void value(const ast::As& node) {
    expr(node.operand);
    type(node.type);
  }
  void value(const ast::Of& node) {
    expr(node.operand);
    type(node.type);
  }
  void value(const ast::Using& node) { expr(node.operand); }
  void value(const ast::Each& node) {
    expr(node.operand);
    expr(node.body);
  }
  void value(const ast::Via& node) { expr(node.operand); }
  void value(const ast::Guarded& node) {
    expr(node.value);
    expr(node.condition);
  }

  // ---- statements ----

  void statements(const ast::Block& block, bool body) {
    if (body) mark(block.span.begin, kMarkBody);
    for (const ast::Stmt& stmt : block.statements) {
      mark(stmt.span.begin, body ? kMarkItem | kMarkOwnLine : kMarkItem);
      statement(stmt);
    }
  }
  void statement(const ast::Stmt& stmt) {
    std::visit([&](const auto& node) { step(node); }, stmt.node);
  }
  void label(const std::optional<ast::Name>& name) {
    if (name) mark(before(name->span.begin), kMarkLabel);
  }
  void target(const ast::Target& target) {
    for (const ast::TargetStep& one : target.steps)
      if (one.kind == ast::TargetStep::Kind::slice) mark(one.span.begin, kMarkTight);
    if (!target.steps.empty() && target.steps[0].kind == ast::TargetStep::Kind::component)
      mark(target.span.begin, kMarkValue);
  }
  void step(const ast::Assign& node) {
    target(node.target);
    stop(node.op_span.begin, Stop::assign);
    expr(node.value);
    expr(node.condition);
    label(node.label);
  }
  void step(const ast::Let& node) {
    if (node.type) type(*node.type);
    expr(node.value);
  }
  void step(const ast::OnEvent&) {}
  void step(const ast::Require& node) { expr(node.condition); }
  void step(const ast::Warn& node) { expr(node.condition); }
  void step(const ast::Create& node) {
    type(node.type);
    expr(node.identity);
    expr(node.condition);
    label(node.label);
    statements(node.body, true);
  }
  void step(const ast::Add& node) { statements(node.body, true); }
  void step(const ast::Emit& node) { statements(node.body, true); }
  void step(const ast::Include& node) { args(node.args); }
  void step(const ast::Skip&) {}
  void step(const ast::ForEach& node) {
    expr(node.source);
    expr(node.where);
    for (const ExprPtr& key : node.group_by) expr(key);
    statements(node.body, true);
  }
  void step(const ast::When& node) {
    for (const auto& branch : node.branches) {
      expr(branch.condition);
      statements(branch.body, true);
    }
    if (node.otherwise) statements(*node.otherwise, true);
  }

  // ---- options ----

  void options(const std::vector<ast::Option>& list) {
    for (const ast::Option& option : list) this->option(option);
  }
  void option(const ast::Option& option) {
    item(option.span.begin);
    for (const ast::OptionValue& one : option.values) option_value(one);
    for (const ExprPtr& key : option.by) expr(key);
    const bool pair = option.values.size() == 1 && option.by.empty() && !option.has_children;
    if (pair) stop(option.values[0].span.begin, Stop::option);
    if (option.values.empty() && option.has_children)
      stop(tokens_[at(option.name.span.end)].begin, Stop::option);
    if (option.has_children)
      mark(tokens_[at(option.values.empty() ? option.name.span.end : option.values.back().span.end)].begin,
           kMarkBody);
    options(option.children);
  }
  void option_value(const ast::OptionValue& one) {
    args(one.args);
    if (one.kind != ast::OptionValue::Kind::address) return;
    mark(one.span.begin, kMarkValue);
    for (std::size_t i = at(one.span.begin) + 1; tokens_[i].begin < one.span.end; ++i)
      mark(tokens_[i].begin, kMarkInside);
  }

  // ---- declarations ----

  void declaration(const ast::ConstDecl& node) {
    stop_at(node.name.span.end, TokenKind::assign, Stop::declaration);
    expr(node.value);
  }
  void declaration(const ast::SetConstDecl& node) {
    stop_at(node.base.span.end, TokenKind::assign, Stop::declaration);
    expr(node.value);
  }
  void declaration(const ast::ExtensionDecl& node) {
    stop_at(node.name.span.end, TokenKind::assign, Stop::declaration);
    mark(before(node.type.span.begin), kMarkWide);
    type(node.type);
  }
  void declaration(const ast::TableDecl& node) {
    for (const ast::TableRow& row : node.rows) {
      item(row.span.begin);
      stop_at(row.keys.back().span.end, TokenKind::fat_arrow, Stop::arrow);
    }
    if (node.source != ast::TableDecl::Source::rows) return;
    body_brace(node.name.span.end);
    if (!node.otherwise) return;
    const std::size_t policy = at(node.otherwise->span.begin);
    if (policy < 2 || tokens_[policy - 1].kind != TokenKind::fat_arrow) return;
    item(tokens_[policy - 2].begin);
    stop(tokens_[policy - 1].begin, Stop::arrow);
  }
  void declaration(const ast::LookupDecl& node) {
    params(node.params);
    type(node.result);
  }
  void declaration(const ast::RowDecl& node) {
    body_brace(node.name.span.end);
    for (const ast::Param& column : node.columns) {
      item(column.name.span.begin);
      wide_colon(column.type.span, Stop::colon);
      type(column.type);
    }
  }
  void declaration(const ast::CsvDecl& node) {
    body_brace(node.name.span.end);
    for (const ast::Option& option : node.options) this->option(option);
    for (const ast::CsvColumn& column : node.columns) {
      item(column.span.begin);
      if (column.header) stop(column.header->span.begin, Stop::header);
      if (column.from) stop(column.from->span.begin, Stop::field);
      wide_colon(column.type.span, Stop::colon);
      type(column.type);
    }
    if (node.columns.empty()) return;
    const std::size_t first = at(node.columns.front().span.begin);
    if (first < 2) return;
    item(tokens_[first - 2].begin);  // `columns {`
    mark(tokens_[first - 1].begin, kMarkBody);
  }
  void declaration(const ast::SegmentDecl& node) {
    body_brace(node.name.span.end);
    for (const ast::SegmentField& field : node.fields) {
      item(field.number.span.begin);
      stop(field.name.span.begin, Stop::field);
      wide_colon(field.type.span, Stop::colon);
      if (field.repeats) mark(tokens_[at(field.type.span.end)].begin, kMarkTight);
    }
  }
  void declaration(const ast::FnDecl& node) {
    params(node.params);
    type(node.result);
    expr(node.body);
  }
  void declaration(const ast::DatatypeDecl& node) {
    type(node.target);
    statements(node.body, true);
  }
  void declaration(const ast::FragmentDecl& node) {
    params(node.params);
    type(node.target);
    statements(node.body, true);
  }
  void declaration(const ast::MapDecl& node) {
    params(node.params);
    statements(node.body, true);
  }
  void declaration(const ast::ExtendDecl& node) {
    body_brace(node.base.span.end);
    for (const ast::Edit& edit : node.edits) {
      own_line(edit.span.begin);
      if (edit.in) {
        own_line(before(edit.in->span.begin));
        body_brace(edit.in->span.end);
      }
      target(edit.target);
      if (edit.stmt == nullptr) continue;
      statement(*edit.stmt);
      if (const auto* assign = edit.stmt->get_if<ast::Assign>()) marks_.stops.erase(assign->op_span.begin);
    }
  }
  void declaration(const ast::TestDecl& node) {
    body_brace(node.title.span.end);
    for (const ast::TestStep& step : node.steps) {
      own_line(step.span.begin);
      if (const auto* expect = std::get_if<ast::ExpectStep>(&step.node)) expr(expect->condition);
    }
  }
  void declaration(const ast::ChannelDecl& node) {
    body_brace(node.name.span.end);
    for (const ast::SourceClause& source : node.sources) {
      own_line(source.span.begin);
      body_brace(source.connector.span.end);
      options(source.options);
    }
    for (const ast::AcceptClause& accept : node.accepts) {
      own_line(accept.span.begin);
      for (const ast::Type& one : accept.types) type(one);
      expr(accept.where);
    }
    for (const ast::AckClause& ack : node.acks) {
      own_line(ack.span.begin);
      if (ack.has_options) body_brace(ack.on ? ack.on->span.end : ack.mode.span.end);
      options(ack.options);
    }
    for (const ast::RouteClause& route : node.routes) {
      own_line(route.span.begin);
      args(route.args);
      expr(route.condition);
    }
    for (const ast::DestinationClause& destination : node.destinations) {
      own_line(destination.span.begin);
      expr(destination.condition);
      body_brace(destination.condition ? destination.condition->span.end : destination.connector.span.end);
      options(destination.options);
    }
    options(node.options);
  }
  void declaration(const ast::ServerDecl& node) {
    body_brace(node.name_span.end);
    options(node.options);
  }

  const std::vector<Token>& tokens_;
  Marks marks_;
};

}  // namespace

Marks mark_tokens(const ast::File& file, const std::vector<Token>& tokens) {
  return Marker(tokens).run(file);
}

}  // namespace kiln::mappings::detail
