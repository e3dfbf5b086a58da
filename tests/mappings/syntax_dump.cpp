#include "tests/mappings/syntax_dump.h"

#include <string_view>

namespace kiln::mappings::test {

namespace {

using namespace ast;

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\n')
      out += "\\n";
    else if (c == '"')
      out += "\\\"";
    else
      out += c;
  }
  return out + "\"";
}

class Dumper {
 public:
  std::string take() { return std::move(out_); }

  void file(const File& file) {
    if (file.module) line("module " + file.module->text());
    for (const UseDecl& use : file.uses) {
      std::string text = "use " + use.module.text();
      if (use.has_list) {
        text += " {";
        for (const Name& name : use.names) text += " " + name.text;
        text += " }";
      }
      if (use.alias) text += " as " + use.alias->text;
      line(text);
    }
    for (const Decl& decl : file.decls) {
      const Name* name = declared_name(decl);
      line(std::string(keyword_of(decl)) + (name != nullptr ? " " + name->text : ""));
      nested([&] { std::visit([&](const auto& node) { declaration(node); }, decl.node); });
    }
  }

  void expr(const ExprPtr& expr) {
    if (expr)
      this->expr(*expr);
    else
      line("(none)");
  }
  void expr(const Expr& expr) {
    std::visit([&](const auto& node) { expression(node); }, expr.node);
  }

 private:
  void line(std::string_view text) { out_.append(2 * depth_, ' ').append(text).append("\n"); }
  template <class F>
  void nested(F body) {
    ++depth_;
    body();
    --depth_;
  }
  void labelled(std::string_view label, const ExprPtr& child) {
    if (!child) return;
    line(label);
    nested([&] { expr(child); });
  }

  static std::string text(const Literal& literal) {
    switch (literal.kind) {
      case Literal::Kind::string:
        return quoted(literal.text);
      case Literal::Kind::text:
        return "text " + quoted(literal.text);
      case Literal::Kind::number:
        return literal.text;
      case Literal::Kind::duration:
        return literal.text + "=" + std::to_string(literal.milliseconds) + "ms";
    }
    return {};
  }
  static std::string text(const Type& type) {
    static constexpr std::string_view kModels[] = {"", "hl7 ", "fhir ", "csv "};
    static constexpr std::string_view kArity[] = {"", "?", "*"};
    std::string out(kModels[static_cast<int>(type.model)]);
    out += type.name.text;
    if (!type.version.empty()) out += " " + type.version;
    if (type.profile) out += "(" + quoted(type.profile->text) + ")";
    return out.append(kArity[static_cast<int>(type.arity)]);
  }
  static std::string text(const Policy& policy) {
    static constexpr std::string_view kActions[] = {"keep",   "omit",   "reject",  "quarantine",
                                                    "delete", "absent", "literal", "skip"};
    std::string out = policy.warn ? "warn " : "";
    if (!policy.action_given) out += "(default) ";
    out += kActions[static_cast<int>(policy.action)];
    if (!policy.ack.empty()) out += " " + policy.ack;
    if (policy.code) out += " " + std::to_string(*policy.code);
    if (!policy.text.empty()) out += " " + quoted(policy.text);
    if (policy.value) out += " " + text(*policy.value);
    return out;
  }
  static std::string text(const Target& target) {
    std::string out;
    for (const TargetStep& step : target.steps) {
      switch (step.kind) {
        case TargetStep::Kind::field:
          out += step.name.text + "-" + std::to_string(step.number);
          break;
        case TargetStep::Kind::element:
          out += (out.empty() ? "" : ".") + step.name.text;
          break;
        case TargetStep::Kind::ext:
          out += (out.empty() ? "ext(" : ".ext(") + step.name.text + ")";
          break;
        case TargetStep::Kind::component:
          out += "." + std::to_string(step.number);
          break;
        case TargetStep::Kind::slice:
          out += ":" + step.name.text;
          break;
        case TargetStep::Kind::index:
          out += "[" + std::to_string(step.number) + "]";
          break;
      }
    }
    return out;
  }
  void params(const std::vector<Param>& list) {
    for (const Param& param : list) line("param " + param.name.text + " : " + text(param.type));
  }
  void arguments(const std::vector<Arg>& args) {
    for (const Arg& arg : args) labelled(arg.name ? "arg " + arg.name->text : "arg", arg.value);
  }

