// Strict mode: the types each part of an expression can have, from the type of the context.

#include <algorithm>

#include "fhir/path/detail/evaluator.h"
#include "fhir/path/detail/lexer.h"
#include "fhir/path/detail/parser.h"
#include "fhir/primitives.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;

/// What an item may be. Not known: anything.
struct Types {
  bool known = false;
  bool ordered = true;
  bool information = false;  ///< what type() gives
  std::vector<const TypeDef*> fhir;
  std::uint16_t system = 0;  ///< bits by PathKind

  static Types of(PathKind kind) {
    Types types;
    types.known = true;
    types.system = static_cast<std::uint16_t>(1u << static_cast<unsigned>(kind));
    return types;
  }
  bool none() const { return known && fhir.empty() && system == 0 && !information; }
  void add(const Types& other) {
    known = known && other.known;
    ordered = ordered && other.ordered;
    information = information || other.information;
    system |= other.system;
    for (const TypeDef* type : other.fhir)
      if (std::find(fhir.begin(), fhir.end(), type) == fhir.end()) fhir.push_back(type);
  }
};

PathKind system_kind(const TypeDef& type) {
  if (!type.is_primitive()) return type.is_a("Quantity") ? PathKind::quantity : PathKind::node;
  switch (primitive_of(type)) {
    case Primitive::boolean:
      return PathKind::boolean;
    case Primitive::integer:
    case Primitive::positive_int:
    case Primitive::unsigned_int:
      return PathKind::integer;
    case Primitive::decimal:
      return PathKind::decimal;
    case Primitive::date:
      return PathKind::date;
    case Primitive::date_time:
    case Primitive::instant:
      return PathKind::date_time;
    case Primitive::time:
      return PathKind::time;
    default:
      return PathKind::string;
  }
}

class Checker {
 public:
  explicit Checker(const PathProgram& program) : program_(program) {}

  base::Status run(const TypeDef* context) {
    Types self;
    if (context) {
      self.known = true;
      self.fhir.push_back(context);
    }
    Types result;
    if (!infer(*program_.root, self, result)) return base::fail(std::move(error_));
    return {};
  }

 private:
  bool stop(const PathExpr& expr, std::string what) {
    error_ = path_error(ErrorCode::fhirpath_semantic, std::move(what), program_.text, expr.offset);
    return false;
  }

  /// Whether an item of these types can be one of the kinds (bits by PathKind) when it is used as a value.
  static bool can_be(const Types& types, unsigned kinds) {
    if (!types.known || types.none()) return true;
    if (types.system & kinds) return true;
    return std::any_of(types.fhir.begin(), types.fhir.end(), [&](const TypeDef* type) {
      return type->is_abstract() || (1u << static_cast<unsigned>(system_kind(*type)) & kinds);
    });
  }
  static unsigned bit(PathKind kind) { return 1u << static_cast<unsigned>(kind); }

  static void add_content(const ElementDef& element, Types& out) {
    const auto add = [&out](const TypeDef* type) {
      // Any resource may stand there, so nothing is known of its elements.
      if (type->is_abstract() && type->is_resource()) out.known = false;
      if (std::find(out.fhir.begin(), out.fhir.end(), type) == out.fhir.end()) out.fhir.push_back(type);
    };
    if (const TypeDef* content = element.backbone()) add(content);
    for (const ElementType& type : element.types()) add(&type.type());
    if (!element.backbone() && element.types().empty()) out.known = false;
  }

  bool member(const PathExpr& expr, const Types& left, Types& out) {
    out = {};
    out.ordered = left.ordered;
    if (!left.known) return true;
    out.known = true;
    if (left.none()) return true;
    bool found = false;
    for (const TypeDef* type : left.fhir) {
      const ElementDef* element = type->element(expr.text);
      if (!element) continue;
      found = true;
      add_content(*element, out);
    }
    if (left.information && (expr.text == "name" || expr.text == "namespace")) {
      found = true;
      out.add(Types::of(PathKind::string));
    }
    if (found) return true;
    const std::string_view name =
        left.fhir.empty() ? std::string_view("the value") : left.fhir.front()->name();
    return stop(expr, std::string(name) + " has no element " + std::string(expr.text));
  }

  bool head(const PathExpr& expr, const Types& self, Types& out) {
    if (self.known && expr.type_def) {
      for (const TypeDef* type : self.fhir) {
        if (!type->is_a(expr.type_def->name())) continue;
        out = self;
        return true;
      }
      if (expr.type_def->is_resource() && !self.none())
        return stop(expr, "the context is no " + std::string(expr.text));
    }
    return member(expr, self, out);
  }

  static Types of_type(const PathType& type) {
    Types types;
    types.known = type.known();
    if (type.fhir) types.fhir.push_back(type.fhir);
    static constexpr std::pair<std::string_view, PathKind> kinds[] = {
        {"Boolean", PathKind::boolean}, {"String", PathKind::string},    {"Integer", PathKind::integer},
        {"Decimal", PathKind::decimal}, {"Date", PathKind::date},        {"DateTime", PathKind::date_time},
        {"Time", PathKind::time},       {"Quantity", PathKind::quantity}};
    for (const auto& [name, kind] : kinds)
      if (type.system && name == type.name) types.add(Types::of(kind));
    types.known = type.known();
    return types;
  }

  bool check_type(const PathExpr& expr) {
    return expr.type.known() || !expr.type.space.empty() ||
           stop(expr, "there is no type " + std::string(expr.type.name));
  }

