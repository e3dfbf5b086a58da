// Step one of loading a site: syntax trees to definitions, without maps.

#include <map>
#include <mutex>

#include "channels/detail/site_builder.h"
#include "engine/base/calendar.h"
#include "engine/base/partial_date.h"
#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"
#include "hl7/dictionary/dictionary.h"
#include "hl7/dictionary/version.h"

namespace kiln::channels::detail {

namespace ast = mappings::ast;
using base::Diagnostics;
using base::ErrorCode;

namespace {

constexpr const char* kCheckingVersion = "2.5.1";  ///< of an `accept hl7 X` without version

mappings::DataType data_type(const AcceptType& type) {
  mappings::DataType out;
  out.kind = type.kind == ContentKind::hl7    ? mappings::DataKind::hl7
             : type.kind == ContentKind::fhir ? mappings::DataKind::fhir
                                              : mappings::DataKind::csv;
  out.name = type.name;
  out.version = type.kind == ContentKind::hl7 && type.version.empty() ? kCheckingVersion : type.version;
  return out;
}

class Reader {
 public:
  Reader(const mappings::Library& library, Diagnostics& diagnostics)
      : library_(library), diagnostics_(diagnostics) {}

  PendingSite read() {
    bool has_server = false;
    for (const auto& file : library_.files()) {
      if (file->shipped) continue;
      for (const ast::Decl& decl : file->tree.decls) {
        if (const auto* server = std::get_if<ast::ServerDecl>(&decl.node)) {
          if (std::exchange(has_server, true))
            report(diagnostics_, ErrorCode::E0900, server->name_span, "a site has one `server` block");
          site_.server_span = server->name_span;
          site_.server =
              parse_options(server->options, server_options(), "server", server->name_span, diagnostics_)
                  .options;
          check_zone(site_.server);
        }
        if (const auto* channel = std::get_if<ast::ChannelDecl>(&decl.node)) read_channel(*file, *channel);
      }
    }
    if (!has_server) site_.server = parse_options({}, server_options(), "server", {}, diagnostics_).options;
    return std::move(site_);
  }

 private:
  void read_channel(const mappings::LibraryFile& file, const ast::ChannelDecl& decl) {
    PendingChannel out;
    out.decl = &decl;
    out.file = &file;
    out.definition.name = decl.name.text;
    out.definition.disabled = decl.disabled;
    out.definition.file = file.name;
    out.definition.span = decl.name.span;
    for (const ast::Option& option : decl.options)
      report(diagnostics_, ErrorCode::E0904, option.name.span,
             "a channel has no option `" + option.name.text + "`",
             "options stand in the blocks of `source` and `to`");
    read_source(out);
    read_accept(out);
    read_ack(out);
    for (const ast::RouteClause& route : decl.routes) read_route(out, route);
    for (const ast::DestinationClause& clause : decl.destinations) read_destination(out, clause);
    if (decl.destinations.empty())
      report(diagnostics_, ErrorCode::E0905, decl.name.span,
             "channel `" + decl.name.text + "` has no destination", "to sink: drop from source { }");
    site_.channels.push_back(std::move(out));
  }

  const ConnectorSpec* find_spec(ConnectorRole role, const ast::Name& name) {
    const char* word = role == ConnectorRole::source ? "source" : "destination";
    if (const ConnectorSpec* spec = find_connector(role, name.text)) return spec;
    std::vector<std::string_view> names;
    for (const ConnectorSpec* spec : all_connectors())
      if (spec->role == role) names.emplace_back(spec->name);
    report(diagnostics_, ErrorCode::E0904, name.span,
           std::string("there is no ") + word + " `" + name.text + "`", did_you_mean(name.text, names));
    return nullptr;
  }

  void check_options(const ConnectorSpec& spec, const Options& options, base::Span span) {
    if (spec.check == nullptr) return;
    for (const OptionProblem& problem : spec.check(options)) {
      if (problem.code == ErrorCode::E0915) continue;  // check_available() says it
      const OptionValue* value = options.find(problem.option);
      report(diagnostics_, problem.code, value != nullptr ? value->span : span,
             "`" + problem.option + "`: " + problem.message, problem.help);
    }
  }