  // ---- expressions ----
  void expression(const Invalid&) { line("invalid"); }
  void expression(const Literal& node) { line(text(node)); }
  void expression(const Interpolation& node) {
    line("interpolation");
    nested([&] {
      for (const auto& part : node.parts) {
        if (part.expr)
          expr(part.expr);
        else
          line(quoted(part.text));
      }
    });
  }
  void expression(const Regex& node) { line("re " + quoted(node.pattern)); }
  void expression(const V2Ref& node) {
    std::string out = node.segment.text + "-" + std::to_string(node.field.value);
    if (node.selector.kind == Selector::Kind::all) out += "[*]";
    if (node.selector.kind == Selector::Kind::last) out += "[last]";
    if (node.selector.kind == Selector::Kind::where) out += "[where]";
    if (node.selector.kind == Selector::Kind::at) out += "[at]";
    if (node.component.value != 0) out += "." + std::to_string(node.component.value);
    if (node.subcomponent.value != 0) out += "." + std::to_string(node.subcomponent.value);
    line("v2 " + out);
    nested([&] {
      labelled("base", node.base);
      if (node.selector.expr) expr(node.selector.expr);
    });
  }
  void expression(const Ident& node) { line("name " + node.name); }
  void expression(const This&) { line("this"); }
  void expression(const Member& node) {
    line("member " + node.name.text);
    nested([&] { expr(node.base); });
  }
  void expression(const Component& node) {
    line("component " + std::to_string(node.number.value));
    nested([&] { expr(node.base); });
  }
  void expression(const ExtStep& node) {
    line("ext " + node.name.text);
    nested([&] { expr(node.base); });
  }
  void expression(const Index& node) {
    static constexpr std::string_view kKinds[] = {"none", "all", "last", "where", "at"};
    line("index " + std::string(kKinds[static_cast<int>(node.selector.kind)]));
    nested([&] {
      expr(node.base);
      if (node.selector.expr) expr(node.selector.expr);
    });
  }
  void expression(const Call& node) {
    line("call");
    nested([&] {
      expr(node.callee);
      arguments(node.args);
    });
  }
  void expression(const Omit&) { line("omit"); }
  void expression(const SkipValue&) { line("skip"); }
  void expression(const Ref& node) { line("ref " + node.handle.text); }
  void expression(const List& node) {
    line("list");
    nested([&] {
      for (const auto& item : node.items) expr(item);
    });
  }
  void expression(const Object& node) {
    line("object");
    nested([&] { block(*node.block); });
  }
  void expression(const IfThenElse& node) {
    line("if");
    nested([&] {
      expr(node.condition);
      expr(node.then);
      expr(node.otherwise);
    });
  }
  void expression(const Match& node) {
    line("match");
    nested([&] {
      expr(node.subject);
      for (const MatchArm& arm : node.arms) {
        std::string patterns = "arm";
        for (const Pattern& pattern : arm.patterns) {
          switch (pattern.kind) {
            case Pattern::Kind::literal:
              patterns += " " + text(pattern.literal);
              break;
            case Pattern::Kind::regex:
              patterns += " re " + quoted(pattern.regex);
              break;
            case Pattern::Kind::is_type:
              patterns += " is " + text(pattern.type);
              break;
            case Pattern::Kind::any:
              patterns += " _";
              break;
          }
        }
        labelled(patterns, arm.value);
      }
    });
  }
  void expression(const Not& node) {
    line("not");
    nested([&] { expr(node.operand); });
  }
  void expression(const Binary& node) {
    static constexpr std::string_view kOps[] = {"??", "or",       "and",     "==", "!=", "<", "<=", ">", ">=",
                                                "in", "contains", "matches", "+",  "-",  "*", "/",  "&"};
    line(kOps[static_cast<int>(node.op)]);
    nested([&] {
      expr(node.left);
      expr(node.right);
    });
  }
  void expression(const Is& node) {
    std::string test = node.negated ? "is not " : "is ";
    if (node.kind == Is::Kind::valued) test += "valued";
    if (node.kind == Is::Kind::null) test += "null";
    if (node.kind == Is::Kind::type) test += text(node.type);
    line(test);
    nested([&] { expr(node.operand); });
  }
  void expression(const As& node) {
    line("as " + text(node.type));
    nested([&] { expr(node.operand); });
  }
  void expression(const Of& node) {
    line("of " + text(node.type));
    nested([&] { expr(node.operand); });
  }
  void expression(const Using& node) {
    line("using " + node.variant.text);
    nested([&] { expr(node.operand); });
  }
  void expression(const Each& node) {
    line("each");
    nested([&] {
      expr(node.operand);
      expr(node.body);
    });
  }
  void expression(const Via& node) {
    line("via " + node.table.text() + (node.otherwise ? " else " + text(*node.otherwise) : ""));
    nested([&] { expr(node.operand); });
  }
  void expression(const Guarded& node) {
    line("guarded");
    nested([&] {
      expr(node.value);
      expr(node.condition);
    });
  }