  static unsigned kinds_of(PathShape shape) {
    switch (shape) {
      case PathShape::text:
        return bit(PathKind::string);
      case PathShape::boolean:
        return bit(PathKind::boolean);
      case PathShape::integer:
        return bit(PathKind::integer);
      case PathShape::decimal:
        return bit(PathKind::decimal);
      case PathShape::number:
        return bit(PathKind::integer) | bit(PathKind::decimal);
      case PathShape::date_time:
        return bit(PathKind::date_time);
      case PathShape::date:
        return bit(PathKind::date);
      case PathShape::time:
        return bit(PathKind::time);
      case PathShape::quantity:
        return bit(PathKind::quantity);
      default:
        return 0;
    }
  }

  bool call(const PathExpr& expr, const Types& self, Types& out) {
    const PathFunction& function = *expr.function;
    Types input = self;
    if (expr.left && !infer(*expr.left, self, input)) return false;
    if (function.ordered && !input.ordered)
      return stop(expr, std::string(expr.text) + "() needs an input that has an order");
    if (const unsigned kinds = kinds_of(function.input); kinds != 0 && !can_be(input, kinds))
      return stop(expr, std::string(expr.text) + "() is not for values of this type");
    if (function.takes_type && !check_type(expr)) return false;
    std::vector<Types> args(expr.args.size());
    const bool conditional = expr.text == "iif";
    for (std::size_t i = 0; i < args.size(); ++i) {
      const bool lambda = function.lambdas >> i & 1;
      if (!infer(*expr.args[i], lambda && (expr.left || !conditional) ? input : self, args[i])) return false;
    }
    if (conditional && !can_be(args[0], bit(PathKind::boolean)))
      return stop(*expr.args[0], "iif() needs a Boolean first");
    switch (function.output) {
      case PathShape::any:
        out = {};
        if (conditional) {
          out = args[1];
          if (args.size() > 2) out.add(args[2]);
        }
        if (expr.text == "union" || expr.text == "combine") {
          out = input;
          out.add(args[0]);
        }
        out.ordered = expr.text != "children" && expr.text != "descendants";
        return true;
      case PathShape::same:
        out = input;
        return true;
      case PathShape::item:
        out = args[0];
        out.ordered = out.ordered && input.ordered;
        if (expr.text == "repeat") out.known = false;
        return true;
      case PathShape::type:
        out = of_type(expr.type);
        out.ordered = input.ordered;
        return true;
      case PathShape::extension:
        out = {};
        out.known = true;
        out.fhir.push_back(find_type("Extension"));
        return true;
      case PathShape::information:
        out = {};
        out.known = out.information = true;
        return true;
      default:
        out = {};
        out.known = true;
        out.system = static_cast<std::uint16_t>(kinds_of(function.output));
        return true;
    }
  }

  bool binary(const PathExpr& expr, const Types& self, Types& out) {
    Types left, right;
    if (!infer(*expr.left, self, left) || !infer(*expr.right, self, right)) return false;
    switch (expr.op) {
      case PathOp::unite:
        out = left;
        out.add(right);
        out.ordered = true;
        return true;
      case PathOp::concatenate:
        out = Types::of(PathKind::string);
        return true;
      case PathOp::add:
      case PathOp::subtract: {
        const unsigned moments = bit(PathKind::date) | bit(PathKind::date_time) | bit(PathKind::time);
        const bool moves = left.known && !left.none() && left.fhir.empty() && (left.system & ~moments) == 0;
        if (moves && !can_be(right, bit(PathKind::quantity)))
          return stop(expr, "a date or time is moved by a Quantity only");
        out = left;
        return true;
      }
      case PathOp::multiply:
      case PathOp::divide:
      case PathOp::div:
      case PathOp::mod:
        out = {};
        return true;
      default:
        out = Types::of(PathKind::boolean);
        return true;
    }
  }

  bool infer(const PathExpr& expr, const Types& self, Types& out) {
    switch (expr.op) {
      case PathOp::nothing:
        out = {};
        out.known = true;
        return true;
      case PathOp::literal:
        out = Types::of(expr.literal.kind());
        return true;
      case PathOp::self:
        out = self;
        return true;
      case PathOp::index:
        out = Types::of(PathKind::integer);
        return true;
      case PathOp::failure:
      case PathOp::total:
      case PathOp::variable:
        out = {};
        return true;
      case PathOp::head:
        return head(expr, self, out);
      case PathOp::member: {
        Types left;
        return infer(*expr.left, self, left) && member(expr, left, out);
      }
      case PathOp::call:
        return call(expr, self, out);
      case PathOp::indexer: {
        Types index;
        if (!infer(*expr.left, self, out) || !infer(*expr.right, self, index)) return false;
        return out.ordered || stop(expr, "an index needs a collection that has an order");
      }
      case PathOp::negate:
      case PathOp::plus_sign:
        return infer(*expr.left, self, out);
      case PathOp::is:
      case PathOp::as: {
        Types left;
        if (!infer(*expr.left, self, left) || !check_type(expr)) return false;
        out = expr.op == PathOp::is ? Types::of(PathKind::boolean) : of_type(expr.type);
        return true;
      }
      default:
        return binary(expr, self, out);
    }
  }

  const PathProgram& program_;
  base::Error error_;
};

}  // namespace

base::Status check_path(const PathProgram& program, const TypeDef* context) {
  return Checker(program).run(context);
}

}  // namespace kiln::fhir::detail