  void read_source(PendingChannel& out) {
    const auto& sources = out.decl->sources;
    if (sources.size() != 1) {
      report(diagnostics_, sources.empty() ? ErrorCode::E0905 : ErrorCode::E0900,
             sources.empty() ? out.decl->name.span : sources[1].span, "a channel has exactly one source");
      if (sources.empty()) return;
    }
    const ast::SourceClause& clause = sources.front();
    out.definition.source = find_spec(ConnectorRole::source, clause.connector);
    if (out.definition.source == nullptr) return;
    auto parsed = parse_options(clause.options, table_of(*out.definition.source),
                                clause.connector.text + " source", clause.connector.span, diagnostics_);
    out.definition.source_options = std::move(parsed.options);
    check_options(*out.definition.source, out.definition.source_options, clause.connector.span);
    check_zone(out.definition.source_options);
    check_hours(out.definition.source_options);
  }

  void check_hours(const Options& options) {
    const OptionValue* hours = options.find("hours");
    if (hours == nullptr || !hours->resolved) return;
    const auto parsed = base::Calendar::parse(hours->text);
    if (!parsed)
      report(diagnostics_, ErrorCode::E0917, hours->span, "`hours`: " + parsed.error().text + ": " + parsed.error().place,
             parsed.error().remedy);
    else if (base::trim(hours->text).empty())
      report(diagnostics_, ErrorCode::E0917, hours->span, "`hours`: nothing is always", "leave it out");
  }

  void check_zone(const Options& options) {
    if (find_field(options.fields(), "timezone") == nullptr) return;
    const OptionValue* zone = options.find("timezone");
    if (zone != nullptr && zone->resolved && !base::TimeZone::find(zone->text))
      report(diagnostics_, ErrorCode::E0917, zone->span, "`timezone`: not an IANA time zone",
             "\"Europe/Berlin\", \"UTC\", …");
  }

  /// What the source gives: one kind, decided by `content` where it can give several.
  static std::optional<ContentKind> source_kind(const ChannelDefinition& channel) {
    if (channel.source == nullptr) return std::nullopt;
    if (find_field(channel.source->options, "content") != nullptr) {
      const std::string content = channel.source_options.text("content");
      if (content.empty()) return std::nullopt;
      return content == "fhir" ? ContentKind::fhir : content == "csv" ? ContentKind::csv : ContentKind::hl7;
    }
    const ContentSet& gives = channel.source->content;
    return gives.hl7 ? ContentKind::hl7 : gives.fhir ? ContentKind::fhir : ContentKind::csv;
  }

  void read_accept(PendingChannel& out) {
    const auto& accepts = out.decl->accepts;
    if (accepts.empty()) return;
    if (accepts.size() > 1)
      report(diagnostics_, ErrorCode::E0900, accepts[1].span, "a channel has one `accept`");
    const ast::AcceptClause& clause = accepts.front();
    for (const ast::Type& type : clause.types) read_accept_type(out, type);
    if (clause.where) out.where = request(out, *clause.where, false);
    if (!clause.otherwise) return;
    AcceptElse& otherwise = out.definition.accept_else;
    otherwise.text = clause.otherwise->text;
    switch (clause.otherwise->action) {
      case ast::Policy::Action::skip:
        otherwise.kind = AcceptElse::Kind::skip;
        break;
      case ast::Policy::Action::quarantine:
        otherwise.kind = AcceptElse::Kind::quarantine;
        break;
      case ast::Policy::Action::reject:
        otherwise.kind = AcceptElse::Kind::reject;
        otherwise.ack = clause.otherwise->ack.empty() ? "AR" : clause.otherwise->ack;
        otherwise.code_given = clause.otherwise->code.has_value();
        otherwise.code = clause.otherwise->code.value_or(200);
        break;
      default:
        report(diagnostics_, ErrorCode::E0900, clause.otherwise->span,
               "`accept … else` takes reject, quarantine or skip");
    }
  }