  // ---- statements ----
  void block(const Block& block) {
    for (const Stmt& stmt : block.statements) {
      std::visit([&](const auto& node) { statement(node); }, stmt.node);
    }
  }
  void statement(const Assign& node) {
    static constexpr std::string_view kOps[] = {" =", " +=", " ?="};
    std::string head = text(node.target) + std::string(kOps[static_cast<int>(node.op)]);
    if (node.on_bad) head += " on bad " + text(*node.on_bad);
    if (node.label) head += " @" + node.label->text;
    if (node.override_earlier) head += " override";
    line(head);
    nested([&] {
      expr(node.value);
      labelled("if", node.condition);
    });
  }
  void statement(const Let& node) {
    labelled("let " + node.name.text + (node.type ? " : " + text(*node.type) : ""), node.value);
  }
  void statement(const OnEvent& node) {
    static constexpr std::string_view kEvents[] = {"bad", "null", "unmapped", "missing"};
    line("on " + std::string(kEvents[static_cast<int>(node.event)]) + " " + text(node.policy));
  }
  void statement(const Require& node) { labelled("require else " + text(node.otherwise), node.condition); }
  void statement(const Warn& node) { labelled("warn " + text(node.text), node.condition); }
  void statement(const Create& node) {
    static constexpr std::string_view kRequests[] = {"",        " create", " ensure", " update",
                                                     " upsert", " patch",  " none"};
    std::string head = "create " + node.handle.text + " : " + text(node.type);
    if (node.request != Create::Request::not_given) {
      head += " request" + std::string(kRequests[static_cast<int>(node.request)]);
    }
    if (node.label) head += " @" + node.label->text;
    line(head);
    nested([&] {
      labelled("identity", node.identity);
      labelled("if", node.condition);
      block(node.body);
    });
  }
  void statement(const Add& node) {
    line("add " + node.name.text);
    nested([&] { block(node.body); });
  }
  void statement(const Emit& node) {
    line("emit");
    nested([&] { block(node.body); });
  }
  void statement(const Include& node) {
    line("include " + node.fragment.text());
    nested([&] { arguments(node.args); });
  }
  void statement(const Skip& node) { line("skip " + quoted(node.text)); }
  void statement(const ForEach& node) {
    line("for each" + (node.binding ? " " + node.binding->text + " in" : ""));
    nested([&] {
      expr(node.source);
      labelled("where", node.where);
      for (const auto& key : node.group_by) labelled("by", key);
      line("do");
      nested([&] { block(node.body); });
    });
  }
  void statement(const When& node) {
    for (const auto& branch : node.branches) {
      labelled("when", branch.condition);
      nested([&] {
        line("do");
        nested([&] { block(branch.body); });
      });
    }
    if (!node.otherwise) return;
    line("else");
    nested([&] { block(*node.otherwise); });
  }

  // ---- options ----
  void options(const std::vector<Option>& list) {
    static constexpr std::string_view kKinds[] = {"string",   "number",         "address", "size",
                                                  "duration", "duration_range", "word",    "call"};
    for (const Option& option : list) {
      line("option " + option.name.text);
      nested([&] {
        for (const OptionValue& value : option.values) {
          std::string head = std::string(kKinds[static_cast<int>(value.kind)]) + " " + quoted(value.text);
          if (value.number != 0) head += " " + std::to_string(value.number);
          if (value.number_end != 0) head += ".." + std::to_string(value.number_end);
          line(head);
          nested([&] {
            if (value.expr) expr(value.expr);
            arguments(value.args);
          });
        }
        for (const auto& key : option.by) labelled("by", key);
        if (option.has_children) options(option.children);
      });
    }
  }

