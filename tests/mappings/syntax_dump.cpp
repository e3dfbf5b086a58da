#include "tests/mappings/syntax_dump.h"

#include <string_view>

#include "tests/mappings/syntax_dump_expressions.h"

namespace kiln::mappings::test {

namespace {

class Dumper : public ExpressionDumper {
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

 private:
  // ---- statements ----
  void block(const Block& block) override {
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
      if (row.system) out += " system " + text(*row.system);
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
  void declaration(const SetConstDecl& node) {
    line(node.base.text());
    expr(node.value);
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