  void read_accept_type(PendingChannel& out, const ast::Type& type) {
    AcceptType accept;
    accept.name = type.name.text;
    accept.version = type.version;
    accept.span = type.span;
    accept.kind = type.model == ast::Type::Model::hl7    ? ContentKind::hl7
                  : type.model == ast::Type::Model::fhir ? ContentKind::fhir
                                                         : ContentKind::csv;
    if (type.model == ast::Type::Model::none) {
      report(diagnostics_, ErrorCode::E0900, type.span,
             "write `accept hl7 …`, `accept fhir …` or `accept csv …`");
      return;
    }
    const auto gives = source_kind(out.definition);
    if (gives && *gives != accept.kind) {
      report(diagnostics_, ErrorCode::E0902, type.span,
             std::string(out.definition.source->name) + " source gives " + name_of(*gives) + ", not " +
                 name_of(accept.kind));
      return;
    }
    if (accept.kind == ContentKind::hl7 && !find_message(accept)) return;
    if (accept.kind == ContentKind::fhir && fhir::find_type(accept.name) == nullptr)
      return report(diagnostics_, ErrorCode::E0201, type.name.span,
                    "R4 has no resource `" + accept.name + "`");
    if (accept.kind == ContentKind::csv) {
      const auto found = library_.resolve(*out.file, accept.name, mappings::DeclKind::csv);
      if (found.found == nullptr)
        return report(diagnostics_, ErrorCode::E0305, type.name.span,
                      "unknown csv declaration `" + accept.name + "`",
                      did_you_mean(accept.name, library_.names_in_scope(*out.file, mappings::DeclKind::csv)));
    }
    out.definition.accept.push_back(std::move(accept));
  }

  /// Structure and event of an hl7 type: a structure id, else an event of that version (E0108).
  bool find_message(AcceptType& accept) {
    const std::string version_text = accept.version.empty() ? kCheckingVersion : accept.version;
    const auto version = hl7::find_version(version_text);
    if (!version) {
      report(diagnostics_, ErrorCode::E0108, accept.span, "there is no HL7 version " + version_text);
      return false;
    }
    const hl7::Dictionary dictionary(*version);
    if (dictionary.structure(accept.name)) {
      accept.structure = accept.name;
      return true;
    }
    const auto bar = accept.name.find('_');
    const std::string code = accept.name.substr(0, bar);
    const std::string trigger = bar == std::string::npos ? std::string() : accept.name.substr(bar + 1);
    if (const auto structure = dictionary.event(code, trigger)) {
      accept.structure = std::string(structure->id);
      accept.event = code + "^" + trigger;
      return true;
    }
    std::vector<std::string_view> names;
    for (const auto& one : dictionary.structures()) names.push_back(one.id);
    report(diagnostics_, ErrorCode::E0108, accept.span,
           version_text + " has no structure or event " + accept.name, did_you_mean(accept.name, names));
    return false;
  }

  void read_ack(PendingChannel& out) {
    const auto& acks = out.decl->acks;
    if (acks.size() > 1) report(diagnostics_, ErrorCode::E0900, acks[1].span, "a channel has one `ack`");
    if (acks.empty()) return;
    const ast::AckClause& clause = acks.front();
    const std::string& mode = clause.mode.text;
    out.definition.ack = mode == "original"   ? AckMode::original
                         : mode == "enhanced" ? AckMode::enhanced
                         : mode == "none"     ? AckMode::none
                                              : AckMode::automatic;
    if (mode != "auto" && out.definition.ack == AckMode::automatic)
      report(diagnostics_, ErrorCode::E0900, clause.mode.span,
             "`ack` takes auto, original, enhanced or none");
    read_ack_options(out.definition, clause);
    if (!clause.on) return;
    const std::string& on = clause.on->text;
    out.definition.ack_on = on == "stored"      ? AckOn::stored
                            : on == "delivered" ? AckOn::delivered
                                                : AckOn::mapped;
    if (on != "mapped" && out.definition.ack_on == AckOn::mapped)
      report(diagnostics_, ErrorCode::E0900, clause.on->span, "`ack … on` takes stored, mapped or delivered");
  }