  // ---- declarations ----
  void declaration(const ConstDecl& node) { expr(node.value); }
  void declaration(const ExtensionDecl& node) { line(text(node.url) + " : " + text(node.type)); }
  void declaration(const TableDecl& node) {
    static constexpr std::string_view kSources[] = {"rows", "csv", "conceptmap", "hl7table"};
    if (node.system) line("system " + text(*node.system));
    line(kSources[static_cast<int>(node.source)]);
    if (node.location) line("location " + text(*node.location));
    if (node.key) line("key " + node.key->text);
    if (node.reload) line("reload " + text(*node.reload));
    for (const TableRow& row : node.rows) {
      std::string out;
      for (const Literal& key : row.keys) out += text(key) + " ";
      out += "=> " + text(row.value);
      if (row.display) out += " display " + text(*row.display);
      if (row.preferred) out += " preferred";
      line(out);
    }
    if (node.otherwise) line("else " + text(*node.otherwise));
  }
  void declaration(const LookupDecl& node) {
    params(node.params);
    line("-> " + text(node.result) + " via " + node.via.text + " " + text(node.query));
    if (node.cache) line("cache " + text(*node.cache));
    if (node.on_miss) line("on miss " + text(*node.on_miss));
    if (node.on_error) line("on error " + text(*node.on_error));
  }
  void declaration(const RowDecl& node) { params(node.columns); }
  void declaration(const CsvDecl& node) {
    options(node.options);
    for (const CsvColumn& column : node.columns) {
      std::string out = "column " + column.name.text;
      if (column.header) out += " " + text(*column.header);
      if (column.from)
        out += " " + std::to_string(column.from->value) + ".." + std::to_string(column.to->value);
      out += " : " + text(column.type);
      if (column.format) out += " format " + text(*column.format);
      if (column.required) out += " required";
      line(out);
    }
  }
  void declaration(const SegmentDecl& node) {
    for (const SegmentField& field : node.fields) {
      line(std::to_string(field.number.value) + " " + field.name.text + " : " + field.type.text +
           (field.repeats ? "*" : ""));
    }
  }
  void declaration(const FnDecl& node) {
    params(node.params);
    line("-> " + text(node.result));
    expr(node.body);
  }
  void declaration(const DatatypeDecl& node) {
    line(node.source.text + (node.variant ? "@" + node.variant->text : "") + " -> " + text(node.target));
    block(node.body);
  }
  void declaration(const FragmentDecl& node) {
    params(node.params);
    line("-> " + text(node.target));
    block(node.body);
  }
  void declaration(const MapDecl& node) {
    static constexpr std::string_view kModels[] = {"", "hl7", "fhir", "csv"};
    static constexpr std::string_view kInteractions[] = {"", " transaction", " batch", " message",
                                                         " collection"};
    params(node.params);
    line("-> " + std::string(kModels[static_cast<int>(node.model)]) + " " + node.target.text +
         (node.version.empty() ? "" : " " + node.version) +
         std::string(kInteractions[static_cast<int>(node.interaction)]) + (node.strict ? " strict" : ""));
    block(node.body);
  }
  void declaration(const ExtendDecl& node) {
    static constexpr std::string_view kEdits[] = {"remove", "replace", "add"};
    line("from " + node.base.text());
    for (const Edit& edit : node.edits) {
      std::string head(kEdits[static_cast<int>(edit.kind)]);
      if (edit.in) head += " in " + edit.in->text;
      if (edit.kind == Edit::Kind::remove) head += " " + text(edit.target);
      if (edit.label) head += " @" + edit.label->text;
      line(head);
      if (edit.stmt)
        nested([&] { std::visit([&](const auto& inner) { statement(inner); }, edit.stmt->node); });
    }
  }
  void declaration(const TestDecl& node) {
    line(text(node.title));
    for (const TestStep& step : node.steps)
      std::visit([&](const auto& inner) { test_step(inner); }, step.node);
  }
  void test_step(const GivenStep& step) { line("given " + step.kind.text + " " + text(step.text)); }
  void test_step(const FaultStep& step) {
    line("fault " + step.destination.text + " " + text(step.reason) + " times " + std::to_string(step.times));
  }
  void test_step(const RunStep& step) { line("run " + step.name.text()); }
  void test_step(const ExpectStep& step) { labelled("expect", step.condition); }

  void declaration(const ChannelDecl& node) {
    if (node.disabled) line("disabled");
    for (const auto& source : node.sources) {
      line("source " + source.connector.text);
      nested([&] { options(source.options); });
    }
    for (const auto& accept : node.accepts) {
      std::string out = "accept";
      for (const Type& type : accept.types) out += " " + text(type);
      if (accept.otherwise) out += " else " + text(*accept.otherwise);
      line(out);
      nested([&] { labelled("where", accept.where); });
    }
    for (const auto& ack : node.acks) line("ack " + ack.mode.text + (ack.on ? " on " + ack.on->text : ""));
    for (const auto& route : node.routes) {
      line("map " + route.result.text + " = " + route.map.text() + (route.of ? " of " + route.of->text : ""));
      nested([&] {
        arguments(route.args);
        labelled("if", route.condition);
      });
    }
    for (const auto& to : node.destinations) {
      line("to " + to.name.text + " : " + to.connector.text + (to.from ? " from " + to.from->text : ""));
      nested([&] {
        labelled("if", to.condition);
        options(to.options);
      });
    }
    options(node.options);
  }
  void declaration(const ServerDecl& node) { options(node.options); }

  std::string out_;
  std::size_t depth_ = 0;
};

}  // namespace

std::string dump(const ast::File& file) {
  Dumper dumper;
  dumper.file(file);
  return dumper.take();
}

std::string dump(const ast::Expr& expr) {
  Dumper dumper;
  dumper.expr(expr);
  return dumper.take();
}

}  // namespace kiln::mappings::test