  void read_ack_options(ChannelDefinition& definition, const ast::AckClause& clause) {
    const Options options =
        parse_options(clause.options, ack_options(), "ack", clause.mode.span, diagnostics_).options;
    const bool delivered = clause.on && clause.on->text == "delivered";
    for (const char* name : {"timeout", "late", "of"}) {
      const OptionValue* value = options.find(name);
      if (value != nullptr && value->origin != OptionValue::Origin::default_value && !delivered)
        report(diagnostics_, ErrorCode::E0900, value->span, std::string("`") + name + "` needs `on delivered`",
               "ack " + clause.mode.text + " on delivered { … }");
    }
    const auto literal = [&](const char* name) {
      const OptionValue* value = options.find(name);
      if (value != nullptr && !value->resolved)
        report(diagnostics_, ErrorCode::E0917, value->span, std::string("`") + name + "`: a value of its own is expected");
    };
    for (const char* name : {"timeout", "late", "of", "reply"}) literal(name);
    AckPolicy& policy = definition.ack_policy;
    policy.timeout_ms = options.number("timeout");
    const std::string late = options.text("late");
    policy.late = late == "AR"      ? AckLate::reject
                  : late == "AA"    ? AckLate::accept
                  : late == "close" ? AckLate::close
                                    : AckLate::error;
    if (const OptionValue* of = options.find("of")) policy.of = of->words;
    policy.reply = options.text("reply");
  }

  void read_route(PendingChannel& out, const ast::RouteClause& clause) {
    if (clause.of) {
      if (clause.condition || clause.has_args)
        report(diagnostics_, ErrorCode::E0915, clause.span,
               "conditions and arguments of a `map … of` are not in this version");
      out.replies.push_back(&clause);
      return;
    }
    PendingRoute route;
    route.clause = &clause;
    if (clause.condition) route.condition = request(out, *clause.condition, false);
    if (clause.has_args) {
      route.arguments = site_.map_requests.size();
      site_.map_requests.push_back({&clause.map, &clause.args, &out.file->tree});
    }
    out.routes.push_back(std::move(route));
  }

  void read_destination(PendingChannel& out, const ast::DestinationClause& clause) {
    PendingDestination pending;
    pending.clause = &clause;
    DestinationDefinition definition;
    definition.name = clause.name.text;
    definition.span = clause.name.span;
    for (const auto& other : out.definition.destinations)
      if (other.name == definition.name)
        report(diagnostics_, ErrorCode::E0900, clause.name.span,
               "two destinations are called `" + definition.name + "`");
    definition.connector = find_spec(ConnectorRole::destination, clause.connector);
    if (definition.connector != nullptr) {
      auto parsed = parse_options(clause.options, table_of(*definition.connector), clause.connector.text,
                                  clause.connector.span, diagnostics_);
      definition.options = std::move(parsed.options);
      definition.connections = static_cast<std::uint32_t>(definition.options.number("connections"));
      check_options(*definition.connector, definition.options, clause.connector.span);
      check_hours(definition.options);
      pending.ordered = !parsed.order_by.empty();
      read_order(out, clause, parsed.order_by, definition, pending);
      for (const ParsedExpressions& name : parsed.templates) {
        std::vector<PendingExpression> parts;
        for (const ast::Expr* expr : name.exprs) parts.push_back(request(out, *expr, true));
        pending.parts.push_back(std::move(parts));
      }
      pending.templates = std::move(parsed.templates);
    }
    if (clause.condition) pending.condition = request(out, *clause.condition, false);
    out.definition.destinations.push_back(std::move(definition));
    out.destinations.push_back(std::move(pending));
  }

  /// `order by` reads what the destination gets: the message, or what a map makes of it.
  void read_order(const PendingChannel& channel, const ast::DestinationClause& clause,
                  const std::vector<const ast::Expr*>& keys, DestinationDefinition& definition,
                  PendingDestination& pending) {
    if (keys.empty()) return;
    std::string text;
    for (const ast::Expr* key : keys) text += std::string(library_.sources().text(key->span)) + "\n";
    const ast::RouteClause* route = route_of(channel, clause);
    const bool passes = clause.from ? clause.from->text == "source" : channel.routes.empty();
    constexpr std::size_t kIdBytes = 8;
    definition.order_id =
        base::sha256_hex((route == nullptr ? "" : route->map.text() + "\n") + text).substr(0, kIdBytes);
    if (passes) {
      for (const ast::Expr* key : keys) pending.order.push_back(request(channel, *key, true));
      return;
    }
    if (route == nullptr) return;  // `from` names nothing, or acknowledgements
    const auto type = target_of(channel, route->map);
    if (!type || type->kind == mappings::DataKind::csv) {
      report(diagnostics_, ErrorCode::E0902, keys.front()->span,
             "`order by` needs a message or a resource whose type is known; `" + route->result.text +
                 "` is " + (type ? "rows" : "made by a package"),
             type ? "leave `order by` out: one connection keeps the order"
                  : "name one map in `map " + route->result.text + " = …`");
      return;
    }
    for (const ast::Expr* key : keys) {
      PendingExpression one;
      one.expr = key;
      one.text = true;
      one.first_request = site_.requests.size();
      one.count = 1;
      mappings::ExpressionRequest wanted;
      wanted.expr = key;
      wanted.file = &channel.file->tree;
      wanted.source = *type;
      wanted.want = mappings::ExpressionRequest::Want::text;
      site_.requests.push_back(std::move(wanted));
      pending.order.push_back(one);
    }
  }

  /// The statement that makes what the destination gets, or nullptr.
  static const ast::RouteClause* route_of(const PendingChannel& channel,
                                          const ast::DestinationClause& clause) {
    for (const PendingRoute& route : channel.routes)
      if (!clause.from || route.clause->result.text == clause.from->text) return route.clause;
    return nullptr;
  }

  /// What a map makes; nothing when it is no single map, or unknown.
  std::optional<mappings::DataType> target_of(const PendingChannel& channel, const ast::QName& name) const {
    const mappings::LibraryFile* file = channel.file;
    const ast::QName* wanted = &name;
    constexpr int kExtendsMax = 16;
    for (int i = 0; i < kExtendsMax; ++i) {
      const auto found = library_.resolve(*file, *wanted, mappings::DeclKind::map);
      if (found.found == nullptr || found.parts != wanted->parts.size()) return std::nullopt;
      file = found.found->file;
      if (const auto* map = found.found->decl->get_if<ast::MapDecl>()) {
        mappings::DataType out;
        out.kind = map->model == ast::Type::Model::hl7    ? mappings::DataKind::hl7
                   : map->model == ast::Type::Model::fhir ? mappings::DataKind::fhir
                                                          : mappings::DataKind::csv;
        out.name = map->target.text;
        out.version =
            out.kind == mappings::DataKind::hl7 && map->version.empty() ? kCheckingVersion : map->version;
        return out;
      }
      const auto* extends = found.found->decl->get_if<ast::ExtendDecl>();
      if (extends == nullptr) return std::nullopt;
      wanted = &extends->base;
    }
    return std::nullopt;
  }

  /// A connector's own options and the common ones; built once, kept for the process.
  static std::span<const FieldSpec> table_of(const ConnectorSpec& spec) {
    static std::map<const ConnectorSpec*, std::vector<FieldSpec>> tables;
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    auto& table = tables[&spec];
    if (table.empty()) {
      table.assign(spec.options.begin(), spec.options.end());
      const auto common =
          spec.role == ConnectorRole::source ? common_source_options() : common_destination_options();
      table.insert(table.end(), common.begin(), common.end());
    }
    return table;
  }

  PendingExpression request(const PendingChannel& channel, const ast::Expr& expr, bool text) {
    PendingExpression out;
    out.expr = &expr;
    out.text = text;
    out.first_request = site_.requests.size();
    for (const AcceptType& type : channel.definition.accept) {
      mappings::ExpressionRequest one;
      one.expr = &expr;
      one.file = &channel.file->tree;
      one.source = data_type(type);
      one.want =
          text ? mappings::ExpressionRequest::Want::text : mappings::ExpressionRequest::Want::condition;
      site_.requests.push_back(std::move(one));
    }
    out.count = channel.definition.accept.size();
    if (out.count == 0 && channel.decl->accepts.empty())
      report(diagnostics_, ErrorCode::E0905, expr.span,
             "a condition needs an `accept`, which says what the message is");
    return out;
  }

  const mappings::Library& library_;
  Diagnostics& diagnostics_;
  PendingSite site_;
};

}  // namespace

PendingSite read_site(const mappings::Library& library, Diagnostics& diagnostics) {
  return Reader(library, diagnostics).read();
}

}  // namespace kiln::channels::detail
